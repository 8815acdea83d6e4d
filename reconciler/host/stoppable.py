"""A clock whose waits end early when the user wants to stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from reconciler.host.protocol import Clock
from reconciler.model.errors import ReconcileError

SLICE = 0.2  # seconds between two looks at `stopping`


class Stopped(ReconcileError):
    """A wait was given up because the user asked to stop."""


class StoppableClock:
    """Wraps a clock. `stopping` answers the reason to stop, or None; `sleep` then raises Stopped."""

    def __init__(self, clock: Clock, stopping: Callable[[], str | None]) -> None:
        self._clock = clock
        self._stopping = stopping

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            if (why := self._stopping()) is not None:
                raise Stopped(f"stopped by {why} while waiting")
            self._clock.sleep(min(left, SLICE))
