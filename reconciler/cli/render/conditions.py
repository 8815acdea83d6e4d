"""How a thing stands that it should not, in words: what a backend found besides what it was asked for.

Only what a change mends is said here; everything else is a difference of fields, in `steps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.change import FieldDiff
from reconciler.model.data import Json

_EDITED = ("systemd", "text")  # found instead of the fields, where files say what no manifest could
_UNLOADED = "is not loaded, so nothing runs it: will be loaded"
_WORDS: Mapping[tuple[str, str], Mapping[Json, str]] = {
    ("systemd", "activity"): {
        "stopped": "is stopped: will be started",
        "failed": "has failed: will be started again",
    },
    ("systemd", "enabled"): {
        False: "is not enabled, so it would not start by itself after a boot or login: will be enabled"
    },
    ("systemd", "stale"): {True: "systemd has not read its files again since they were changed: will be told to"},
    ("container", "status"): {
        "stopped": "is stopped: will be started",
        "created": "was never started: will be started",
        "paused": "is paused: will run on",
    },
    ("container", "record"): {"changed": "its labels do not say any more how it was made: will be made again"},
    ("launchd", "loaded"): {False: _UNLOADED},
    ("embedded", "loaded"): {False: _UNLOADED},
}


def conditions(provider: str, diffs: Sequence[FieldDiff]) -> tuple[tuple[str, ...], tuple[FieldDiff, ...]]:
    """The conditions in words, and the differences that are left."""
    said: list[str] = []
    left: list[FieldDiff] = []
    edited = any((provider, *diff.path) == _EDITED and diff.after is None for diff in diffs)
    for diff in diffs:
        if (words := _words(provider, diff)) is not None:
            said.append(words)
        elif not edited or diff.before is not None:  # what edited files do not say, the raw difference shows
            left.append(diff)
    return tuple(said), tuple(left)


def _words(provider: str, diff: FieldDiff) -> str | None:
    place = (provider, *diff.path)
    if diff.after is not None or len(place) != 2:
        return None
    if place == _EDITED:
        return "its files were edited: will be written again as the manifest says"
    return _WORDS.get(place, {}).get(diff.before) if isinstance(diff.before, str | bool) else None
