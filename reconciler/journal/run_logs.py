"""Log files of runs: read as one text whether compressed or in two parts, compressed when old, removed when too many.

A log is ID.log, with its older half in ID.log.1 where it grew long; either may end in .gz.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from reconciler.model.frozen import dataclass

LOGS = "runs/logs"
_PARTS = (".log.1", ".log")  # oldest first
_COMPRESS_AFTER = 86400.0  # seconds
_COMPRESS_FROM = 4096  # bytes
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a log."""

    path: Path
    run: str
    size: int
    modified: float

    @property
    def compressed(self) -> bool:
        return self.path.name.endswith(".gz")


def names(state: Path) -> set[str]:
    """The automations that have logs."""
    try:
        with os.scandir(state / LOGS) as entries:
            return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except OSError:
        return set()


def paths(state: Path, automation: str, run: str) -> list[Path]:
    """The files of one log, oldest first; a plain one counts before its compressed copy."""
    found = []
    for suffix in _PARTS:
        plain = state / LOGS / automation / f"{run}{suffix}"
        found += [path for path in (plain, plain.with_name(f"{plain.name}.gz")) if path.is_file()][:1]
    return found


def chunks(path: Path, start: int = 0) -> Iterator[bytes]:
    """The content of one file, as it was written. A compressed one that is damaged gives what can be read."""
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
        file.seek(start)
        while True:
            try:
                part = file.read(_CHUNK)
            except (EOFError, gzip.BadGzipFile):
                return
            if not part:
                return
            yield part


def tidy(
    state: Path,
    automation: str,
    *,
    gone: Collection[str],
    busy: Collection[str],
    oldest: datetime,
    most: int,
    now: datetime,
) -> None:
    """Remove the logs of forgotten runs, what is too old and, oldest first, what is too much; compress old ones.

    Runs in `busy` are left alone: they may be writing.
    """
    folder = state / LOGS / automation
    room = most
    for part in sorted(_parts(folder), key=lambda part: part.modified, reverse=True):
        if part.run in busy:
            room -= part.size
            continue
        if part.run in gone or part.modified < oldest.timestamp() or part.size > room:
            part.path.unlink(missing_ok=True)
            continue
        room -= part.size
        old = now.timestamp() - part.modified > _COMPRESS_AFTER
        if old and part.size > _COMPRESS_FROM and not part.compressed:
            _compress(part)
    try:
        folder.rmdir()
    except OSError:  # not empty
        return


def _parts(folder: Path) -> list[Part]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name.removesuffix(".gz")
                suffix = next((each for each in _PARTS if name.endswith(each)), None)
                if suffix is not None and entry.is_file(follow_symlinks=False):
                    about = entry.stat()
                    run = name.removesuffix(suffix)
                    found.append(Part(Path(entry.path), run, about.st_size, about.st_mtime))
                elif entry.name.endswith(".gz.partial"):
                    Path(entry.path).unlink(missing_ok=True)  # of a compression that was killed
    except FileNotFoundError:
        return []
    return found


def _compress(part: Part) -> None:
    """The compressed copy is whole before the plain file goes; it keeps its date, because age counts from there."""
    target = part.path.with_name(f"{part.path.name}.gz")
    partial = target.with_name(f"{target.name}.partial")
    try:
        with part.path.open("rb") as source, partial.open("xb") as raw, gzip.GzipFile(fileobj=raw, mode="wb") as file:
            shutil.copyfileobj(source, file)
        partial.chmod(0o600)
        os.utime(partial, (part.modified, part.modified))
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)
    except OSError:  # a full disk: it stays as it is, and is tried again next time
        partial.unlink(missing_ok=True)
        return
    part.path.unlink(missing_ok=True)
