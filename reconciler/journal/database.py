"""SQLite as this package uses it: connections, transactions, and what its errors mean to people.

Knows no tables. Opening for writing is in `writer`, reading without a trace in `reader`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.model.errors import JournalError

BUSY_SECONDS = 5.0
OLDEST_SQLITE = (3, 38)  # STRICT tables and built-in JSON; an older one would call a healthy journal malformed
JOURNAL = "the journal"

_SPACE = "free some space there; what was completed before is kept"
_ACCESS = "check who owns the folder and its mode, or name another one in RECONCILER_STATE_DIR"
_DAMAGED = "move journal.db away; the next apply begins a new one and finds its resources by their marks"
_OTHER = "`reconcile runs --collect` sets it aside and begins a new one"
_CAUSES = {
    sqlite3.SQLITE_FULL: ("the disk is full", _SPACE),
    sqlite3.SQLITE_IOERR: ("the disk is full or failing", _SPACE),
    sqlite3.SQLITE_READONLY: ("this user may not write there", _ACCESS),
    sqlite3.SQLITE_CANTOPEN: ("the file cannot be opened", _ACCESS),
    sqlite3.SQLITE_PERM: ("this user may not write there", _ACCESS),
    sqlite3.SQLITE_BUSY: ("another program keeps it locked", "find that program with `fuser -v journal.db`"),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("the file is not a database", _DAMAGED),
}


class Broken(Exception):
    """The file is not a journal that can be trusted; the message says in what way."""


@contextmanager
def explained(path: Path, verb: str, what: str = JOURNAL) -> Iterator[None]:
    """Turn what SQLite and the operating system raise into a JournalError that says what to do."""
    try:
        yield
    except JournalError as error:
        error.where = error.where or str(path)
        raise
    except sqlite3.Error as error:
        cause, hint = _CAUSES.get(_code(error), (str(error), None))
        if what != JOURNAL and hint is not None:
            hint = _OTHER if hint == _DAMAGED else hint.replace("journal.db", path.name)
        raise JournalError(f"cannot {verb} {what}: {cause}", where=str(path), hint=hint) from error
    except OSError as error:
        cause = error.strerror or str(error)
        raise JournalError(f"cannot {verb} {what}: {cause}", where=str(path), hint=_ACCESS) from error
    except (ValueError, KeyError) as error:  # a value of another shape than the model's
        raise JournalError(f"cannot {verb} {what}: {error}", where=str(path), hint=_DAMAGED) from error


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 where the error is not from SQLite itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def cannot_open(error: sqlite3.Error) -> bool:
    return _code(error) == sqlite3.SQLITE_CANTOPEN


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error on opening speaks of the content of the file, not of the disk or of access to it."""
    if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return True
    message = str(error)
    return message.startswith(("no such table", "no such column")) or message.endswith("already exists")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing, and on disk when the block has ended."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def connect(target: str, *, uri: bool = False) -> sqlite3.Connection:
    """A bare connection. The journal serialises its calls itself, so any thread of the executor may make one."""
    return sqlite3.connect(target, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=uri)


def require_sqlite() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise JournalError(
            f"cannot open the journal: this Python has SQLite {sqlite3.sqlite_version}, and 3.38 or newer is needed",
            hint="use a newer build of Python",
        )
