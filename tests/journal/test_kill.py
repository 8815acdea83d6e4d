"""SIGKILL before any statement, a log cut or spoilt, two writers: the journal is always at a whole call."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from tests.journal.killed import states
from tests.journal.story import known, tell

ROOT = Path(__file__).parents[2]
LOG_HEADER, FRAME = 32, 24 + 4096


def test_sigkill_before_every_statement_leaves_a_whole_journal(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    program = [sys.executable, "-m", "tests.journal.killed", str(tmp_path)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    *surprises, points = done.stdout.splitlines()
    assert surprises == []
    assert int(points) > 80
    record_property("summary", f"journal: killed at {points} points, whole after each")


@pytest.fixture
def told(folder: Path, tmp_path: Path, clock: FakeClock) -> tuple[bytes, bytes, list[tuple[object, ...]]]:
    """The files of a journal after the whole story, nothing of the log merged yet, and all states on the way."""
    with Journal.open(folder, clock=clock) as journal:
        for _ in tell(journal):
            pass
        copy = shutil.copytree(folder, tmp_path / "copy")
    return (copy / "journal.db").read_bytes(), (copy / "journal.db-wal").read_bytes(), states(tmp_path / "whole")


def recovered(folder: Path, clock: FakeClock, database: bytes, log: bytes) -> tuple[object, ...]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    (folder / "journal.db").write_bytes(database)
    (folder / "journal.db-wal").write_bytes(log)
    with Journal.open(folder, clock=clock) as journal:
        assert journal.set_aside is None
        return known(journal)


def test_a_log_torn_at_any_frame_gives_the_journal_after_some_whole_call(
    folder: Path, clock: FakeClock, told: tuple[bytes, bytes, list[tuple[object, ...]]]
) -> None:
    database, log, expected = told
    ends = range(LOG_HEADER, len(log) + 1, FRAME)
    cuts = {cut for end in ends for cut in (end - 1, end, min(end + 1000, len(log)))}
    order = [expected.index(recovered(folder, clock, database, log[:cut])) for cut in sorted(cuts)]
    assert order == sorted(order)
    assert set(order) == set(range(len(expected)))


def test_a_spoilt_log_never_gives_anything_that_was_not_told(
    folder: Path, clock: FakeClock, told: tuple[bytes, bytes, list[tuple[object, ...]]]
) -> None:
    database, log, expected = told
    chance = random.Random(7)
    for _ in range(60):
        spoilt = bytearray(log)
        spoilt[chance.randrange(len(log))] ^= 1 << chance.randrange(8)
        assert recovered(folder, clock, database, bytes(spoilt)) in expected


_RACE = """
import sys
from pathlib import Path
from reconciler.host.local import SystemClock
from reconciler.journal.journal import Journal
from reconciler.journal.lock import WriterLock
from reconciler.model.errors import LockBusy
from tests.journal.story import create
folder, name, done = Path(sys.argv[1]), sys.argv[2], 0
while done < 10:
    try:
        with WriterLock.acquire(folder, purpose="apply", clock=SystemClock()):
            with Journal.open(folder, clock=SystemClock()) as journal:
                assert journal.set_aside is None and journal.interrupted() is None
                create(journal, f"{name}{done}")
                done += 1
    except LockBusy:
        pass
"""


def test_two_writers_take_turns_and_lose_nothing(folder: Path, clock: FakeClock) -> None:
    racers = [subprocess.Popen([sys.executable, "-c", _RACE, str(folder), name], cwd=ROOT) for name in "ab"]
    assert [racer.wait(timeout=60) for racer in racers] == [0, 0]
    with Journal.open(folder, clock=clock) as journal:
        assert len(journal.inventory()) == 20
        assert [one.number for one in journal.rollouts(99)] == list(range(20, 0, -1))
