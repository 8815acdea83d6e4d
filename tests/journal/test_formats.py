"""Migrations: from nothing, from every older format, never from a newer one, and never half."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.journal.schema import FORMAT, MIGRATIONS, TABLES, migrate
from reconciler.model.errors import JournalError
from tests.journal.damage import bare, files, older, run
from tests.journal.story import create, known


def shape(path: Path) -> list[tuple[str, str]]:
    connection = bare(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    connection.close()
    return rows


@pytest.mark.parametrize("number", range(FORMAT))
def test_an_older_format_is_brought_up_to_date_and_keeps_its_content(
    folder: Path, tmp_path: Path, clock: FakeClock, number: int
) -> None:
    older(folder / "journal.db", number)
    with Journal.open(folder, clock=clock) as journal:
        assert journal.set_aside is None
        assert journal.rebuilt_needed
        assert [one.number for one in journal.rollouts(9)] == ([1] if number else [])
        assert create(journal, "a") == number + 1
    with Journal.open(tmp_path / "fresh", clock=clock):
        pass
    assert shape(folder / "journal.db") == shape(tmp_path / "fresh" / "journal.db")


@pytest.mark.parametrize("number", range(1, FORMAT))
def test_an_older_format_is_read_without_being_migrated(folder: Path, clock: FakeClock, number: int) -> None:
    older(folder / "journal.db", number)
    before = files(folder)
    with Journal.open(folder, clock=clock, read_only=True) as journal:
        assert journal.stable() is not None
        assert journal.inventory() == ()
    assert files(folder) == before


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_format_is_refused_and_left_untouched(folder: Path, clock: FakeClock, read_only: bool) -> None:
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a")
    run(folder / "journal.db", "PRAGMA journal_mode = DELETE", f"PRAGMA user_version = {FORMAT + 1}")
    before = files(folder)
    with pytest.raises(JournalError) as raised:
        Journal.open(folder, clock=clock, read_only=read_only)
    assert f"its format is {FORMAT + 1}, and this version of reconciler knows up to {FORMAT}" in raised.value.message
    assert "newer version" in (raised.value.hint or "")
    assert raised.value.where == str(folder / "journal.db")
    assert files(folder) == before


def test_a_migration_that_fails_leaves_the_older_format_whole(folder: Path, clock: FakeClock) -> None:
    path = folder / "journal.db"
    older(path, 1)
    before = shape(path)
    connection = bare(path)
    with pytest.raises(Exception, match="no such table: nowhere"):
        migrate(connection, (*MIGRATIONS, "CREATE TABLE extra (a); INSERT INTO nowhere VALUES (1);"))
    connection.close()
    assert shape(path) == before
    with Journal.open(folder, clock=clock) as journal:
        assert journal.stable() is not None


def test_opening_again_changes_nothing(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a")
        told = known(journal)
    before = files(folder)
    with Journal.open(folder, clock=clock) as journal:
        assert known(journal) == told
    assert files(folder) == before


def test_every_table_is_strict_and_known_to_the_check(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock):
        pass
    connection = bare(folder / "journal.db")
    rows = connection.execute("SELECT name, strict FROM pragma_table_list WHERE name NOT LIKE 'sqlite_%'").fetchall()
    connection.close()
    assert {name for name, _ in rows} == TABLES
    assert all(strict for _, strict in rows)


def test_the_disk_is_waited_for_before_a_call_returns(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as journal:
        settings = journal._read(
            lambda connection: [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "fullfsync")
            ]
        )
    assert settings == ["wal", 2, 1, 1]


def test_opening_a_healthy_journal_checks_no_more_than_it_needs(
    folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a")
    import reconciler.journal.writer as writer

    plain_connect = writer.connect

    def traced(target: str):  # type: ignore[no-untyped-def]
        connection = plain_connect(target)
        connection.set_trace_callback(said.append)
        return connection

    monkeypatch.setattr(writer, "connect", traced)
    with Journal.open(folder, clock=clock):
        pass
    assert said
    assert not [one for one in said if "integrity_check" in one or "quick_check" in one]
