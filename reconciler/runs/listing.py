"""Runs and the slots that had none, as one list in time; slots missed in a row stand together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from reconciler.model.frozen import dataclass
from reconciler.model.run import Run
from reconciler.runs.punctual import Fate, Slot


@dataclass(frozen=True, slots=True)
class Line:
    """A run, with how many seconds it was late; or the slots that were missed one after the other."""

    automation: str
    at: datetime
    run: Run | None = None
    late: float | None = None
    missed: tuple[datetime, ...] = ()


def listing(runs: Sequence[Run], trouble: Iterable[Slot]) -> tuple[Line, ...]:
    """Newest first. `trouble`: late and missed slots, oldest first; of late ones only those of these runs count."""
    late: dict[str, float | None] = {}
    missed: dict[str, list[datetime]] = {}
    for slot in trouble:
        if slot.fate is Fate.LATE and slot.run is not None:
            late[slot.run.name] = slot.delay
        elif slot.fate is Fate.MISSED:
            missed.setdefault(slot.automation, []).append(slot.at)
    lines = [Line(run.automation, run.started, run, late.get(run.name)) for run in runs]
    for name, slots in missed.items():
        lines += _groups(name, slots, [run.started for run in runs if run.automation == name])
    return tuple(sorted(lines, key=lambda line: (line.at, line.automation), reverse=True))


def _groups(name: str, slots: Sequence[datetime], starts: Iterable[datetime]) -> list[Line]:
    """Slots between two runs are one line, under the last of them."""
    ordered = sorted(starts, reverse=True)
    found: list[Line] = []
    group: list[datetime] = []
    for slot in slots:
        while ordered and ordered[-1] <= slot:
            ordered.pop()
            if group:
                found.append(Line(name, group[-1], missed=tuple(group)))
                group = []
        group.append(slot)
    return [*found, Line(name, group[-1], missed=tuple(group))] if group else found
