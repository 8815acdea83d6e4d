"""Rollouts: begun, ended and looked up. Which status may follow which is `model.rollout`'s decision.

Every function works inside the transaction of its caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from reconciler.journal.values import (
    instant,
    pack,
    pack_each,
    parse_instant,
    plain,
    unpack,
    unpack_json,
)
from reconciler.model.data import Json
from reconciler.model.errors import JournalError
from reconciler.model.plan import Step
from reconciler.model.resource import Revision
from reconciler.model.rollout import ROLLOUT_NEXT, RolloutRecord, RolloutStatus, StepStatus

BUG = "this is an error in reconciler, not in what you did; please report it"
UNFINISHED = (RolloutStatus.RUNNING, RolloutStatus.UNDOING)
_COLUMNS = "number, verb, revision, path, status, started, ended, summary, failure"


def begin(
    connection: sqlite3.Connection,
    record: tuple[str, str, Revision, Json],
    steps: Sequence[Step],
    now: datetime,
) -> int:
    """Write down all that a rollout sets out to do. `record` is verb, path, revision and settings."""
    unfinished = interrupted(connection)
    if unfinished is not None:
        raise JournalError(f"cannot begin a rollout: rollout {unfinished.number} is {unfinished.status}", hint=BUG)
    verb, path, revision, settings = record
    cursor = connection.execute(
        "INSERT INTO rollouts (verb, path, revision, settings, status, started) VALUES (?, ?, ?, ?, ?, ?)",
        (verb, plain(path), pack(revision), pack(settings), RolloutStatus.RUNNING.value, instant(now)),
    )
    number = int(cursor.lastrowid or 0)
    connection.execute("INSERT INTO plans (rollout, steps) VALUES (?, ?)", (number, pack_each(steps)))
    connection.executemany(
        "INSERT INTO steps (rollout, number, status) VALUES (?, ?, ?)",
        [(number, step.number, StepStatus.PLANNED.value) for step in steps],
    )
    return number


def undoing(connection: sqlite3.Connection, number: int, failure: str) -> None:
    """From here on the rollout is taken back. What made it fail first is what is remembered."""
    _check(connection, number, RolloutStatus.UNDOING)
    connection.execute(
        "UPDATE rollouts SET status = ?, failure = coalesce(failure, ?), ended = NULL WHERE number = ?",
        (RolloutStatus.UNDOING.value, plain(failure), number),
    )


def finish(connection: sqlite3.Connection, number: int, status: RolloutStatus, summary: str, now: datetime) -> None:
    """Close a rollout; a stable one becomes what the host goes back to."""
    if status in UNFINISHED:
        raise JournalError(f"cannot finish rollout {number}: {status} is not an end", hint=BUG)
    _check(connection, number, status)
    if status is RolloutStatus.STABLE:
        _check_done(connection, number)
        connection.execute("INSERT OR REPLACE INTO stable (only_one, rollout) VALUES (1, ?)", (number,))
    connection.execute(
        "UPDATE rollouts SET status = ?, summary = ?, ended = ? WHERE number = ?",
        (status.value, plain(summary), instant(now), number),
    )


def _check(connection: sqlite3.Connection, number: int, target: RolloutStatus) -> None:
    present = status_of(connection, number)
    if target not in ROLLOUT_NEXT[present]:
        raise JournalError(f"cannot make rollout {number} {target}: it is {present}", hint=BUG)


def _check_done(connection: sqlite3.Connection, number: int) -> None:
    """Stable means that every step is done: the pointer must not move on less."""
    row = connection.execute(
        "SELECT number, status FROM steps WHERE rollout = ? AND status <> ? LIMIT 1", (number, StepStatus.DONE.value)
    ).fetchone()
    if row is not None:
        raise JournalError(f"cannot make rollout {number} stable: its step {row[0]} is {row[1]}", hint=BUG)


def status_of(connection: sqlite3.Connection, number: int) -> RolloutStatus:
    row = connection.execute("SELECT status FROM rollouts WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise _unknown(number)
    return RolloutStatus(row[0])


def interrupted(connection: sqlite3.Connection) -> RolloutRecord | None:
    """The rollout that was neither finished nor undone. There is at most one."""
    # The literal list lets SQLite use the index that holds just this row.
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM rollouts WHERE status IN ('running', 'undoing') ORDER BY number DESC LIMIT 1"  # noqa: S608
    ).fetchone()
    return None if row is None else _record(row)


def newest(connection: sqlite3.Connection, limit: int) -> tuple[RolloutRecord, ...]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM rollouts ORDER BY number DESC LIMIT ?", (max(limit, 0),))  # noqa: S608
    return tuple(_record(row) for row in rows)


def one(connection: sqlite3.Connection, number: int) -> RolloutRecord:
    row = connection.execute(f"SELECT {_COLUMNS} FROM rollouts WHERE number = ?", (number,)).fetchone()  # noqa: S608
    if row is None:
        raise _unknown(number)
    return _record(row)


def settings(connection: sqlite3.Connection, number: int) -> Json:
    row = connection.execute("SELECT settings FROM rollouts WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise _unknown(number)
    return unpack_json(row[0])


def stable(connection: sqlite3.Connection) -> tuple[int, Revision] | None:
    """The last rollout that passed its verification."""
    row = connection.execute(
        "SELECT number, revision FROM stable JOIN rollouts ON rollouts.number = stable.rollout"
    ).fetchone()
    return None if row is None else (row[0], unpack(Revision, row[1]))


def prune(connection: sqlite3.Connection, keep: int) -> int:
    """Forget all but the newest `keep` rollouts, and never what a rollback or the quarantine needs. How many."""
    cursor = connection.execute(
        """
        DELETE FROM rollouts
        WHERE number NOT IN (SELECT number FROM rollouts ORDER BY number DESC LIMIT ?)
          AND number NOT IN (SELECT rollout FROM stable UNION SELECT rollout FROM quarantine)
          AND status NOT IN ('running', 'undoing')
          AND NOT (status = 'rollback-failed' AND number > coalesce((SELECT rollout FROM stable), 0))
        """,
        (max(keep, 0),),
    )
    return cursor.rowcount


def _unknown(number: int) -> JournalError:
    return JournalError(
        f"cannot find rollout {number}: the journal has none with that number", hint="see `reconcile history`"
    )


def _record(row: tuple[int, str, str, str, str, str, str | None, str, str | None]) -> RolloutRecord:
    number, verb, revision, path, status, started, ended, summary, failure = row
    return RolloutRecord(
        number=number,
        verb=verb,
        revision=unpack(Revision, revision),
        path=path,
        status=RolloutStatus(status),
        started=parse_instant(started),
        ended=None if ended is None else parse_instant(ended),
        summary=summary,
        failure=failure,
    )
