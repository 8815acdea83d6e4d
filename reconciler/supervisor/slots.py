"""Which slots of an automation are due at an instant, and which of the missed ones are made up for. Pure.

Instants are seconds since the epoch. A clock that jumps forward misses slots; one that jumps back repeats none.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from reconciler.model.schedule import cron_text, occurrences
from reconciler.supervisor.definitions import Automation

FRESH = 60.0  # seconds after its instant that a slot still counts as due, and not as missed
BACK = 7 * 86400.0  # how far back missed slots are looked for
MOST = 100  # missed slots that are made up for at once
AHEAD = 86400.0  # a mark further in the future than this is a clock that was wrong


class Due(NamedTuple):
    """One run that shall be started."""

    slot: float
    trigger: str  # "schedule" | "catch-up" | "boot"


class Decision(NamedTuple):
    """`handled` is up to where slots are done once these runs are started; `dropped` counts slots not made up for."""

    runs: tuple[Due, ...]
    handled: float
    dropped: int


def at_boot(automation: Automation) -> bool:
    return isinstance(automation.schedule, Mapping) and automation.schedule.get("at") == "boot"


def after(automation: Automation, instant: float, zone: tzinfo) -> Iterator[float]:
    """The slots after an instant, without end; none for boot."""
    every = automation.schedule.get("every") if isinstance(automation.schedule, Mapping) else None
    if isinstance(every, int | float):
        number = math.floor(instant / every) + 1
        while True:
            yield number * every
            number += 1
    if at_boot(automation):
        return
    start = datetime.fromtimestamp(instant, UTC if automation.timezone else zone)
    for slot in occurrences(cron_text(automation.schedule), start, automation.timezone):
        yield slot.timestamp()


def upcoming(automation: Automation, instant: float, zone: tzinfo) -> float | None:
    return next(after(automation, instant, zone), None)


def decide(automation: Automation, handled: float, now: float, zone: tzinfo) -> Decision:
    """What is to be started now, oldest first."""
    if handled > now:
        return Decision((), sane(handled, now), 0)
    kept: deque[float] = deque(maxlen=MOST + 1)
    count = 0
    for slot in after(automation, max(handled, now - BACK), zone):
        if slot > now:
            break
        kept.append(slot)
        count += 1
    fresh = [slot for slot in kept if slot > now - FRESH]
    missed = [slot for slot in kept if slot <= now - FRESH]
    if _often(automation) and automation.missed != "all":
        fresh = fresh[-1:]  # those before it were passed in a moment's stall, and are of no use any more
    made_up = _made_up(automation.missed, missed, bool(fresh))
    runs = (*(Due(slot, "catch-up") for slot in made_up), *(Due(slot, "schedule") for slot in fresh))
    return Decision(runs, now, count - len(runs))


def sane(handled: float, now: float) -> float:
    """A mark far ahead was set by a clock that was wrong: nothing would run until then."""
    return now if handled > now + AHEAD else handled


def _often(automation: Automation) -> bool:
    every = automation.schedule.get("every") if isinstance(automation.schedule, Mapping) else None
    return isinstance(every, int | float) and every < FRESH


def _made_up(policy: str, missed: list[float], fresh: bool) -> list[float]:
    if policy == "all":
        return missed[-MOST:]
    if policy == "latest" and not fresh:  # a run that is due anyway does what the missed one would have done
        return missed[-1:]
    return []
