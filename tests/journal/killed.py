"""Tell the story again and again, each time killed by SIGKILL before another SQL statement; run as a program.

It has no threads, so it may fork. It writes one line per surprise, and at the end the number of kill points.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from pathlib import Path

from reconciler.host.fake import FakeClock
from reconciler.journal import writer
from reconciler.journal.journal import Journal
from reconciler.model.rollout import RolloutStatus
from tests.journal.story import NOON, create, known, tell

CLOCK = FakeClock(NOON)


def states(folder: Path) -> list[tuple[object, ...]]:
    """What the journal knows after each call of the story, from before the first one on."""
    with Journal.open(folder, clock=CLOCK) as journal:
        return [known(journal), *(known(journal) for _ in tell(journal))]


def die_before(statement: int) -> None:
    """Make every connection count its statements, and the process die before this one."""
    seen = 0
    plain = writer.connect

    def count(_sql: str) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(target: str) -> sqlite3.Connection:
        connection = plain(target)
        connection.set_trace_callback(count)
        return connection

    writer.connect = traced  # type: ignore[assignment]


def child(folder: Path, statement: int, told: int) -> None:
    """The story with a death in it. Reports each finished call through the descriptor `told`."""
    die_before(statement)
    with Journal.open(folder, clock=CLOCK) as journal:
        for _ in tell(journal):
            os.write(told, b".")
    os._exit(0)


def killed_at(folder: Path, statement: int) -> int | None:
    """How many calls had finished at the kill, or None where the story ended before it."""
    reader, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(folder, statement, told)
    os.close(told)
    _, status = os.waitpid(pid, 0)
    finished = len(os.read(reader, 4096))
    os.close(reader)
    return None if os.WIFEXITED(status) else finished


def surprise(folder: Path, finished: int, expected: list[tuple[object, ...]]) -> str | None:
    """What is wrong with the journal after a kill, or None. It must also be fit for the next rollout."""
    with Journal.open(folder, clock=CLOCK) as journal:
        if journal.set_aside is not None:
            return journal.set_aside
        # The call that was cut short either happened or did not; a read between two calls changes nothing.
        if known(journal) not in expected[finished : finished + 2]:
            return f"after {finished} calls it knows {known(journal)}"
        record = journal.interrupted()
        if record is not None:
            if record.status is RolloutStatus.RUNNING:
                journal.undoing(record.number, "killed")
            journal.finish(record.number, RolloutStatus.ROLLED_BACK, "cleaned up")
        create(journal, "z")
    return None


def main(place: Path) -> None:
    expected = states(place / "whole")
    statement = 0
    while True:
        statement += 1
        folder = place / str(statement)
        finished = killed_at(folder, statement)
        if finished is None:
            break
        wrong = surprise(folder, finished, expected)
        if wrong is not None:
            sys.stdout.write(f"killed before statement {statement}: {wrong}\n")
    sys.stdout.write(f"{statement - 1}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
