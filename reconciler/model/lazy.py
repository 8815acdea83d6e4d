"""Patterns that are compiled when they are first used: start-up is felt on every command."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

T = TypeVar("T", str, bytes)


class _LazyPattern:
    """Stands for a compiled pattern; the first use of any of its methods compiles it."""

    def __init__(self, source: str | bytes, flags: int) -> None:
        self._source = source
        self._flags = flags
        self._compiled: re.Pattern[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if self._compiled is None:
            self._compiled = re.compile(self._source, self._flags)
        method = getattr(self._compiled, name)
        self.__dict__[name] = method  # the next use finds it without coming here
        return method


def pattern(source: T, flags: int = 0) -> re.Pattern[T]:
    """Like `re.compile`, later."""
    return cast("re.Pattern[T]", _LazyPattern(source, flags))
