"""Cron fields as launchd's calendar intervals, and back where that is exact. Pure.

launchd has neither ranges nor steps: every combination is an interval of its own, a missing field is any value, and
Day and Weekday must both match. Cron takes either of the two where neither of its fields begins with `*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import TypeAlias

from reconciler.model.schedule import ALIASES

CAP = 500  # intervals of one plist: each is a timer that launchd keeps

Interval: TypeAlias = dict[str, int]

_KEYS = ("Minute", "Hour", "Day", "Month", "Weekday")
_RANGES = {"Minute": (0, 59), "Hour": (0, 23), "Day": (1, 31), "Month": (1, 12), "Weekday": (0, 6)}
_NAMES = {
    name: number
    for names in (
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
        ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
    )
    for number, name in enumerate(names, 1 if names[0] == "jan" else 0)
}


class TooMany(ValueError):
    """The schedule needs more intervals than one plist may hold; `count` is how many."""

    def __init__(self, count: int) -> None:
        super().__init__(f"it needs {count:,} calendar intervals, and one plist holds at most {CAP}")
        self.count = count


def intervals(cron: str) -> list[Interval]:
    """The intervals of five valid cron fields or an alias, sorted, none twice. An empty one means every minute."""
    fields = dict(zip(_KEYS, ALIASES.get(cron, cron).split(), strict=True))
    values = {key: _values(key, text) for key, text in fields.items()}
    either = not (fields["Day"].startswith("*") or fields["Weekday"].startswith("*"))
    if not either:
        families = [values]
    elif _any("Day", values["Day"]) or _any("Weekday", values["Weekday"]):
        families = [{**values, "Day": frozenset(), "Weekday": frozenset()}]
    else:
        families = [{**values, "Weekday": frozenset()}, {**values, "Day": frozenset()}]
    plain = [{key: found for key, found in each.items() if found and not _any(key, found)} for each in families]
    count = sum(_size(family) for family in plain)
    if count > CAP:
        raise TooMany(count)
    expanded = [
        dict(zip(family, combination, strict=True))
        for family in plain
        for combination in product(*(sorted(found) for found in family.values()))
    ]
    return sorted(expanded, key=_order)


def cron_of(found: Sequence[Mapping[str, int]]) -> str | None:
    """Cron fields that fire exactly when these intervals do; None where there are no such fields."""
    plain = [{key: value % 7 if key == "Weekday" else value for key, value in each.items()} for each in found]
    keys = {frozenset(each) for each in plain}
    if len(keys) != 1 or {"Day", "Weekday"} <= next(iter(keys)):
        return None
    used = [key for key in _KEYS if key in plain[0]]
    values = {key: sorted({each[key] for each in plain}) for key in used}
    distinct = {tuple(each[key] for key in used) for each in plain}
    if len(distinct) != _size(values):
        return None  # not every combination is there
    if any(value not in range(_RANGES[key][0], _RANGES[key][1] + 1) for key in used for value in values[key]):
        return None
    return " ".join(_field(values.get(key)) for key in _KEYS)


def _field(values: Sequence[int] | None) -> str:
    if values is None:
        return "*"
    if len(values) > 2 and values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]}-{values[-1]}"
    return ",".join(map(str, values))


def _values(key: str, text: str) -> frozenset[int]:
    low, high = _RANGES[key]
    found: set[int] = set()
    for term in text.split(","):
        base, _, step = term.partition("/")
        if base == "*":
            first, last = low, high
        else:
            start, dash, end = base.partition("-")
            first = _number(start)
            last = _number(end) if dash else first
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(value % 7 for value in found) if key == "Weekday" else frozenset(found)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NAMES[text.lower()]


def _any(key: str, values: Iterable[int]) -> bool:
    low, high = _RANGES[key]
    return set(values) == set(range(low, high + 1))


def _size(family: Mapping[str, Iterable[int]]) -> int:
    count = 1
    for found in family.values():
        count *= len(set(found))
    return count


def _order(interval: Interval) -> list[int]:
    return [interval.get(key, -1) for key in ("Month", "Day", "Weekday", "Hour", "Minute")]
