"""When an automation runs before and after a change, in the host's time zone.

Reads the `schedule` attribute of a state; a state without one, or with one that nothing can evaluate, has no times.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from reconciler.model.change import Action, Change, Danger, field_diffs
from reconciler.model.state import State

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Clockwork:
    """Next runs counted from one instant in one zone. Looks nothing up until it is asked for a time."""

    __slots__ = ("_local", "_note", "_taken", "_wanted")

    def __init__(self, taken: datetime, zone: str) -> None:
        self._taken, self._wanted = taken, zone
        self._local: datetime | None = None
        self._note = ""

    @property
    def local(self) -> datetime:
        """The instant on the host's wall clock; on that of UTC where the host's zone is not known."""
        if self._local is None:
            zone = zone_of(self._wanted)
            if zone is None:
                why = (
                    f"this machine does not know {self._wanted}" if self._wanted else "the host does not say its own"
                )
                self._note = f", because {why}"
            self._local = self._taken.astimezone(zone or UTC)
        return self._local

    @property
    def sentence(self) -> str:
        """Which clock the times are read from, and since when they count."""
        local = self.local
        name = "UTC" if self._note else self._wanted
        return f"Run times are in {name}{self._note}, counted from {_day(local)} {local.year} {local:%H:%M}."

    def runs(self, state: State | None, count: int) -> tuple[datetime, ...]:
        """The next runs; none where the schedule names no time or cannot be read."""
        schedule = _schedule(state)
        if not isinstance(schedule, str):
            return ()
        from reconciler.model.schedule import upcoming

        try:
            return upcoming(schedule, self.local, "", count)
        except ValueError:
            return ()

    def lines(self, change: Change) -> tuple[str, ...]:
        """What the change means for the next runs."""
        rescheduled = _schedule(change.before) != _schedule(change.after)
        match change.action:
            case Action.CREATE:
                return self._line("next runs: ", change.after, 3)
            case Action.DELETE:
                return self._line("would have run next: ", change.before, 1)
            case Action.RELEASE | Action.ADOPT if _stops(change):
                return ()
            case Action.RELEASE:
                return ("it runs as before",)
            case Action.ADOPT if not field_diffs(change.before, change.after):
                return ("it runs as before",)
            case Action.NONE:
                return ()
            case _ if rescheduled:
                before = self._line("next runs as it is now: ", change.before, 3)
                return (*before, *self._line("next runs after this:   ", change.after, 3))
            case _:
                return self._line("first run with this change: ", change.after, 1)

    def _line(self, label: str, state: State | None, count: int) -> tuple[str, ...]:
        schedule = _schedule(state)
        if isinstance(schedule, str) and schedule.strip().lower() == "@reboot":
            return (f"{label}whenever the host starts",)
        times = [self._time(run) for run in self.runs(state, count)]
        return (label + ", ".join(times),) if times else ()

    def _time(self, run: datetime) -> str:
        year = f" {run.year}" if run.year != self.local.year else ""
        return f"{_day(run)}{year} {run:%H:%M}"


def zone_of(name: str) -> tzinfo | None:
    """The time zone of that name, or None where this machine has none."""
    if not name:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def instant(moment: datetime, zone: tzinfo | None) -> str:
    """`2026-11-21 03:10`, in that zone or in UTC."""
    return f"{moment.astimezone(zone or UTC):%Y-%m-%d %H:%M}"


def _stops(change: Change) -> bool:
    return any(hazard.danger is Danger.DOWNTIME for hazard in change.hazards)


def _schedule(state: State | None) -> object:
    return state.attributes.get("schedule") if state else None


def _day(moment: datetime) -> str:
    return f"{_DAYS[moment.weekday()]} {moment.day} {_MONTHS[moment.month]}"
