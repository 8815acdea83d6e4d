"""Texts that the runner writes and reads: JSON without the json package, instants, durations, sizes. Pure.

The json package costs more than the rest of a start together; its C parts alone do what is needed here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Context:
    """What the C scanner wants to know."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int

    @staticmethod
    def parse_constant(name: str) -> float:
        raise ValueError(f"{name} is not JSON")


def loads(text: str) -> Any:
    """The value of a JSON text. Raises ValueError for anything that is none."""
    try:
        from _json import make_scanner
    except ImportError:
        import json

        return json.loads(text, parse_constant=_Context.parse_constant)
    start = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        value, end = make_scanner(_Context())(text, start)  # type: ignore[arg-type] # any object with these names
    except (StopIteration, SystemError):  # the latter where the C part looks for an error class of the json package
        raise ValueError("it is no JSON") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if text[end:].strip(" \t\r\n"):
        raise ValueError("text follows after the end of its JSON")
    return value


def dumps(value: Any) -> str:
    """JSON on one line, in ASCII, so that no encoding on the way can hurt it."""
    try:
        from _json import encode_basestring_ascii as quoted
    except ImportError:
        import json

        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(str(key))}:{dumps(item)}" for key, item in value.items()) + "}"
    return "[" + ",".join(map(dumps, value)) + "]"


def readable(raw: bytes) -> str:
    """Bytes of any kind as text that every reader can store."""
    return raw.decode("utf-8", "replace")


def instant(nanoseconds: int) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    import time

    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:06d}Z"


def minute(nanoseconds: int) -> str:
    """The instant floored to the minute, as schedules name it."""
    import time

    return time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(nanoseconds // 1_000_000_000))


def compact(moment: str) -> str:
    """`2026-11-21T06:00:00Z` as it stands in the id of a run; empty where it is no instant in UTC."""
    shape = "".join("0" if letter in "0123456789" else letter for letter in moment)
    if shape != "0000-00-00T00:00:00Z":
        return ""
    return moment.replace("-", "").replace(":", "")


def size(number: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.4g} {unit}"
        number /= 1024
    return f"{number:.4g} GiB"


def why(error: OSError | ValueError) -> str:
    """The cause in the system's words."""
    strerror = getattr(error, "strerror", None)
    return str(strerror or error).lower() if strerror else str(error)
