"""A journal that cannot be trusted is set aside under a dated name, and nothing of it is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.model.errors import JournalError
from tests.journal import damage
from tests.journal.damage import files
from tests.journal.story import begin, create, creating, known

NAME = "journal-20260115T120000Z.broken.db"


def written(folder: Path, clock: FakeClock) -> Path:
    with Journal.open(folder, clock=clock) as journal:
        journal.confirm_inventory()
        create(journal, *(f"n{number}" for number in range(60)), "a")
    return folder / "journal.db"


@pytest.mark.parametrize("way", damage.WAYS, ids=lambda way: way.__name__)
def test_a_broken_journal_is_set_aside_and_a_fresh_one_begun(
    folder: Path, clock: FakeClock, way: Callable[[Path], None]
) -> None:
    path = written(folder, clock)
    way(path)
    broken = path.read_bytes()
    with Journal.open(folder, clock=clock) as journal:
        assert NAME in (journal.set_aside or "")
        assert journal.rebuilt_needed
        assert (journal.inventory(), journal.rollouts(9), journal.stable()) == ((), (), None)
        assert create(journal, "b") == 1
    assert (folder / NAME).read_bytes() == broken
    with Journal.open(folder, clock=clock) as journal:
        assert journal.set_aside is None
        assert len(journal.inventory()) == 1


@pytest.mark.parametrize("way", damage.WAYS, ids=lambda way: way.__name__)
def test_reading_a_broken_journal_says_so_and_leaves_it(
    folder: Path, clock: FakeClock, way: Callable[[Path], None]
) -> None:
    way(written(folder, clock))
    before = files(folder)
    with Journal.open(folder, clock=clock, read_only=True) as journal:
        assert "the next apply sets it aside" in (journal.set_aside or "")
        assert journal.rebuilt_needed
        assert journal.inventory() == ()
    assert files(folder) == before


def test_two_in_one_second_do_not_overwrite_each_other(folder: Path, clock: FakeClock) -> None:
    path = written(folder, clock)
    for number in (1, 2, 3):
        path.write_bytes(b"broken %d" % number)
        Journal.open(folder, clock=clock).close()
    assert {name: content for name, content in files(folder).items() if "broken" in name} == {
        NAME: b"broken 1",
        NAME.replace("Z", "Z-2"): b"broken 2",
        NAME.replace("Z", "Z-3"): b"broken 3",
    }


@pytest.mark.parametrize("left", ["empty", "missing"])
def test_a_log_that_lost_its_database_is_kept(folder: Path, tmp_path: Path, clock: FakeClock, left: str) -> None:
    with Journal.open(folder, clock=clock) as journal:
        begin(journal, creating(1, "a"))
        killed = shutil.copytree(folder, tmp_path / "killed")  # as SIGKILL would leave it
    path, log = killed / "journal.db", (killed / "journal.db-wal").read_bytes()
    if left == "missing":
        path.unlink()
    else:
        path.write_bytes(b"")
    assert log
    with Journal.open(killed, clock=clock) as journal:
        assert NAME in (journal.set_aside or "")
    assert (killed / f"{NAME}-wal").read_bytes() == log


def test_a_database_that_its_log_can_restore_is_restored(folder: Path, tmp_path: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as journal:
        begin(journal, creating(1, "a"))
        told = known(journal)
        killed = shutil.copytree(folder, tmp_path / "killed")
    (killed / "journal.db").write_bytes(bytes(4096))
    with Journal.open(killed, clock=clock) as journal:
        assert journal.set_aside is None
        assert known(journal) == told


def test_an_empty_file_is_simply_begun(folder: Path, clock: FakeClock) -> None:
    folder.mkdir()
    (folder / "journal.db").touch(0o600)
    with Journal.open(folder, clock=clock) as journal:
        assert journal.set_aside is None
        assert journal.rebuilt_needed
        create(journal, "a")


def test_damage_found_later_is_an_error_that_says_what_to_do(folder: Path, clock: FakeClock) -> None:
    path = written(folder, clock)
    damage.run(path, 'UPDATE plans SET steps = \'[{"step": "Nonsense"}]\'')
    with Journal.open(folder, clock=clock) as journal:
        assert journal.set_aside is None
        with pytest.raises(JournalError, match="cannot read the journal") as raised:
            journal.steps(1)
    assert "move journal.db away" in (raised.value.hint or "")


def test_an_entry_of_an_unknown_shape_is_an_error_and_never_dropped(folder: Path, clock: FakeClock) -> None:
    damage.run(written(folder, clock), "UPDATE inventory SET entry = '{\"colour\": 1}' WHERE name = 'a'")
    with Journal.open(folder, clock=clock) as journal, pytest.raises(JournalError, match="colour"):
        journal.inventory()


def test_a_folder_in_place_of_the_file_is_an_error(folder: Path, clock: FakeClock) -> None:
    (folder / "journal.db").mkdir(parents=True)
    with pytest.raises(JournalError, match="cannot open the journal: Is a directory"):
        Journal.open(folder, clock=clock)


def test_a_state_folder_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot open the journal: Not a directory") as raised:
        Journal.open(tmp_path / "file" / "state", clock=clock)
    assert "RECONCILER_STATE_DIR" in (raised.value.hint or "")


def test_a_sqlite_that_would_misread_a_healthy_journal_is_refused(
    folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(folder, clock)
    before = files(folder)
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 37, 2))
    with pytest.raises(JournalError, match=r"3\.38 or newer is needed"):
        Journal.open(folder, clock=clock)
    assert files(folder) == before
