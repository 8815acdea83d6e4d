"""Wait until everything is healthy and has stayed so for a while, or until the time is over.

The only place that polls. All time comes from the clock it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from reconciler.health.check import check, limit
from reconciler.host.protocol import Clock, Host
from reconciler.model.duration import format_duration
from reconciler.model.ills import NotYet
from reconciler.model.resource import VerifyPolicy

K = TypeVar("K")

WORKERS = 8
_SHORTEST_PAUSE = 0.01
_ROUNDING = 1e-6  # seconds: sums of floats may fall short of the instant that was slept for


_Backend: TypeAlias = Callable[[], "str | None"]


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one key: why it is not healthy (or None), and when the look began and ended."""

    failure: str | None
    began: float
    ended: float
    final: bool = False  # it cannot become healthy any more


@dataclass(slots=True)
class _Watched(Generic[K]):
    """One key that is waited for, with its last look and the beginning of its health."""

    key: K
    policy: VerifyPolicy
    deadline: float  # when it must have become healthy
    backend: _Backend | None = None  # why it does not run, where that is to be asked
    look: _Look = _Look(None, 0.0, 0.0)
    healthy_since: float | None = None
    ever_healthy: bool = False

    def record(self, look: _Look) -> None:
        self.look = look
        if look.failure is not None:
            self.healthy_since = None
        elif self.healthy_since is None:
            self.healthy_since = look.began
            self.ever_healthy = True

    @property
    def last_call(self) -> float:
        """When even the slowest probe must have answered for the last time."""
        slowest = max((limit(probe) for probe in self.policy.probes), default=0.0)
        return self.deadline + self.policy.stable_for + slowest

    @property
    def due(self) -> float:
        """When the next look could settle it."""
        return self.deadline if self.healthy_since is None else self.healthy_since + self.policy.stable_for

    @property
    def settled(self) -> bool:
        if self.healthy_since is None:
            return self.look.final or self.look.ended >= self.deadline - _ROUNDING
        return self.look.began - self.healthy_since >= self.policy.stable_for - _ROUNDING

    @property
    def verdict(self) -> str | None:
        failure = self.look.failure
        if failure is None or not self.ever_healthy:
            return failure
        return f"{failure} (it was healthy before, but did not stay so for {format_duration(self.policy.stable_for)})"


_Asker: TypeAlias = Callable[[_Watched[K]], _Look]


def wait(
    policies: Mapping[K, VerifyPolicy],
    host: Host,
    clock: Clock,
    *,
    interval: float,
    backends: Mapping[K, _Backend] | None = None,
) -> Iterator[dict[K, str | None]]:
    """By key: None once every probe passed within `within` seconds and kept passing for `stable_for`, else why not.

    Each key is told in the round that settles it. The time of every key runs from now; each is looked at at least
    once, and once more when its time is over. `backends`, where given, are asked before the probes: why it does not
    run; anything but a NotYet settles it at once. Ends within the longest `within + stable_for` seconds and the limit
    of the slowest probe.
    """
    start = clock.monotonic()
    asked = backends or {}
    waiting = [_Watched(key, policy, start + policy.within, asked.get(key)) for key, policy in policies.items()]
    many = sum(bool(policy.probes) for policy in policies.values()) > 1
    with _round(lambda watched: _look(watched, host, clock), parallel=many) as look_at_all:
        while waiting:
            for watched, look in zip(waiting, look_at_all(waiting), strict=True):
                watched.record(look)
            if settled := {watched.key: watched.verdict for watched in waiting if watched.settled}:
                yield settled
            waiting = [watched for watched in waiting if watched.key not in settled]
            if waiting:
                due = min(watched.due for watched in waiting) - clock.monotonic()
                clock.sleep(max(0.0, min(due, max(interval, _SHORTEST_PAUSE))))


def _look(watched: _Watched[K], host: Host, clock: Clock) -> _Look:
    """Ask the backend, then the probes in order, up to the first that fails."""
    began = clock.monotonic()
    failure = watched.backend() if watched.backend is not None else None
    if failure is not None:
        return _Look(failure, began, clock.monotonic(), final=not isinstance(failure, NotYet))
    for probe in watched.policy.probes:
        left = watched.last_call - clock.monotonic()
        failure = check(probe, host, timeout=left) if left > 0 else "it could not be asked before the time was over"
        if failure is not None:
            break
    return _Look(failure, began, clock.monotonic())


@contextmanager
def _round(ask: _Asker[K], *, parallel: bool) -> Iterator[Callable[[Sequence[_Watched[K]]], list[_Look]]]:
    """How one round asks: one after the other, or a few at a time."""
    if not parallel:
        yield lambda everything: [ask(watched) for watched in everything]
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(WORKERS)
    try:
        yield lambda everything: list(pool.map(ask, everything))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
