"""Schedules: what a person may write, what stands in a crontab, when it runs next, how it reads aloud.

A normalised schedule is a cron text (`0 6 * * *`, `@daily`), `{"every": seconds}` or `{"at": "boot" | "login"}`.
Knows nothing of manifests or of any scheduler's files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from reconciler.model.data import Json
from reconciler.model.duration import format_duration, parse_duration

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FORMS = 'write five cron fields ("0 6 * * *"), @daily, {every: 5m} or {at: boot}'


class ScheduleError(ValueError):
    """A schedule that no scheduler could honour; `hint` says what to write instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # three-letter names; the first stands for `low`

    @property
    def allowed(self) -> str:
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.low}-{self.high}{names}"


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SHORT_MONTHS = {2: ("February", 29), 4: ("April", 30), 6: ("June", 30), 9: ("September", 30), 11: ("November", 30)}
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def normalise(value: object) -> Json:
    """The one form of a schedule that everything else takes. Raises ScheduleError (a ValueError) fit for a user."""
    if isinstance(value, str):
        return _normalise_text(value)
    if isinstance(value, Mapping):
        return _normalise_mapping(value)
    raise ScheduleError(f"a schedule must be text or a mapping, found {type(value).__name__}", FORMS)


def _normalise_text(text: str) -> Json:
    fields = text.split()
    if len(fields) == 1 and fields[0].startswith("@"):
        alias = fields[0].lower()
        if alias == "@reboot":
            return {"at": "boot"}
        if alias not in ALIASES:
            from difflib import get_close_matches

            close = get_close_matches(alias, [*ALIASES, "@reboot"], 1)
            raise ScheduleError(f"{fields[0]!r} is not a schedule", f"did you mean {close[0]}?" if close else FORMS)
        return alias
    if len(fields) != 5:
        seconds = "; cron has no field for seconds" if len(fields) == 6 else ""
        message = (
            f"a schedule has five fields, minute hour day-of-month month day-of-week, found {len(fields)}{seconds}"
        )
        raise ScheduleError(message, FORMS)
    _refuse_never(fields, [_values(field, text) for field, text in zip(_FIELDS, fields, strict=True)])
    return " ".join(fields)


def _normalise_mapping(value: Mapping[object, object]) -> Json:
    if set(value) == {"every"}:
        every = value["every"]
        if not isinstance(every, str):
            raise ScheduleError(f"every must be a duration with its unit, found {every!r}", "write for example 5m")
        seconds = parse_duration(every)
        if seconds < 1:
            raise ScheduleError(f"every must be at least 1s, found {every}")
        return {"every": seconds}
    if set(value) == {"at"}:
        if value["at"] not in ("boot", "login"):
            raise ScheduleError(
                f"at must be boot or login, found {value['at']!r}", "for a time of day write cron fields"
            )
        return {"at": str(value["at"])}
    found = ", ".join(sorted(str(key) for key in value)) or "nothing"
    raise ScheduleError(f"a schedule mapping holds either every or at, found {found}", FORMS)


def field_values(position: int, text: str) -> frozenset[int]:
    """What one of the five fields matches, by its position from 0; Sunday may be 0 or 7. Raises ScheduleError."""
    return frozenset(_values(_FIELDS[position], text))


def _values(field: _Field, text: str) -> set[int]:
    """What one cron field matches; day of week 7 stays 7."""
    found: set[int] = set()
    for term in text.split(","):
        found |= _term(field, term)
    return found


def _term(field: _Field, term: str) -> set[int]:
    base, slash, step_text = term.partition("/")
    if base == "*":
        low, high = field.low, field.high
    elif "-" in base[1:]:
        first, _, last = base.partition("-")
        low, high = _number(field, first), _number(field, last)
        if high < low:
            raise ScheduleError(f"{field.name} range {base} runs backwards", _unwrapped(field, low, high))
    else:
        low = high = _number(field, base)
        if slash:
            raise ScheduleError(
                f"{field.name} {term} has a step without a range",
                f"write {base}-{field.high}/{step_text} or */{step_text}",
            )
    return set(range(low, high + 1, _step(field, term, step_text, high - low) if slash else 1))


def _unwrapped(field: _Field, low: int, high: int) -> str:
    top = 6 if field.high == 7 else field.high
    if field.high == 7 and high == 0:
        return f"write {low}-7"
    tail = f"{low}-{top}" if low < top else str(low)
    head = f"{field.low}-{high}" if high > field.low else str(high)
    return f"write {tail},{head}"


def _step(field: _Field, term: str, text: str, span: int) -> int:
    span = min(span, 6) if field.high == 7 else span
    step = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if 1 <= step <= max(span, 1):
        return step
    if step > span:
        start = term.partition("/")[0].partition("-")[0].replace("*", str(field.low))
        cause = f"{field.name} step must be 1-{span}, found {step}"
        raise ScheduleError(f"{cause}: {term} would only ever match {start}", f"write {start} if that is meant")
    raise ScheduleError(f"{field.name} step must be a number from 1, found {text!r}")


