"""The tables of runs.db, and a run as a row of them. Instants are whole microseconds since 1970, so that they sort.

A migration that was ever released is never edited: a change of the tables is a new one at the end.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.journal.schema import Format
from reconciler.journal.values import plain
from reconciler.model.run import Run, Verdict

FILE = "runs/runs.db"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_FIRST = """
CREATE TABLE runs (
    automation TEXT NOT NULL,
    id         TEXT NOT NULL,
    scheduled  INTEGER,
    started    INTEGER NOT NULL,
    ended      INTEGER,
    verdict    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    exit       INTEGER,
    signal     INTEGER,
    attempts   INTEGER NOT NULL,
    trigger    TEXT NOT NULL,
    host       TEXT NOT NULL,
    revision   TEXT NOT NULL,
    job        TEXT NOT NULL,
    duration   REAL,
    cpu        REAL NOT NULL,
    peak       INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    log        TEXT NOT NULL,
    command    TEXT NOT NULL,
    tail       TEXT NOT NULL, -- the long one comes last: SQLite reads it only where it is asked for
    PRIMARY KEY (automation, id)
) STRICT;
CREATE INDEX newest ON runs (started);
CREATE INDEX newest_of_each ON runs (automation, started);

-- From when on an automation has had its schedule: slots before that are nobody's.
CREATE TABLE timetables (
    automation TEXT PRIMARY KEY,
    schedule   TEXT NOT NULL,
    since      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

# One row for each schedule that it has had: a slot is judged by the one of its time.
_EVERY_SCHEDULE = """
CREATE TABLE schedules (
    automation TEXT NOT NULL,
    since      INTEGER NOT NULL,
    schedule   TEXT NOT NULL, -- after the key: SQLite 3.40 checks the columns of such a table in this order
    PRIMARY KEY (automation, since)
) STRICT, WITHOUT ROWID;
INSERT INTO schedules SELECT automation, since, schedule FROM timetables;
DROP TABLE timetables;
ALTER TABLE schedules RENAME TO timetables;
"""

RUNS = Format(
    "the records of runs",
    (_FIRST, _EVERY_SCHEDULE),
    frozenset({"runs", "timetables"}),
    "SELECT 'its first record is damaged' FROM (SELECT started FROM runs LIMIT 1) WHERE typeof(started) != 'integer'",
    "the next `reconcile runs --collect`",
)

_SHORT = (
    "automation, id, scheduled, started, ended, verdict, reason, exit, signal, attempts, trigger, host, revision,"
    " job, duration, cpu, peak, bytes, log"
)
COLUMNS = f"{_SHORT}, command, tail"
BRIEF = f"{_SHORT}, '[]', ''"  # for lists: without what is long
INSERT = f"INSERT OR IGNORE INTO runs ({COLUMNS}) VALUES ({', '.join('?' * 21)})"  # noqa: S608


def stamp(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(number: int) -> datetime:
    return EPOCH + timedelta(microseconds=number)


def row(run: Run) -> tuple[object, ...]:
    """A run for INSERT."""
    texts = (run.trigger, run.host, run.revision, run.job)
    return (
        plain(run.automation),
        plain(run.id),
        None if run.scheduled is None else stamp(run.scheduled),
        stamp(run.started),
        None if run.ended is None else stamp(run.ended),
        run.verdict.value,
        plain(run.reason),
        run.exit,
        run.signal,
        run.attempts,
        *map(plain, texts),
        run.duration,
        run.cpu,
        run.peak,
        run.output_bytes,
        plain(run.log),
        json.dumps(run.command),
        plain(run.tail),
    )


def run_of(row: tuple[Any, ...]) -> Run:
    """The inverse of `row`, for COLUMNS and for BRIEF. Raises ValueError on what no version of ours wrote."""
    automation, id_, scheduled, started, ended, verdict, reason, exit_, signal, attempts, trigger = row[:11]
    host, revision, job, duration, cpu, peak, size, log, command, tail = row[11:]
    return Run(
        automation=automation,
        id=id_,
        scheduled=None if scheduled is None else moment(scheduled),
        started=moment(started),
        verdict=Verdict(verdict),
        reason=reason,
        ended=None if ended is None else moment(ended),
        exit=exit_,
        signal=signal,
        attempts=attempts,
        trigger=trigger,
        host=host,
        revision=revision,
        job=job,
        command=tuple(json.loads(command)),
        duration=duration,
        cpu=cpu,
        peak=peak,
        tail=tail,
        output_bytes=size,
        log=log,
    )
