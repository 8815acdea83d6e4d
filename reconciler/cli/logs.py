"""`reconcile logs`: the output of a run, whole; or of the running one and of those to come, as it is written."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Event
from typing import BinaryIO

import click

from reconciler.cli.session import DEFAULT_PATH, Signals, application, open_records
from reconciler.model.errors import ReconcileError
from reconciler.model.run import Run, Verdict
from reconciler.records import Records

_TICK = 0.2  # seconds between two looks while following


@click.command
@click.argument("name")
@click.option(
    "-f", "--follow", is_flag=True, help="Go on with what is written, and with the next runs; ends on Ctrl-C."
)
@click.option("-n", "count", type=click.IntRange(min=0), help="Only the last LINES.", metavar="LINES")
@click.option("--run", "id_", metavar="ID", help="This run, not the last one; `reconcile runs NAME` lists ids.")
def command(name: str, follow: bool, count: int | None, id_: str | None) -> int:
    """Print the output of the last run of the automation NAME. Changes nothing.

    Long outputs are kept in part, as `output.maxSize` says; old ones are compressed, and read all the same.
    At a terminal, control characters are spelled out.

    \b
    Exit codes: 0 done, also after Ctrl-C; 1 error, for example an unknown NAME.
    """
    app = application(Path(DEFAULT_PATH))
    with open_records(app) as (found, _):
        run = _wanted(found, name, id_)
    if run is None and not follow:
        raise ReconcileError(f"cannot show the output of {name}: it has not run yet")
    write = _writer()
    if follow:
        with Signals() as signals:
            _follow(app.folders.state, name, run, count, write, signals.event)
    elif run is not None:
        for part in _last(_output(app.folders.state, run), count):
            write(part)
    return 0


def _wanted(found: Records, name: str, id_: str | None) -> Run | None:
    found.known(name)
    if id_ is not None:
        return found.run(f"{name}/{id_.removeprefix(f'{name}/')}")
    return found.runs.last(name)


def _output(state: Path, run: Run) -> Iterator[bytes]:
    """The log of a run, or the end of it that its record holds."""
    from reconciler.journal import run_logs

    paths = run_logs.paths(state, run.automation, run.id)
    for path in paths:
        yield from run_logs.chunks(path)
    if not paths and run.tail:
        sys.stderr.write(f"The log of {run.name} is gone; this is the end of it, as its record holds it.\n")
        yield run.tail.encode("utf-8", "surrogateescape")
    elif not paths:
        sys.stderr.write(f"{run.name} {run.verdict.value}: it has written nothing{_because(run)}.\n")


def _because(run: Run) -> str:
    from reconciler.cli.render.characters import visible

    return f" ({visible(run.reason)})" if run.reason else ""


def _last(parts: Iterable[bytes], count: int | None) -> Iterable[bytes]:
    """The last lines, however long the whole is."""
    if count is None:
        return parts
    lines: deque[bytes] = deque(maxlen=count)
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        lines.extend(line + b"\n" for line in whole)
    if rest:
        lines.append(rest)
    return lines


class _Following:
    """One log that is being written: also across the moment where its first half becomes `.log.1`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def more(self) -> Iterator[bytes]:
        """What has come since the last look."""
        while True:
            if self._file is not None:
                while part := self._file.read(65536):
                    yield part
                if not self._was_renamed():
                    return
                yield self._file.read()  # written between our last read and the renaming
                self.close()
            try:
                self._file = self._path.open("rb")
            except FileNotFoundError:
                return

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _was_renamed(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return self._file is not None and there.st_ino != os.fstat(self._file.fileno()).st_ino


def _follow(
    state: Path, name: str, run: Run | None, count: int | None, write: Callable[[bytes], None], stop: Event
) -> None:
    """Shows the last run, then each next one from its start, until told to stop."""
    from reconciler.journal import run_logs, spool

    if run is not None and run.verdict is not Verdict.RUNNING:
        for part in _last(_output(state, run), count):
            write(part)
    shown = {path.stem for path in spool.files(state / spool.SPOOL / name)}
    if run is not None and run.verdict is Verdict.RUNNING:
        shown.discard(run.id)
    while not stop.wait(_TICK):
        for path in spool.files(state / spool.SPOOL / name):
            if path.stem in shown:
                continue
            shown.add(path.stem)
            sys.stderr.write(f"--- {name}/{path.stem}\n")
            log = _Following(state / run_logs.LOGS / name / f"{path.stem}.log")
            while not _ended(path) and not stop.is_set():
                for part in log.more():
                    write(part)
                stop.wait(_TICK)
            for part in log.more():
                write(part)
            log.close()


def _ended(path: Path) -> bool:
    """Whether the run is over, or its file is gone because it has been collected."""
    from reconciler.model.run import read_run
    from reconciler.records import gone

    try:
        run = read_run(path.read_bytes())
    except OSError:
        return True
    return run is None or run.verdict is not Verdict.RUNNING or gone(run.runner) is not None


def _writer() -> Callable[[bytes], None]:
    """Bytes as they are into a file or a pipe; at a terminal nothing that could move its cursor."""
    if not sys.stdout.isatty():
        return _raw
    from codecs import getincrementaldecoder

    from reconciler.cli.render.characters import visible

    decoder = getincrementaldecoder("utf-8")("surrogateescape")

    def write(part: bytes) -> None:
        lines = decoder.decode(part).replace("\r\n", "\n").split("\n")
        sys.stdout.write("\n".join("\t".join(map(visible, line.split("\t"))) for line in lines))
        sys.stdout.flush()

    return write


def _raw(part: bytes) -> None:
    sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
