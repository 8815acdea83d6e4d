"""Collect again and again, each time killed before another SQL statement or removal; run as a program.

It writes one line per surprise, and at the end the number of kill points.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from datetime import timedelta
from pathlib import Path

from reconciler.journal import writer
from reconciler.journal.collect import Keep, collect
from reconciler.journal.runs import Runs, seen
from tests.records.build import DEAD, NOON, alive, log, put, spool

COUNT = 8


def fill(state: Path) -> None:
    for number in range(COUNT - 2):
        at = NOON - timedelta(minutes=number + 1)
        spool(state, "a", at)
        log(state, "a", f"{at:%Y%m%dT%H%M%SZ}", b"x" * 5000, NOON - timedelta(days=2))
    spool(state, "b", NOON, took=None, pid=DEAD)
    put(state, "b", "20261121T100000Z", b"", NOON - timedelta(hours=2))
    put(state, "b", "bad", b"\n", NOON - timedelta(hours=2))


def die_before(point: int) -> None:
    """Count statements, and changes of files, and die before this one."""
    count = 0
    connect = writer.connect

    def counted(*_: object) -> None:
        nonlocal count
        count += 1
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(target: str) -> sqlite3.Connection:
        connection = connect(target)
        connection.set_trace_callback(counted)
        return connection

    def watched(event: str, _arguments: object) -> None:
        if event in ("os.remove", "os.rename", "os.rmdir", "os.mkdir"):
            counted()

    writer.connect = traced  # type: ignore[assignment]
    sys.addaudithook(watched)


def work(state: Path) -> None:
    seen(state, {"a": "1"}, NOON, all_of_them=True)
    collect(state, NOON, alive, {"a": Keep(bytes=10_000_000)})


def killed_at(state: Path, point: int) -> bool:
    pid = os.fork()
    if pid == 0:
        die_before(point)
        work(state)
        os._exit(0)
    return not os.WIFEXITED(os.waitpid(pid, 0)[1])


def known(state: Path) -> list[tuple[str, str]]:
    with Runs(state, NOON, alive) as runs:
        if runs.trouble is not None:
            return [("trouble", runs.trouble)]
        return sorted((run.name, run.verdict.value) for run in runs.newest())


def main(place: Path) -> None:
    fill(place / "whole")
    expected = known(place / "whole")
    assert len(expected) == COUNT
    point = 0
    while True:
        point += 1
        state = place / str(point)
        fill(state)
        died = killed_at(state, point)
        if (found := known(state)) != expected:
            sys.stdout.write(f"killed at {point}: {found}\n")
        work(state)
        if (found := known(state)) != expected:
            sys.stdout.write(f"after {point} and once more: {found}\n")
        plain = list((state / "runs/logs/a").glob("*.log"))
        whole = list((state / "runs/logs/a").glob("*.log.gz"))
        if len(whole) != COUNT - 2 or [path for path in (state / "runs/logs/a").iterdir() if path not in whole]:
            sys.stdout.write(f"after {point}: {len(plain)} plain and {len(whole)} compressed logs\n")
        if not died:
            break
    sys.stdout.write(f"{point - 1}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
