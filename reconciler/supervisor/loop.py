"""The one loop: descriptors, deadlines and signals. Sleeps until something is due; never looks just to look."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

from reconciler.runner.signals import Signals


class PollLoop:
    """Runs callbacks one at a time, in one thread."""

    def __init__(self) -> None:
        self.signals = Signals()
        self._poll = select.poll()
        self._ready: dict[int, Callable[[], None]] = {}
        self._deadlines: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.watch(self.signals.descriptor, self.signals.drain)

    def watch(self, descriptor: int, ready: Callable[[], None], events: int = select.POLLIN) -> None:
        """Call `ready` whenever the descriptor can be read (or what `events` asks for)."""
        self._poll.register(descriptor, events)
        self._ready[descriptor] = ready

    def unwatch(self, descriptor: int) -> None:
        if self._ready.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` once, so many seconds from now."""
        heapq.heappush(self._deadlines, (time.monotonic() + seconds, next(self._numbers), act))

    def turn(self, most: float) -> None:
        """Sleep until something happens, at most so many seconds, and do what is due then."""
        if self._deadlines:
            most = min(most, self._deadlines[0][0] - time.monotonic())
        for descriptor, _ in self._poll.poll(max(0.0, most) * 1000 + 0.5 if most > 0 else 0):
            ready = self._ready.get(descriptor)
            if ready is not None:  # an earlier callback of this turn may have dropped it
                ready()
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            heapq.heappop(self._deadlines)[2]()
