"""Ways to break a journal's file, and older formats of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from reconciler.journal.schema import MIGRATIONS, migrate


def bare(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def run(path: Path, *statements: str) -> None:
    """Statements on the closed file, which is left without a write-ahead log."""
    connection = bare(path)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def older(path: Path, number: int) -> None:
    """A journal as the version of reconciler wrote it that knew only the first `number` migrations."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = bare(path)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection, MIGRATIONS[:number])
    if number:
        connection.execute(
            "INSERT INTO rollouts (verb, path, revision, settings, status, started, ended)"
            """ VALUES ('apply', 'desired', '{"digest":"00"}', '{}', 'stable', '2026-01-01T00:00:00+00:00', NULL)"""
        )
        connection.execute("INSERT INTO plans VALUES (1, '[]')")
        connection.execute("INSERT INTO stable VALUES (1, 1)")
    connection.close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def _root_page(path: Path, table: str) -> int:
    connection = bare(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.close()
    return int(page)


def garbage(path: Path) -> None:
    path.write_bytes(b"this was never a database\n" * 400)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_in_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def zeroed_inventory(path: Path) -> None:
    _overwrite(path, (_root_page(path, "inventory") - 1) * 4096, bytes(4096))


def smashed_schema(path: Path) -> None:
    _overwrite(path, 100, b"\xff" * 200)


def no_inventory(path: Path) -> None:
    run(path, "DROP TABLE inventory")


def no_rollouts(path: Path) -> None:
    run(path, "PRAGMA foreign_keys = OFF", "DROP TABLE rollouts")


def entry_is_no_json(path: Path) -> None:
    run(path, "UPDATE inventory SET entry = substr(entry, 9) WHERE name = 'a'")


def quarantine_is_no_json(path: Path) -> None:
    run(path, "INSERT INTO quarantine VALUES ('d', '{', 'why', 1, 'now')")


def plan_of_unfinished_is_gone(path: Path) -> None:
    run(path, "UPDATE rollouts SET status = 'running' WHERE number = 1", "DELETE FROM plans")


def stable_points_nowhere(path: Path) -> None:
    run(path, "PRAGMA foreign_keys = OFF", "UPDATE stable SET rollout = 77")


def something_else(path: Path) -> None:
    path.unlink()
    run(path, "CREATE TABLE recipes (name TEXT)", "INSERT INTO recipes VALUES ('soup')")


def older_without_its_tables(path: Path) -> None:
    run(path, "DROP TABLE quarantine", "DROP TABLE inventory", "DROP TABLE rollouts", "PRAGMA user_version = 1")


WAYS = (
    garbage,
    zeros,
    truncated,
    cut_in_header,
    zeroed_inventory,
    smashed_schema,
    no_inventory,
    no_rollouts,
    entry_is_no_json,
    quarantine_is_no_json,
    plan_of_unfinished_is_gone,
    stable_points_nowhere,
    something_else,
    older_without_its_tables,
)