def _number(field: _Field, text: str) -> int:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.low
    if text.isascii() and text.isdigit() and len(text) < 9 and field.low <= int(text) <= field.high:
        return int(text)
    found = text if text.isascii() and text.isdigit() else repr(text)
    raise ScheduleError(f"{field.name} must be {field.allowed}, found {found}")


def _refuse_never(fields: list[str], values: list[set[int]]) -> None:
    days, months = values[2], values[3]
    either = not (fields[2].startswith("*") or fields[4].startswith("*"))  # then a weekday alone is enough
    if either or not months <= _SHORT_MONTHS.keys() or min(days) <= max(_SHORT_MONTHS[month][1] for month in months):
        return
    names = " or ".join(_SHORT_MONTHS[month][0] for month in sorted(months))
    text = " ".join(fields)
    raise ScheduleError(f"{text} never fires: there is no {min(days)} {names}", "correct day of month or month")


def cron_text(schedule: Json) -> str:
    """What stands in a crontab for a normalised schedule. Raises ScheduleError for what cron cannot express."""
    if isinstance(schedule, str):
        return schedule
    if isinstance(schedule, Mapping) and "every" in schedule:
        return _cron_interval(schedule["every"])
    if isinstance(schedule, Mapping) and schedule.get("at") == "boot":
        return "@reboot"
    raise ScheduleError("cron cannot run something at login", "use {at: boot} or a time")


def _cron_interval(seconds: Json) -> str:
    if isinstance(seconds, int):
        minutes, rest = divmod(seconds, 60)
        hours, over = divmod(minutes, 60)
        if rest == 0 and minutes in range(1, 60) and 60 % minutes == 0:
            return f"*/{minutes} * * * *" if minutes > 1 else "* * * * *"
        if rest == 0 and over == 0 and hours in range(1, 25) and 24 % hours == 0:
            return {1: "0 * * * *", 24: "0 0 * * *"}.get(hours, f"0 */{hours} * * *")
    every = format_duration(seconds) if isinstance(seconds, int | float) else repr(seconds)
    raise ScheduleError(
        f"cron cannot run something every {every}",
        "it can every 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes, 1, 2, 3, 4, 6, 8 or 12 hours, or every day",
    )


def upcoming(schedule: Json, after: datetime, timezone: str, count: int) -> tuple[datetime, ...]:
    """The next `count` runs after an aware instant; see `occurrences`."""
    return tuple(islice(occurrences(schedule, after, timezone), count))


def occurrences(schedule: Json, after: datetime, timezone: str) -> Iterator[datetime]:
    """The runs after an aware instant, without end, in `timezone` (an IANA name; "" means that of `after`).

    None for boot and login, and for an interval that cron cannot express: it counts from an unknown start.
    Follows cron through clock changes: a time that is skipped runs when the clock resumes, a fixed time runs once.
    """
    try:
        text = cron_text(schedule)
    except ScheduleError:
        return
    if text == "@reboot":
        return
    from cronsim import CronSim

    start = _in_zone(after, timezone)
    last = start.astimezone(UTC)
    for run in CronSim(ALIASES.get(text, text), start):
        if run.astimezone(UTC) > last:  # several skipped times resume as one run; a repeated hour is not run again
            yield run
            last = run.astimezone(UTC)


def _in_zone(after: datetime, timezone: str) -> datetime:
    if after.tzinfo is None:
        raise ValueError("the instant must be aware of its time zone")
    if not timezone:
        return after
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return after.astimezone(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"there is no time zone {timezone!r} here", "write an IANA name, Europe/Berlin") from None


def describe(schedule: Json) -> str:
    """A short text for people: "every day at 06:00", "every 5 minutes", "at boot"."""
    if isinstance(schedule, Mapping):
        if "at" in schedule:
            return f"at {schedule['at']}"
        return f"every {_interval(schedule.get('every'))}"
    text = ALIASES.get(str(schedule), str(schedule))
    minute, hour, *days = text.split()
    number = minute.isascii() and minute.isdigit()
    if days == ["*", "*", "*"]:
        if hour == "*" and number:
            return f"every hour at :{int(minute):02}"
        if hour == "*" and minute[:2] == "*/" and 60 % int(minute[2:]) == 0:
            return f"every {_interval(int(minute[2:]) * 60)}"
        if number and hour.isascii() and hour.isdigit():
            return f"every day at {int(hour):02}:{int(minute):02}"
    return _explained(text)


def _interval(seconds: Json) -> str:
    if not isinstance(seconds, int | float):
        return str(seconds)
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds % size == 0:
            count = int(seconds // size)
            return unit if count == 1 else f"{count} {unit}s"
    return format_duration(seconds)


def _explained(text: str) -> str:
    from cronsim import CronSim

    sentence: str = CronSim(text, datetime(2000, 1, 1, tzinfo=UTC)).explain()
    return sentence[0].lower() + sentence[1:]
