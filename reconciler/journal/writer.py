"""A database of ours opened for writing: created, migrated, or set aside under a dated name where it is broken.

Nothing that was there is ever overwritten or deleted.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from reconciler.journal.database import Broken, connect, is_damage
from reconciler.journal.schema import JOURNAL, Format, inspect, migrate, require_ours
from reconciler.model.errors import JournalError

_COMPANIONS = ("-wal", "-shm")  # what SQLite keeps beside a database in WAL mode


def open_writable(path: Path, now: datetime, form: Format = JOURNAL) -> tuple[sqlite3.Connection, str | None]:
    """A connection to a file in the newest format, and what was set aside to get it. Call it under the lock."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _connect_writable(path, form), None
    except Broken as error:
        name = set_aside(path, now)
        note = f"{form.called} could not be used ({error}); it was set aside as {name} and a new one was begun"
        return _connect_writable(path, form), note


def _connect_writable(path: Path, form: Format) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    fresh = path.stat().st_size == 0
    if fresh and _length(f"{path}-wal"):
        raise Broken("it is empty although its log is not")  # SQLite would delete that log
    connection = connect(str(path))
    try:
        _prepare(connection, path, form)
    except sqlite3.Error as error:
        connection.close()
        if is_damage(error):
            raise Broken(str(error)) from error
        raise
    except BaseException:
        connection.close()
        raise
    if fresh:
        _sync_folder(path.parent)
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, form: Format) -> None:
    require_ours(connection, form)  # before anything is written: what is not ours to change stays as it is
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise JournalError(
            f"cannot open {form.called}: this file system cannot share memory between programs",
            where=str(path),
            hint="name a folder on a local disk in RECONCILER_STATE_DIR",
        )
    for setting in ("synchronous = FULL", "fullfsync = ON", "foreign_keys = ON", "cell_size_check = ON"):
        connection.execute(f"PRAGMA {setting}")
    migrate(connection, form=form)
    inspect(connection, form)


def _length(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0


def set_aside(path: Path, now: datetime) -> str:
    """Rename the files under a dated name. The database goes last: until then the next start finds it again."""
    stamp = f"{path.stem}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    number, target = 1, path.with_name(f"{stamp}.broken.db")
    while any(Path(f"{target}{suffix}").exists() for suffix in ("", *_COMPANIONS)):
        number += 1
        target = path.with_name(f"{stamp}-{number}.broken.db")
    for suffix in (*_COMPANIONS, ""):
        if (source := Path(f"{path}{suffix}")).exists():
            source.rename(f"{target}{suffix}")
    _sync_folder(path.parent)
    return target.name


def _sync_folder(directory: Path) -> None:
    """Make a created or renamed file survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
