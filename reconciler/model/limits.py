"""Everything in one spec that a backend cannot express, collected, so that a person reads all of it at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from reconciler.model.errors import UnsupportedSpec


class Limits:
    """`with limits:` notes a refusal and goes on behind the block; `end` raises what was noted, as one error."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: list[UnsupportedSpec] = []

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: TracebackType | None) -> bool:
        if not isinstance(error, UnsupportedSpec):
            return False
        self._found += error.limits
        return True

    def add(self, message: str, *, field: str | None, hint: str | None = None) -> None:
        """Note one more."""
        self._found.append(UnsupportedSpec(message, field=field, hint=hint))

    @property
    def found(self) -> tuple[UnsupportedSpec, ...]:
        """Everything that was noted, in order."""
        return tuple(self._found)

    def end(self) -> None:
        """Raises UnsupportedSpec, with everything in it, where anything was noted."""
        if self._found:
            raise joined(self.found)


def joined(found: Sequence[UnsupportedSpec]) -> UnsupportedSpec:
    """One error for all of these, at least one; the first speaks where there is room for one only."""
    first, *others = found
    return UnsupportedSpec(first.message, field=first.field, hint=first.hint, others=tuple(others))
