"""Which slots had their run, which had it late, and which had none. Pure: schedule and records decide, no server."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.model.frozen import dataclass
from reconciler.model.run import Run
from reconciler.runs.slots import Timetable, slots

GRACE = 120.0  # seconds after the start window before a slot without a run is called missed


class Fate(StrEnum):
    """What became of a slot."""

    RAN = "ran"
    LATE = "late"
    MISSED = "missed"
    DUE = "due"  # it may still come


@dataclass(frozen=True, slots=True)
class Slot:
    """One scheduled instant and the run that it had."""

    automation: str
    at: datetime
    fate: Fate
    run: Run | None = None

    @property
    def delay(self) -> float | None:
        """Seconds between the slot and the start of its run."""
        return None if self.run is None else (self.run.started - self.at).total_seconds()


def judge(table: Timetable, runs: Sequence[Run], after: datetime, now: datetime) -> tuple[Slot, ...]:
    """The fate of every slot in (after, now], or until another schedule took over. `runs`: its own, in any order.

    A run belongs to the slot that it names, else to the last slot before it started. Manual runs fill no slot.
    """
    until = now if table.until is None else min(now, table.until)
    due = list(slots(table, after, until))
    named, taken = set(due), dict[datetime, Run]()
    for run in sorted(runs, key=lambda run: run.started):
        if run.trigger == "manual":
            continue
        index = bisect_right(due, run.started) - 1 if run.started <= until else -1
        wanted = run.scheduled if run.scheduled in named else due[index] if index >= 0 else None
        if wanted is not None:
            taken.setdefault(wanted, run)
    return tuple(_slots(table, due, taken, now))


def _slots(table: Timetable, due: Sequence[datetime], taken: dict[datetime, Run], now: datetime) -> Iterator[Slot]:
    window = timedelta(seconds=table.start_window)
    for at in due:
        run = taken.get(at)
        if run is not None:
            fate = Fate.LATE if run.started - at > window else Fate.RAN
        else:
            fate = Fate.DUE if now - at <= window + timedelta(seconds=GRACE) else Fate.MISSED
        yield Slot(table.name, at, fate, run)
