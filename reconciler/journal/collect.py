"""From the spool into runs.db: insert, commit, and only then remove the run files. Then what is too old goes.

A kill anywhere loses nothing and doubles nothing: an insert that happened is not made again, a file that stands is.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from reconciler.journal import run_logs, spool
from reconciler.journal.database import Broken, explained, is_damage, require_sqlite, transaction
from reconciler.journal.runs_schema import FILE, INSERT, RUNS, row, stamp
from reconciler.journal.spool import Alive, Spooled
from reconciler.journal.writer import open_writable, set_aside
from reconciler.model.frozen import dataclass
from reconciler.model.run import Verdict

LOCK = "runs/collecting"
CLAIMED = (
    8 * 86400.0
)  # seconds that the file of the newest slot stays, which is the claim on it: supervisors look back seven days
_TAILS = 1000  # newest runs of each automation that keep the end of their output
_BATCH = 500  # runs in one transaction; each may hold a long tail
_PAUSE = 0.05
_SECOND = len("20261121T060000Z")


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of the runs of one automation is kept."""

    runs: int = 20_000
    days: int = 90
    bytes: int = 100 * 2**20


@dataclass(frozen=True, slots=True)
class Collected:
    """What was done. `unreadable` are files that were set aside just now; `notes` are sentences for people."""

    recorded: int = 0
    lost: int = 0
    forgotten: int = 0
    unreadable: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def collect(state: Path, now: datetime, alive: Alive, keeps: Mapping[str, Keep]) -> Collected | None:
    """Record every run that has ended. None where another process is doing it."""
    if not (state / "runs").is_dir():
        return Collected()

    def keep(name: str) -> Keep:
        return keeps.get(name, Keep())

    with explained(state / FILE, "write", RUNS.called), only_one(state) as we:
        if not we:
            return None
        try:
            return _collect(state, now, alive, keep)
        except (sqlite3.DatabaseError, Broken) as error:
            if isinstance(error, Broken) or is_damage(error):  # opening looks at the start of it only
                name = set_aside(state / FILE, now)
                note = f"{RUNS.called} were damaged ({error}); they were set aside as {name}, new ones were begun"
                again = _collect(state, now, alive, keep)
                return replace(again, notes=(note, *again.notes))
            _make_room(state, now, keep)  # a full disk, perhaps with logs: those that are too many go all the same
            raise


def last_collected(state: Path) -> float | None:
    """When that was, in seconds since 1970."""
    try:
        return (state / LOCK).stat().st_mtime
    except OSError:
        return None


@contextmanager
def writable(state: Path, now: datetime) -> Iterator[tuple[sqlite3.Connection, str | None]]:
    """runs.db to be written, and what was set aside to get it."""
    require_sqlite()
    connection, aside = open_writable(state / FILE, now, RUNS)
    try:
        yield connection, aside
    finally:
        connection.close()


@contextmanager
def only_one(state: Path, *, patience: float = 0.0) -> Iterator[bool]:
    """Whether we are the one who writes runs.db. The kernel lets go when we die."""
    (state / LOCK).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        until = time.monotonic() + patience
        while not (ours := _locked(descriptor)) and time.monotonic() < until:
            time.sleep(_PAUSE)
        yield ours
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _collect(state: Path, now: datetime, alive: Alive, keep: Callable[[str], Keep]) -> Collected:
    recorded = lost = forgotten = 0
    unreadable: list[Path] = []
    busy: set[tuple[str, str]] = set()
    os.utime(state / LOCK)
    with writable(state, now) as (connection, aside):
        ((health, *_),) = connection.execute("PRAGMA quick_check(1)")
        if health != "ok":
            raise Broken(health)
        for folder in spool.folders(state):
            paths = spool.files(folder)
            claims = _claims(paths, now)
            found = spool.read(paths, alive, now)
            while batch := list(islice(found, _BATCH)):
                done = [each for each in batch if each.done]
                new = _insert(connection, done)
                recorded += len(new)
                busy |= {(folder.name, each.path.name.removesuffix(spool.SUFFIX)) for each in batch if not each.done}
                lost += sum(each.run is not None and each.run.verdict is Verdict.LOST for each in new)
                for each in done:
                    if each.path not in claims:
                        each.path.unlink(missing_ok=True)
                unreadable += [_aside(each.path) for each in batch if each.run is None and each.old]
            _remove_empty(folder)
        for name in _names(connection, state):
            gone, oldest = _forget(connection, name, keep(name), now)
            forgotten += len(gone)
            mine = {run for automation, run in busy if automation == name}
            run_logs.tidy(state, name, gone=gone, busy=mine, oldest=oldest, most=keep(name).bytes, now=now)
    return Collected(recorded, lost, forgotten, tuple(unreadable), (aside,) if aside else ())


