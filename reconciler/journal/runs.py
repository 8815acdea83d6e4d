"""The runs of a state folder, read: runs.db and the spool as one, without writing anything.

Filling the database is the business of `collect`; since when an automation has had its schedule is kept here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from reconciler.journal import spool
from reconciler.journal.collect import only_one, writable
from reconciler.journal.database import explained, require_sqlite, transaction
from reconciler.journal.reader import Reader
from reconciler.journal.runs_schema import BRIEF, COLUMNS, FILE, RUNS, moment, run_of, stamp
from reconciler.journal.spool import Alive
from reconciler.model.run import ENDED_WELL, UNFINISHED, Run

T = TypeVar("T")

_FINE = tuple(sorted(verdict.value for verdict in ENDED_WELL | UNFINISHED))
ALL = -1  # as a number of runs
_PATIENCE = 5.0  # seconds that a collecting may be in the way


class Runs:
    """Runs by name and newest first. Each answer merges what is recorded with what still lies in the spool."""

    def __init__(self, state: Path, now: datetime, alive: Alive) -> None:
        require_sqlite()
        self._state = state
        self._path = state / FILE
        with explained(self._path, "open", RUNS.called):
            self._reader = Reader(self._path, RUNS)
        paths = [path for folder in spool.folders(state) for path in spool.files(folder)]
        self._spooled: dict[tuple[str, str], Run] = {}
        self.unreadable = 0  # files in the spool that the next collecting sets aside
        self._now, self._alive = now, alive
        for found in spool.read(paths, alive, now):
            if found.run is not None:  # thousands of tails would fill the memory
                self._spooled[found.run.automation, found.run.id] = replace(found.run, tail="", command=())
            self.unreadable += found.run is None and found.old

    @property
    def trouble(self) -> str | None:
        """Why an existing database is taken for an empty one."""
        return self._reader.trouble

    def newest(
        self, count: int = ALL, *, name: str = "", since: datetime | None = None, failed: bool = False
    ) -> tuple[Run, ...]:
        """The newest runs, without their tails. `failed`: only those that ended and not well."""
        wanted = {"name": name, "since": -(2**62) if since is None else stamp(since), "count": count}
        where = "started >= :since" + (" AND automation = :name" if name else "")
        if failed:
            where += f" AND verdict NOT IN {_FINE}"
        rows = self._rows(f"SELECT {BRIEF} FROM runs WHERE {where} ORDER BY started DESC LIMIT :count", wanted)  # noqa: S608
        spooled = [
            run
            for run in self._spooled.values()
            if name in ("", run.automation)
            and (since is None or run.started >= since)
            and not (failed and run.verdict.value in _FINE)
        ]
        known = {(run.automation, run.id) for run in rows}
        if spooled and (fresh := [run for run in spooled if (run.automation, run.id) not in known]):
            recorded = self._recorded(fresh)
            rows += [run for run in fresh if (run.automation, run.id) not in recorded]
            rows.sort(key=lambda run: (run.started, run.automation, run.id), reverse=True)
        return tuple(rows if count == ALL else rows[:count])

    def one(self, name: str, id_: str) -> Run | None:
        """A run with everything that is known about it."""
        query = f"SELECT {COLUMNS} FROM runs WHERE automation = :name AND id = :id"  # noqa: S608
        rows = self._rows(query, {"name": name, "id": id_})
        if rows or (name, id_) not in self._spooled:
            return rows[0] if rows else None
        path = self._state / spool.SPOOL / name / f"{id_}{spool.SUFFIX}"
        return next((found.run for found in spool.read([path], self._alive, self._now)), None)

    def last(self, name: str) -> Run | None:
        newest = self.newest(1, name=name)
        return self.one(name, newest[0].id) if newest else None

    def names(self) -> tuple[str, ...]:
        """Every automation with a run."""
        query = "SELECT DISTINCT automation FROM runs"
        recorded = self._ask(lambda connection: connection.execute(query).fetchall())
        return tuple(sorted({str(name) for (name,) in recorded} | {name for name, _ in self._spooled}))

    def schedules(self) -> dict[str, list[tuple[str, datetime]]]:
        """By automation: each schedule as it was told, and from when on it was in force; oldest first."""
        query = "SELECT automation, schedule, since FROM timetables ORDER BY since"
        found: dict[str, list[tuple[str, datetime]]] = {}
        for name, schedule, since in self._ask(lambda connection: connection.execute(query).fetchall()):
            found.setdefault(str(name), []).append((str(schedule), moment(since)))
        return found

    def jobs(self) -> frozenset[str]:
        """The digests of the job files that recorded runs were told by."""
        query = "SELECT DISTINCT job FROM runs"
        recorded = self._ask(lambda connection: connection.execute(query).fetchall())
        return frozenset(str(job) for (job,) in recorded) | {run.job for run in self._spooled.values()}

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _recorded(self, runs: Iterable[Run]) -> set[tuple[str, str]]:
        """Those that the database has too, whatever else was asked for: what it says of them counts."""

        def look(connection: sqlite3.Connection) -> set[tuple[str, str]]:
            query = "SELECT 1 FROM runs WHERE automation = ? AND id = ?"
            keys = [(run.automation, run.id) for run in runs]
            return {key for key in keys if connection.execute(query, key).fetchone()}

        return self._ask(look)

    def _rows(self, query: str, wanted: Mapping[str, object]) -> list[Run]:
        return self._ask(lambda connection: [run_of(row) for row in connection.execute(query, wanted)])

    def _ask(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with explained(self._path, "read", RUNS.called):
            return self._reader.read(query)


def seen(state: Path, schedules: Mapping[str, str], now: datetime, *, all_of_them: bool) -> None:
    """Write down the schedules that are new from now on. `all_of_them`: automations not named here are gone."""
    with (
        explained(state / FILE, "write", RUNS.called),
        only_one(state, patience=_PATIENCE) as we,
        writable(state, now) if we else nullcontext((None, None)) as (connection, _),
    ):
        if connection is None:  # the next apply or collecting does it
            return
        rows = connection.execute("SELECT automation, schedule FROM timetables ORDER BY since").fetchall()
        known = {str(name): str(schedule) for name, schedule in rows}
        fresh = [(name, stamp(now), text) for name, text in schedules.items() if known.get(name) != text]
        gone = [(name,) for name in known.keys() - schedules.keys()] if all_of_them else []
        if fresh or gone:
            with transaction(connection):
                connection.executemany("DELETE FROM timetables WHERE automation = ?", gone)
                connection.executemany("INSERT OR REPLACE INTO timetables VALUES (?, ?, ?)", fresh)
