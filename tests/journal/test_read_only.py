"""Plan and status read the journal without leaving a trace, whatever state it is in and whoever else is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.journal.lock import WriterLock, holder
from reconciler.model.errors import JournalError
from reconciler.model.rollout import RolloutStatus
from tests.journal.conftest import Disk
from tests.journal.damage import files
from tests.journal.story import SECOND, begin, create, creating, known

WRITES: dict[str, Callable[[Journal], object]] = {
    "begin": lambda journal: begin(journal, creating(1, "a")),
    "undoing": lambda journal: journal.undoing(1, "why"),
    "finish": lambda journal: journal.finish(1, RolloutStatus.STABLE, ""),
    "steps_started": lambda journal: journal.steps_started(1, [1]),
    "steps_done": lambda journal: journal.steps_done(1, [1], [], []),
    "steps_failed": lambda journal: journal.steps_failed(1, [1], "why"),
    "steps_refused": lambda journal: journal.steps_refused(1, [1], "why"),
    "steps_undone": lambda journal: journal.steps_undone(1, [1], [], []),
    "remember": lambda journal: journal.remember([], []),
    "confirm_inventory": lambda journal: journal.confirm_inventory(),
    "quarantine_add": lambda journal: journal.quarantine_add(SECOND, "why", 1),
    "quarantine_release": lambda journal: journal.quarantine_release(None),
    "prune_history": lambda journal: journal.prune_history(0),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_is_refused(folder: Path, clock: FakeClock, write: Callable[[Journal], object]) -> None:
    with (
        Journal.open(folder, clock=clock, read_only=True) as journal,
        pytest.raises(JournalError, match="it was opened to be read"),
    ):
        write(journal)
    assert not folder.exists()


def test_a_missing_journal_reads_as_an_empty_one(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock, read_only=True) as journal:
        assert journal.set_aside is None
        assert known(journal) == (True, (), (), None, None, (), ())
        key = journal.mask_key()
    with Journal.open(folder, clock=clock, read_only=True) as journal:
        assert journal.mask_key() == key
    assert len(bytes.fromhex(key)) == 16
    assert not folder.exists()


def test_a_closed_journal_is_read_without_a_trace(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a", "b")
        told, key = known(journal), journal.mask_key()
    before = files(folder)
    with Journal.open(folder, clock=clock, read_only=True) as journal:
        assert (known(journal), journal.mask_key()) == (told, key)
        assert files(folder) == before
    assert files(folder) == before == {"journal.db": before["journal.db"]}


def test_a_killed_journal_is_read_whole_and_without_a_trace(folder: Path, tmp_path: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a")
        begin(journal, creating(1, "b"))
        told = known(journal)
        killed = shutil.copytree(folder, tmp_path / "killed")
    before = files(killed)
    assert before["journal.db-wal"]
    with Journal.open(killed, clock=clock, read_only=True) as journal:
        assert known(journal) == told
    assert files(killed) == before


def test_a_copy_without_the_index_of_its_log_is_read_whole(folder: Path, tmp_path: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a")
        told = known(journal)
        copy = shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*-shm"))
    content = (copy / "journal.db").read_bytes(), (copy / "journal.db-wal").read_bytes()
    with Journal.open(copy, clock=clock, read_only=True) as journal:
        assert known(journal) == told
    assert content == ((copy / "journal.db").read_bytes(), (copy / "journal.db-wal").read_bytes())


def test_an_open_reader_sees_what_a_writer_did_since(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock, read_only=True) as reader:
        assert len(reader.inventory()) == 0
        for round_, names in enumerate((["a"], ["b", "c"], ["d"]), 1):
            with Journal.open(folder, clock=clock) as writer:
                assert len(reader.rollouts(9)) == round_ - 1
                create(writer, *names)
                assert reader.inventory() == writer.inventory()
            assert len(reader.rollouts(9)) == round_


def test_a_reader_never_stands_in_the_way_of_a_writer(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as writer, Journal.open(folder, clock=clock, read_only=True) as reader:
        for number in range(5):
            create(writer, f"n{number}")
            assert len(reader.inventory()) == number + 1


def test_a_reader_follows_when_the_journal_is_set_aside(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a")
    with Journal.open(folder, clock=clock, read_only=True) as reader:
        assert len(reader.inventory()) == 1
        (folder / "journal.db").write_bytes(b"broken")
        assert len(reader.inventory()) == 0
        assert reader.set_aside is not None
        Journal.open(folder, clock=clock).close()
        assert len(reader.inventory()) == 0
        assert reader.set_aside is None


def test_a_folder_that_cannot_be_written_is_read_and_never_written(
    tmp_path: Path, clock: FakeClock, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "state"
    if os.geteuid() == 0:  # root may write anywhere but on a disk that is mounted to be read
        disk: Disk = request.getfixturevalue("disk")
        folder = disk.path / "state"
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a")
        told = known(journal)
    if os.geteuid() == 0:
        disk.remount("ro")
    else:
        folder.chmod(0o555)
        (folder / "journal.db").chmod(0o444)
    before = files(folder)
    with Journal.open(folder, clock=clock, read_only=True) as journal:
        assert known(journal) == told
    with pytest.raises(JournalError, match=r"cannot open the journal: (Permission denied|Read-only)") as raised:
        Journal.open(folder, clock=clock)
    assert "RECONCILER_STATE_DIR" in (raised.value.hint or "")
    assert holder(folder) is None
    with pytest.raises(JournalError, match=r"cannot take the lock: (Permission denied|Read-only)"):
        WriterLock.acquire(folder, purpose="apply", clock=clock)
    assert files(folder) == before
    if os.geteuid() != 0:
        folder.chmod(0o755)


def test_a_reader_stays_consistent_beside_a_busy_writer(folder: Path, clock: FakeClock) -> None:
    """Every rollout owns two entries more: an odd count would be a torn read."""
    program = (
        "import sys; from pathlib import Path\n"
        "from reconciler.host.fake import FakeClock\n"
        "from reconciler.journal.journal import Journal\n"
        "from tests.journal.story import create\n"
        "for n in range(40):\n"
        "    with Journal.open(Path(sys.argv[1]), clock=FakeClock()) as journal:\n"
        "        create(journal, f'a{n}', f'b{n}')\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program, str(folder)], cwd=root) as writer:
        seen = set()
        with Journal.open(folder, clock=clock, read_only=True) as reader:
            while writer.poll() is None:
                entries = reader.inventory()
                assert len(entries) % 2 == 0
                seen.add(len(entries))
            assert len(reader.inventory()) == 80
    assert writer.returncode == 0
    assert len(seen) > 1


def test_a_log_without_a_frame_is_no_log_and_is_read_at_once(folder: Path, clock: FakeClock) -> None:
    """What a kill between header and first frame leaves: SQLite alone waits ten seconds over it and gives up."""
    program = (
        "import os, sys; from pathlib import Path\n"
        "from reconciler.host.fake import FakeClock\n"
        "from reconciler.journal.journal import Journal\n"
        "journal = Journal.open(Path(sys.argv[1]), clock=FakeClock())\n"
        "journal.confirm_inventory()\n"
        "journal.close()\n"
        "journal = Journal.open(Path(sys.argv[1]), clock=FakeClock())\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], cwd=Path(__file__).parents[2], check=False)
    database = next(folder.glob("*.db"))
    log = Path(f"{database}-wal")
    log.write_bytes((log.read_bytes() if log.exists() else b"")[:32].ljust(32, b"\0"))
    with Journal.open(folder, clock=clock, read_only=True) as journal:
        assert journal.rebuilt_needed is False
        assert journal.inventory() == ()
