"""Durations as people write them (`30s`, `1h30m`) and as seconds. Parsing and printing live together."""

from __future__ import annotations

from reconciler.model.lazy import pattern

_DURATION = pattern(
    r"(?:(?P<d>[0-9]{1,9})d)?(?:(?P<h>[0-9]{1,9})h)?(?:(?P<m>[0-9]{1,9})m(?!s))?"
    r"(?:(?P<s>[0-9]{1,9})s)?(?:(?P<ms>[0-9]{1,9})ms)?"
)
_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def parse_duration(text: str) -> int | float:
    """Seconds of `500ms`, `30s`, `5m`, `2h`, `1d` or `1h30m`: an int where they are whole. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or match.lastgroup is None:
        raise ValueError(f"{text!r} is not a duration; write for example 500ms, 30s, 5m, 1h30m or 2d")
    total = sum(int(match[unit] or 0) * size for unit, size in _MILLISECONDS.items())
    return total // 1000 if total % 1000 == 0 else total / 1000


def format_duration(seconds: float) -> str:
    """Seconds for people: `5m`, `1h 30m`, `500ms`, `0s`. Rounded to the millisecond."""
    rest = round(seconds * 1000)
    if rest < 0:
        return f"-{format_duration(-seconds)}"
    parts: list[str] = []
    for unit, size in _MILLISECONDS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
