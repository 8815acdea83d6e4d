"""The calls of a fake host: their log entries, and the faults that tests put in their way."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.host.protocol import READING_METHODS


class Crash(BaseException):
    """The process dies here. Not an Exception, so that no handler may survive it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One host call: its number from 1, the method, and what it was about, as text."""

    number: int
    method: str
    target: str

    @property
    def writes(self) -> bool:
        if self.method == "request":
            return self.target.split(" ", 1)[0] not in READING_METHODS
        return self.method in {"execute", "write", "remove"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Raise `error` at a call, before or after its effect."""

    error: BaseException
    before: bool