def _make_room(state: Path, now: datetime, keep: Callable[[str], Keep]) -> None:
    """Logs by age and size, but for those of runs that are in the spool."""
    for name in run_logs.names(state):
        spooled = {path.name.removesuffix(spool.SUFFIX) for path in spool.files(state / spool.SPOOL / name)}
        oldest = now - timedelta(days=keep(name).days)
        run_logs.tidy(state, name, gone=(), busy=spooled, oldest=oldest, most=keep(name).bytes, now=now)


def _insert(connection: sqlite3.Connection, done: Sequence[Spooled]) -> list[Spooled]:
    """Those that were not there yet."""
    if not done:
        return []
    with transaction(connection):
        return [each for each in done if each.run and connection.execute(INSERT, row(each.run)).rowcount == 1]


def _claims(paths: Sequence[Path], now: datetime) -> set[Path]:
    """The files of the newest slot. The runner starts no slot a second time as long as its file is there."""
    slots = [path for path in paths if not path.name.endswith(f"-manual{spool.SUFFIX}")]
    if not slots:
        return set()
    newest = slots[-1].name[:_SECOND]
    return {path for path in slots if path.name[:_SECOND] == newest and _age(path, now) < CLAIMED}


def _age(path: Path, now: datetime) -> float:
    try:
        return now.timestamp() - path.stat().st_mtime
    except OSError:
        return CLAIMED


def _aside(path: Path) -> Path:
    """Out of the way of the next look, and nothing lost: for a person to read."""
    folder = path.parent / "unreadable"
    folder.mkdir(mode=0o700, exist_ok=True)
    return path.rename(folder / path.name)


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # not empty; or a run is just beginning, which makes its folder again
        return


def _names(connection: sqlite3.Connection, state: Path) -> list[str]:
    rows = connection.execute("SELECT DISTINCT automation FROM runs")
    return sorted({str(name) for (name,) in rows} | run_logs.names(state))


_OLD = """
DELETE FROM runs WHERE automation = :name
    AND started < (SELECT max(started) FROM runs WHERE automation = :name)
    AND (started < :oldest
        OR started < (SELECT started FROM runs WHERE automation = :name ORDER BY started DESC LIMIT 1 OFFSET :more))
RETURNING id
"""
_FORMER = """
DELETE FROM timetables AS former WHERE automation = :name AND EXISTS
    (SELECT 1 FROM timetables WHERE automation = :name AND since > former.since AND since <= :known)
"""
_KNOWN_SINCE = "UPDATE timetables SET since = max(since, :known) WHERE automation = :name"
_LONG_AGO = """
UPDATE runs SET tail = '' WHERE automation = :name AND tail != ''
    AND started < (SELECT started FROM runs WHERE automation = :name ORDER BY started DESC LIMIT 1 OFFSET :tails)
"""


def _forget(connection: sqlite3.Connection, name: str, keep: Keep, now: datetime) -> tuple[set[str], datetime]:
    """Records by age and number, never the newest. The ids that went, and from when on things are kept."""
    oldest = now - timedelta(days=keep.days)
    wanted = {"name": name, "oldest": stamp(oldest), "more": keep.runs - 1, "tails": _TAILS - 1}
    with transaction(connection):
        gone = {str(id_) for (id_,) in connection.execute(_OLD, wanted).fetchall()}
        if gone:  # slots before are nobody's any more: their runs may have been forgotten
            (known,) = connection.execute("SELECT min(started) FROM runs WHERE automation = :name", wanted).fetchone()
            for statement in (_FORMER, _KNOWN_SINCE):
                connection.execute(statement, {"name": name, "known": known})
        connection.execute(_FORMER, {"name": name, "known": stamp(oldest)})
        connection.execute(_LONG_AGO, wanted)
    return gone, oldest
