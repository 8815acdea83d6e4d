"""No room, at any byte: an error that says so, and the journal as it was before the call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.journal.lock import WriterLock
from reconciler.model.errors import JournalError
from tests.journal.conftest import Disk
from tests.journal.story import begin, create, creating, known

PAGE = 4096


def test_a_full_disk_is_named_and_nothing_written_before_is_lost(disk: Disk, clock: FakeClock) -> None:
    folder = disk.path / "state"
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a", "b")
        before = known(journal)
        ballast = disk.fill(leave=2 * PAGE)
        with pytest.raises(JournalError, match="cannot write the journal: the disk is full") as raised:
            begin(journal, *(creating(number, f"n{number}") for number in range(1, 200)))
        assert "free some space" in (raised.value.hint or "")
        assert raised.value.where == str(folder / "journal.db")
        assert known(journal) == before
    with Journal.open(folder, clock=clock, read_only=True) as journal:
        assert known(journal) == before
    ballast.unlink()
    with Journal.open(folder, clock=clock) as journal:
        assert journal.set_aside is None
        assert known(journal) == before
        create(journal, "c")


def test_an_outcome_that_does_not_fit_leaves_the_intent(disk: Disk, clock: FakeClock) -> None:
    with Journal.open(disk.path / "state", clock=clock) as journal:
        steps = [creating(number, f"n{number}", "x" * 2000) for number in range(1, 61)]
        numbers = [step.number for step in steps]
        rollout = begin(journal, *steps)
        journal.steps_started(rollout, numbers)
        before = known(journal)
        ballast = disk.fill(leave=PAGE)
        with pytest.raises(JournalError, match="the disk is full"):
            journal.steps_done(rollout, numbers, [step.owned for step in steps if step.owned], [])
        assert known(journal) == before
        ballast.unlink()
        journal.steps_done(rollout, numbers, [step.owned for step in steps if step.owned], [])
        assert len(journal.inventory()) == 60


@pytest.mark.parametrize("leave", range(0, 40 * PAGE, 2 * PAGE))
def test_opening_on_a_full_disk_works_or_says_so(disk: Disk, clock: FakeClock, leave: int) -> None:
    folder = disk.path / "state"
    folder.mkdir()
    ballast = disk.fill(leave=leave)
    said = "the disk is full"
    try:
        Journal.open(folder, clock=clock).close()
    except JournalError as error:
        said = error.message
    assert "the disk is full" in said or "No space left" in said
    ballast.unlink()
    with Journal.open(folder, clock=clock) as journal:
        assert journal.set_aside is None
        create(journal, "a")


def test_a_lock_that_cannot_name_its_holder_is_not_taken(disk: Disk, clock: FakeClock) -> None:
    (disk.path / "state").mkdir()
    (disk.path / "state" / "lock").touch()
    ballast = disk.fill(leave=0)
    with pytest.raises(JournalError, match="cannot take the lock: No space left") as refused:
        WriterLock.acquire(disk.path / "state", purpose="apply", clock=clock)
    assert refused.value.hint == "free some space there; nothing was changed"
    ballast.unlink()
    WriterLock.acquire(disk.path / "state", purpose="apply", clock=clock).release()


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.model.errors import JournalError
from tests.journal.story import NOON, begin, create, creating, entry
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
names = 0
try:
    with Journal.open(Path(sys.argv[1]), clock=FakeClock(NOON)) as journal:
        for names in range(1, 400):
            create(journal, f"n{names}")
except JournalError as error:
    print(names, error.message)
"""


@pytest.mark.parametrize("limit", [100 * 1024, 150 * 1024, 250 * 1024])
def test_a_file_that_may_not_grow_keeps_every_finished_rollout(folder: Path, clock: FakeClock, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(folder), str(limit)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    reached, _, message = done.stdout.strip().partition(" ")
    assert "cannot write the journal: the disk is full or failing" in message
    with Journal.open(folder, clock=clock) as journal:
        assert journal.set_aside is None
        finished = {f"n{number}" for number in range(1, int(reached))}
        assert finished <= {one.id.name for one in journal.inventory()}
        assert journal.stable() is not None
    assert int(reached) > 1
