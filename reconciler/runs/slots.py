"""The slots of an automation: the instants at which its schedule wants a run. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import cast

from reconciler.model.data import Json, canonical_text
from reconciler.model.frozen import dataclass
from reconciler.model.job import called
from reconciler.model.schedule import occurrences
from reconciler.model.state import Owned

_UNSEEN = "unrecorded"  # beside a schedule: its runs do not go through the runner
LATE = 60.0  # seconds after which a run counts as late, where its manifest says nothing


@dataclass(frozen=True, slots=True)
class Timetable:
    """When one automation is to run, and what is expected of its runs. Durations in seconds."""

    name: str
    provider: str
    schedule: Json
    timezone: str  # an IANA name, or "" for that of the instants it is asked with
    since: datetime | None = None  # from when on it has had this schedule; None: not known
    start_window: float = LATE
    expected: float | None = None
    recorded: bool = True  # its runs go through the runner
    keeper: str = ""  # the user in whose folder they are recorded; "": here
    until: datetime | None = None  # when another schedule took its place; None: it is in force
    former: tuple[Timetable, ...] = ()  # the schedules before this one, oldest first


def timetable(entry: Owned, settings: Mapping[str, Json], timezone: str, since: datetime | None) -> Timetable | None:
    """The timetable of an inventory entry; `settings` is what its runner is told. None: it has no schedule."""
    attributes = entry.state.attributes
    if entry.id.kind != "Automation" or "schedule" not in attributes:
        return None
    runtime = cast("Mapping[str, Json]", settings.get("runtime") or {})
    return Timetable(
        name=entry.id.name,
        provider=entry.provider,
        schedule=attributes["schedule"],
        timezone=cast(str, attributes.get("timezone") or timezone),
        since=since,
        start_window=cast(float, settings.get("startWindow", LATE)),
        expected=cast("float | None", runtime.get("expected")),
        recorded=called(attributes.get("command")) is not None,
    )


def told_as(entry: Owned) -> str:
    """What makes its slots, and whether anybody sees its runs, as text. A change of it begins anew."""
    attributes = entry.state.attributes
    told = [entry.provider, attributes.get("schedule"), attributes.get("timezone")]
    return canonical_text(told if called(attributes.get("command")) is not None else [*told, _UNSEEN])


def former(table: Timetable, told: Sequence[tuple[str, datetime]], timezone: str) -> Iterator[Timetable]:
    """The schedules before the one in force, each until the next; `told` holds all, with their beginnings."""
    for (text, since), (_, until) in pairwise(told):
        provider, schedule, zone, *unseen = json.loads(text)
        yield replace(
            table,
            provider=provider,
            schedule=schedule,
            timezone=zone or timezone,
            since=since,
            until=until,
            recorded=not unseen,
        )


def slots(table: Timetable, after: datetime, until: datetime) -> Iterator[datetime]:
    """The slots in (after, until], as aware UTC. None for boot and login, which no clock decides."""
    every = table.schedule.get("every") if isinstance(table.schedule, Mapping) else None
    if table.provider == "embedded" and isinstance(every, int | float):
        yield from multiples(float(every), after, until)
        return
    for slot in occurrences(table.schedule, after, table.timezone):
        if slot > until:
            return
        yield slot.astimezone(UTC)


def multiples(every: float, after: datetime, until: datetime) -> Iterator[datetime]:
    """An interval counts from the epoch, so that a restart changes no slot."""
    number = int(after.timestamp() // every) + 1
    while (slot := number * every) <= until.timestamp():
        yield datetime.fromtimestamp(slot, UTC)
        number += 1


def horizon(table: Timetable, now: datetime, back: timedelta) -> datetime:
    """From when on slots can be judged: as far back as asked, and not before the automation had this schedule."""
    start = now - back
    return start if table.since is None else max(start, table.since)
