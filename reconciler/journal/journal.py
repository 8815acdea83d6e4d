"""Class Journal: the one door to what must survive a crash. Each method is one transaction, on disk when it returns.

What the tables mean is in `rollouts`, `steps` and `inventory`; how the file is kept is in `database` and `reader`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self, TypeVar

from reconciler.host.protocol import Clock
from reconciler.journal import inventory, rollouts, steps
from reconciler.journal.database import explained, require_sqlite, transaction
from reconciler.journal.reader import Reader
from reconciler.journal.steps import StepRecord
from reconciler.journal.writer import open_writable
from reconciler.model.address import ResourceId
from reconciler.model.data import Json, blake2b
from reconciler.model.errors import JournalError
from reconciler.model.plan import Step
from reconciler.model.resource import Resource, Revision
from reconciler.model.rollout import RolloutRecord, RolloutStatus, StepStatus
from reconciler.model.state import Owned, Quarantined

T = TypeVar("T")

FILE = "journal.db"
_KEY_BYTES = 16


class Journal:
    """Open for writing only while holding the WriterLock. Any thread may call it; calls take turns."""

    def __init__(self, path: Path, clock: Clock, source: sqlite3.Connection | Reader, set_aside: str | None) -> None:
        self._path = path
        self._clock = clock
        self._source = source
        self._set_aside = set_aside
        self._turn = RLock()

    @classmethod
    def open(cls, directory: Path, *, clock: Clock, read_only: bool = False) -> Journal:
        """The journal of a state folder.

        For writing: created or migrated where needed; a broken one is set aside, and `set_aside` says so.
        Read-only: nothing is ever written, a missing or broken journal reads as an empty one.
        """
        require_sqlite()
        path = directory / FILE
        with explained(path, "open"):
            if read_only:
                return cls(path, clock, Reader(path), None)
            connection, set_aside = open_writable(path, clock.now())
        journal = cls(path, clock, connection, set_aside)
        try:
            journal._keep_mask_key()
        except BaseException:
            journal.close()
            raise
        return journal

    def close(self) -> None:
        """Close the file; more than once is fine."""
        with self._turn, explained(self._path, "close"):
            self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def set_aside(self) -> str | None:
        """A sentence for people when the journal was broken, else None."""
        return self._source.trouble if isinstance(self._source, Reader) else self._set_aside

    # -- ownership

    @property
    def read_only(self) -> bool:
        """Whether it was opened to be read: somebody else may be writing it."""
        return isinstance(self._source, Reader)

    @property
    def rebuilt_needed(self) -> bool:
        """True until the inventory was confirmed once: what is on the host may be ours without being listed."""
        return not self._read(inventory.is_confirmed)

    def confirm_inventory(self, owned: Sequence[Owned] = ()) -> None:
        """The inventory, together with these entries found by their marks, is complete from now on."""
        with self._write() as connection:
            inventory.change(connection, owned, ())
            inventory.confirm(connection, self._clock.now())

    def remember(self, owned: Sequence[Owned], forgotten: Sequence[ResourceId]) -> None:
        """Upkeep of the inventory that belongs to no step: entries confirmed by a look, entries that are gone."""
        with self._write() as connection:
            inventory.change(connection, owned, forgotten)

    def inventory(self) -> tuple[Owned, ...]:
        """What we own, sorted by address."""
        return self._read(inventory.entries)

    def several(self) -> frozenset[str]:
        """Backends that have had more than one keeper, such as two container engines."""
        return self._read(inventory.several)

    def own(self) -> tuple[Resource, ...]:
        """The resources of `reconcile self`, newest first; those that the inventory knows in that state stand."""
        return self._read(inventory.own)

    def remember_own(self, resources: Sequence[Resource]) -> None:
        with self._write() as connection:
            inventory.remember_own(connection, resources)

    def mask_key(self) -> str:
        """The key of the digests that stand for masked values; stays the same for the life of the journal."""
        stored = self._read(_mask_key)
        return stored if stored is not None else _host_key()

    # -- quarantine

    def quarantine(self) -> tuple[Quarantined, ...]:
        return self._read(inventory.quarantined)

    def quarantine_add(self, revision: Revision, reason: str, rollout: int) -> None:
        with self._write() as connection:
            inventory.quarantine(connection, revision, reason, rollout, self._clock.now())

    def quarantine_release(self, digest_prefix: str | None) -> tuple[Quarantined, ...]:
        """Release the one revision with such a digest or commit, or all with None; returns what was released."""
        with self._write() as connection:
            return inventory.release(connection, digest_prefix)

    # -- rollouts

    def stable(self) -> tuple[int, Revision] | None:
        """The last stable rollout."""
        return self._read(rollouts.stable)

    def interrupted(self) -> RolloutRecord | None:
        """The rollout that was neither finished nor undone."""
        return self._read(rollouts.interrupted)

    def rollouts(self, limit: int) -> tuple[RolloutRecord, ...]:
        """Newest first."""
        return self._read(lambda connection: rollouts.newest(connection, limit))

    def rollout(self, number: int) -> RolloutRecord:
        return self._read(lambda connection: rollouts.one(connection, number))

    def settings(self, number: int) -> Json:
        """What `begin` was given as settings."""
        return self._read(lambda connection: rollouts.settings(connection, number))

    def begin(self, *, verb: str, path: str, revision: Revision, steps: Sequence[Step], settings: Json) -> int:
        """Journal a rollout and every step with its restore data, before anything is written to the host."""
        with self._write() as connection:
            return rollouts.begin(connection, (verb, path, revision, settings), steps, self._clock.now())

    def undoing(self, rollout: int, failure: str) -> None:
        with self._write() as connection:
            rollouts.undoing(connection, rollout, failure)

    def finish(self, rollout: int, status: RolloutStatus, summary: str) -> None:
        """Close a rollout. STABLE moves the stable pointer, and needs every step done."""
        with self._write() as connection:
            rollouts.finish(connection, rollout, status, summary, self._clock.now())

    def prune_history(self, keep: int) -> int:
        """Forget all but the newest `keep` rollouts, and never what a rollback or the quarantine needs. How many."""
        with self._write() as connection:
            return rollouts.prune(connection, keep)

    # -- steps

    def jobs(self) -> frozenset[str]:
        """The digests of the job files that any rollout which is remembered could bring back."""
        return self._read(steps.jobs)

    def steps(self, number: int) -> tuple[StepRecord, ...]:
        """The steps of a rollout, in the order of its plan."""
        return self._read(lambda connection: steps.records(connection, number))

    def steps_started(self, rollout: int, numbers: Sequence[int]) -> None:
        """The intent: the host may change once this has returned."""
        with self._write() as connection:
            steps.move(connection, rollout, numbers, StepStatus.STARTED, self._clock.now())

    def steps_done(
        self, rollout: int, numbers: Sequence[int], owned: Sequence[Owned], disowned: Sequence[ResourceId]
    ) -> None:
        """The outcome, and what we own because of it, together."""
        with self._write() as connection:
            steps.move(connection, rollout, numbers, StepStatus.DONE, self._clock.now())
            inventory.change(connection, owned, disowned)

    def steps_failed(self, rollout: int, numbers: Sequence[int], why: str) -> None:
        with self._write() as connection:
            steps.move(connection, rollout, numbers, StepStatus.FAILED, self._clock.now(), why)

    def steps_refused(self, rollout: int, numbers: Sequence[int], why: str) -> None:
        """Nothing was written for these steps, so there is nothing to undo."""
        with self._write() as connection:
            steps.move(connection, rollout, numbers, StepStatus.REFUSED, self._clock.now(), why)

    def steps_undone(
        self, rollout: int, numbers: Sequence[int], owned: Sequence[Owned], disowned: Sequence[ResourceId]
    ) -> None:
        """Taken back, and the inventory with it. The rollout must be UNDOING."""
        with self._write() as connection:
            steps.move(connection, rollout, numbers, StepStatus.UNDONE, self._clock.now())
            inventory.change(connection, owned, disowned)

    # -- the file

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with self._turn, explained(self._path, "read"):
            return self._source.read(query) if isinstance(self._source, Reader) else query(self._source)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        if isinstance(self._source, Reader):
            raise JournalError("cannot write the journal: it was opened to be read", hint=rollouts.BUG)
        with self._turn, explained(self._path, "write"), transaction(self._source) as connection:
            yield connection

    def _keep_mask_key(self) -> None:
        if self._read(_mask_key) is None:
            with self._write() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO meta VALUES ('mask_key', ?)", (os.urandom(_KEY_BYTES).hex(),)
                )


def _mask_key(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = 'mask_key'").fetchone()
    return None if row is None else str(row[0])


def _host_key() -> str:
    return blake2b(b"reconciler mask " + os.uname().nodename.encode(), digest_size=_KEY_BYTES).hexdigest()
