"""The tables, as numbered migrations. The number of a format is how many migrations made it.

A migration that was ever released is never edited: a change of the tables is a new one at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from reconciler.journal.database import Broken, transaction
from reconciler.model.errors import JournalError
from reconciler.model.frozen import dataclass

_HISTORY = """
CREATE TABLE rollouts (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    verb     TEXT NOT NULL,
    path     TEXT NOT NULL,
    revision TEXT NOT NULL,
    settings TEXT NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('running', 'stable', 'undoing', 'rolled-back', 'rollback-failed')),
    started  TEXT NOT NULL,
    ended    TEXT,
    summary  TEXT NOT NULL DEFAULT '',
    failure  TEXT
) STRICT;
CREATE UNIQUE INDEX one_unfinished ON rollouts ((1)) WHERE status IN ('running', 'undoing');

-- What a rollout set out to do, restore data included: one JSON list, written once and never changed.
CREATE TABLE plans (
    rollout INTEGER PRIMARY KEY REFERENCES rollouts ON DELETE CASCADE,
    steps   TEXT NOT NULL
) STRICT;

-- How far each of those steps came: small rows, because each is written several times.
CREATE TABLE steps (
    rollout INTEGER NOT NULL REFERENCES rollouts ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    status  TEXT NOT NULL CHECK (status IN ('planned', 'started', 'done', 'failed', 'refused', 'undone')),
    message TEXT,
    at      TEXT,
    PRIMARY KEY (rollout, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE stable (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    rollout  INTEGER NOT NULL REFERENCES rollouts
) STRICT;
"""

_OWNERSHIP = """
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE inventory (
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    digest   TEXT PRIMARY KEY,
    revision TEXT NOT NULL,
    reason   TEXT NOT NULL,
    rollout  INTEGER NOT NULL REFERENCES rollouts,
    added    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (_HISTORY, _OWNERSHIP)
FORMAT = len(MIGRATIONS)
TABLES = frozenset({"rollouts", "plans", "steps", "stable", "meta", "inventory", "quarantine"})


@dataclass(frozen=True, slots=True)
class Format:
    """What a database file of ours holds. `damage` is a query that says what cannot be trusted in it."""

    called: str  # for people
    migrations: tuple[str, ...]
    tables: frozenset[str]
    damage: str
    begins: str  # what makes a new one, where the old one is broken


_DAMAGE = """
SELECT 'its inventory is damaged' FROM inventory WHERE NOT json_valid(entry)
UNION ALL SELECT 'its list of quarantined revisions is damaged' FROM quarantine WHERE NOT json_valid(revision)
UNION ALL SELECT 'the plan of an unfinished rollout is damaged or missing'
    FROM rollouts LEFT JOIN plans ON rollout = number
    WHERE status IN ('running', 'undoing') AND coalesce(json_valid(steps), 0) = 0
UNION ALL SELECT 'its stable pointer is damaged' FROM stable WHERE rollout NOT IN (SELECT number FROM rollouts)
LIMIT 1
"""

JOURNAL = Format("the journal", MIGRATIONS, TABLES, _DAMAGE, "the next apply")


def format_of(connection: sqlite3.Connection, form: Format = JOURNAL) -> int:
    """The format that the file is in. Raises JournalError where it is newer than this program knows."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    known = len(form.migrations)
    if number > known:
        raise JournalError(
            f"cannot open {form.called}: its format is {number}, and this version of reconciler knows up to {known}",
            hint=f"run the newer version of reconciler that wrote it; {form.called} was left as it is",
        )
    return int(number)


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] | None = None, form: Format = JOURNAL) -> None:
    """Bring the file to the newest format, all missing migrations in one transaction or none."""
    migrations = form.migrations if migrations is None else migrations
    if format_of(connection, form) >= len(migrations):
        return
    with transaction(connection):
        present = format_of(connection, form)  # another process may have been faster
        for script in migrations[present:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(present, len(migrations))}")


def require_ours(connection: sqlite3.Connection, form: Format = JOURNAL) -> None:
    """Raise where the file is of a newer format, or a database of something else. Writes nothing."""
    if format_of(connection, form) == 0 and _tables(connection):
        raise Broken("it holds tables of something else")


def inspect(connection: sqlite3.Connection, form: Format = JOURNAL) -> None:
    """Read what every command depends on; raise Broken where that cannot be trusted. Walks the inventory, no more."""
    if missing := form.tables - _tables(connection):
        raise Broken(f"it lacks the table {min(missing)}")
    damage = connection.execute(form.damage).fetchone()
    if damage is not None:
        raise Broken(damage[0])


def _tables(connection: sqlite3.Connection) -> frozenset[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return frozenset(name for (name,) in rows)


def _statements(script: str) -> list[str]:
    """The statements of a script. `executescript` would commit the transaction that holds them together."""
    return [statement for part in script.split(";") if (statement := part.strip())]
