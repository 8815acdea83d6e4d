"""A database of ours read without a trace: nothing is created, migrated, recovered or set aside, not even beside it.

No locks either, so a plan never stands in the way of an apply.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from reconciler.journal.database import Broken, cannot_open, connect, is_damage
from reconciler.journal.schema import JOURNAL, Format, format_of, inspect, migrate, require_ours
from reconciler.model.errors import JournalError

T = TypeVar("T")

_ATTEMPTS = 50  # a read that a writer disturbed is made again
_LOG_HEADER = 32  # bytes of a write-ahead log without any frame; SQLite waits 10 s over one when it may not write


class _Stamp(NamedTuple):
    """Changes whenever the file does. `log` is the length of the write-ahead log."""

    inode: int
    modified: int
    size: int
    log: int


class Reader:
    """Answers queries, each on one consistent state of the file.

    With a write-ahead log beside it, SQLite gives a stable view. Without one nobody writes at the moment, and the
    file is read as it stands; should a writer come meanwhile, the stamp tells, and the query is made again.
    """

    def __init__(self, path: Path, form: Format = JOURNAL) -> None:
        self._path = path
        self._form = form
        self._stamp: _Stamp | None = None
        self._connection = connect(":memory:")
        self._opened = False
        self.missing = True
        self.trouble: str | None = None  # why an existing journal is taken for an empty one
        self.read(lambda _connection: None)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        for _ in range(_ATTEMPTS):
            stamp = _stamp(self._path)
            try:
                if not self._is_current(stamp):
                    self._reopen(stamp)
                answer = query(self._connection)
            except (sqlite3.Error, ValueError):
                if _stamp(self._path) == stamp:
                    raise
                continue
            if (stamp is not None and stamp.log) or _stamp(self._path) == stamp:
                return answer
        raise JournalError(
            f"cannot read {self._form.called}: it keeps changing",
            where=str(self._path),
            hint="wait until the writing has ended",
        )

    def close(self) -> None:
        self._connection.close()
        self._opened = False

    def _is_current(self, stamp: _Stamp | None) -> bool:
        if not self._opened or stamp is None or self._stamp is None:
            return self._opened and stamp is self._stamp
        if stamp.log and self._stamp.log:
            return stamp.inode == self._stamp.inode and self.trouble is None
        return stamp == self._stamp

    def _reopen(self, stamp: _Stamp | None) -> None:
        self.close()
        self.missing, self.trouble = stamp is None, None
        self._connection = _empty(self._form) if stamp is None else self._open(stamp)
        self._stamp, self._opened = stamp, True

    def _open(self, stamp: _Stamp) -> sqlite3.Connection:
        connection = _connect(self._path, stamp)
        try:
            require_ours(connection, self._form)
            if format_of(connection, self._form) < len(self._form.migrations):
                connection = _migrated_copy(connection, self._form)
            inspect(connection, self._form)
        except (Broken, sqlite3.Error) as error:
            connection.close()
            if isinstance(error, sqlite3.Error) and not is_damage(error):
                raise
            form = self._form
            self.trouble = f"{form.called} cannot be used ({error}); {form.begins} sets it aside and begins a new one"
            return _empty(self._form)
        except BaseException:
            connection.close()
            raise
        return connection


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    try:
        log = Path(f"{path}-wal").stat().st_size
    except FileNotFoundError:
        log = 0
    if log <= _LOG_HEADER:  # a writer died before its first frame: there is nothing in it to read
        log = 0
    return _Stamp(found.st_ino, found.st_mtime_ns, found.st_size, log)


def _connect(path: Path, stamp: _Stamp) -> sqlite3.Connection:
    name = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    if not stamp.log:
        return connect(f"file:{name}?mode=ro&immutable=1", uri=True)
    connection = connect(f"file:{name}?mode=ro&readonly_shm=1", uri=True)
    try:
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if not cannot_open(error) or _stamp(path) != stamp:
            raise
        # The index of the log is gone (a copied folder): SQLite has to make one to read the log at all.
        return connect(f"file:{name}?mode=ro", uri=True)
    return connection


def _migrated_copy(connection: sqlite3.Connection, form: Format) -> sqlite3.Connection:
    """An older file as the newest format shows it, in memory."""
    copy = connect(":memory:")
    try:
        connection.backup(copy)
        migrate(copy, form=form)
    except BaseException:
        copy.close()
        raise
    connection.close()
    return copy


def _empty(form: Format) -> sqlite3.Connection:
    connection = connect(":memory:")
    migrate(connection, form=form)
    return connection
