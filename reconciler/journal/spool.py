"""Run files as runners leave them: found, read, judged by whether their runner lives. Writes nothing.

A first line that was cut short is a lost run, by the name of its file; once nobody can be still writing it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from reconciler.model.frozen import dataclass
from reconciler.model.lazy import pattern
from reconciler.model.run import Run, Verdict, read_run

Alive: TypeAlias = Callable[[tuple[int, str, str]], str | None]  # pid, creation, boot -> why that runner is gone

SPOOL = "runs/spool"
SUFFIX = ".run"
GRACE = 3600.0  # seconds after which a file that is empty, or nonsense, is nobody's any more
SETTLED = 5.0  # seconds after which a line that was begun is not written on: a runner writes each in one go
_LONGEST = 64 * 2**20
_ID = pattern(r"(\d{8}T\d{6})(?:\.\d{3})?Z(?:\.\d+|-manual)?")


@dataclass(frozen=True, slots=True)
class Spooled:
    """One run file. `run` is None where it cannot be read: `old` then says whether it ever will."""

    path: Path
    run: Run | None
    old: bool = False
    cut: bool = False  # its last line is not whole
    by_name: bool = False  # the name of the file is all that is known

    @property
    def done(self) -> bool:
        return self.run is not None and self.run.verdict is not Verdict.RUNNING


def folders(state: Path) -> list[Path]:
    """The folder of each automation with run files, sorted. None where there is no spool, or none to be read."""
    try:
        with os.scandir(state / SPOOL) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def files(folder: Path) -> list[Path]:
    """The run files of one automation, oldest slot first."""
    try:
        with os.scandir(folder) as entries:
            return [
                Path(path) for path in sorted(e.path for e in entries if e.name.endswith(SUFFIX) and not e.is_dir())
            ]
    except (FileNotFoundError, PermissionError):
        return []


def read(paths: Iterable[Path], alive: Alive, now: datetime) -> Iterator[Spooled]:
    """What these files tell. A run whose runner is gone is lost; its file is read once more after that was found."""
    for path in paths:
        found = _load(path, now)
        if found is None:
            continue
        run = found.run
        if run is not None and run.verdict is Verdict.RUNNING and not found.by_name:
            gone = alive(run.runner)
            again = _load(path, now) if gone else None
            if again is not None and again.run is not None:
                why = "its record is damaged: the last line is cut short" if again.cut else gone or ""
                found = replace(again, run=again.run if again.done else _lost(again.run, why, path))
        yield found


def _load(path: Path, now: datetime) -> Spooled | None:
    """None where the file is gone, or not ours to read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(_LONGEST)
            written = os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None
    except OSError:
        return Spooled(path, None)
    run = read_run(content)
    if run is not None and (run.automation, run.id) == (path.parent.name, path.name.removesuffix(SUFFIX)):
        return Spooled(path, run, cut=not content.endswith(b"\n"))
    age = abs(now.timestamp() - written)
    if b"\n" not in content and (match := _ID.fullmatch(path.name.removesuffix(SUFFIX))):
        run = _by_name(path, match, written)
        if age > (SETTLED if content else GRACE):
            why = "the first line is cut short" if content else "it is empty"
            run = _lost(run, f"its record is damaged: {why}", path)
        return Spooled(path, run, age > GRACE, by_name=True)
    return Spooled(path, None, age > GRACE)


def _by_name(path: Path, match: re.Match[str], written: float) -> Run:
    """What the name of its file tells about a run; for now it counts as running."""
    return Run(
        automation=path.parent.name,
        id=match[0],
        scheduled=_slot(match[1]),
        started=datetime.fromtimestamp(written, UTC),
        verdict=Verdict.RUNNING,
        trigger="manual" if match[0].endswith("-manual") else "schedule",
    )


def _slot(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _lost(run: Run, why: str, path: Path) -> Run:
    log = f"logs/{run.automation}/{run.id}.log"
    there = (path.parents[2] / log).exists()
    return replace(run, verdict=Verdict.LOST, reason=why, log=log if there else "")
