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
from reconciler.model.resource import Probe

K = TypeVar("K")

WORKERS = 8
_SHORTEST_PAUSE = 0.01
_ROUNDING = 1e-6  # seconds: sums of floats may fall short of the instant that was slept for


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one key: why it is not healthy (or None), and when the look began and ended."""

    failure: str | None
    began: float
    ended: float


@dataclass(slots=True)
class _Watched(Generic[K]):
    """One key that is waited for, with its last look and the beginning of its health."""

    key: K
    probes: Sequence[Probe]
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


_Asker: TypeAlias = Callable[[Sequence[Probe]], _Look]


def wait(
    checks: Mapping[K, Sequence[Probe]],
    host: Host,
    clock: Clock,
    *,
    within: float,
    stable_for: float,
    interval: float,
) -> dict[K, str | None]:
    """By key: None once every probe passed within `within` seconds and kept passing for `stable_for`, else why not.

    Every key is looked at at least once, and once more when its time is over.
    Ends within `within + stable_for` seconds and the limit of the slowest probe.
    """
    deadline = clock.monotonic() + within
    slowest = max((limit(probe) for probes in checks.values() for probe in probes), default=0.0)
    last_call = deadline + stable_for + slowest
    waiting = [_Watched(key, probes) for key, probes in checks.items()]
    results: dict[K, str | None] = {}
    many = sum(bool(probes) for probes in checks.values()) > 1
    with _round(lambda probes: _look(probes, host, clock, last_call), parallel=many) as look_at_all:
        while waiting:
            for watched, look in zip(waiting, look_at_all([w.probes for w in waiting]), strict=True):
                watched.record(look)
                if _settled(watched, deadline, stable_for):
                    results[watched.key] = _verdict(watched, stable_for)
            waiting = [watched for watched in waiting if watched.key not in results]
            if waiting:
                due = min(_due(watched, deadline, stable_for) for watched in waiting) - clock.monotonic()
                clock.sleep(max(0.0, min(due, max(interval, _SHORTEST_PAUSE))))
    return {key: results[key] for key in checks}


def _look(probes: Sequence[Probe], host: Host, clock: Clock, last_call: float) -> _Look:
    """Ask the probes in order, up to the first that fails."""
    began = clock.monotonic()
    failure = None
    for probe in probes:
        left = last_call - clock.monotonic()
        failure = check(probe, host, timeout=left) if left > 0 else "it could not be asked before the time was over"
        if failure is not None:
            break
    return _Look(failure, began, clock.monotonic())


def _settled(watched: _Watched[K], deadline: float, stable_for: float) -> bool:
    if watched.healthy_since is None:
        return watched.look.ended >= deadline - _ROUNDING
    return watched.look.began - watched.healthy_since >= stable_for - _ROUNDING


def _due(watched: _Watched[K], deadline: float, stable_for: float) -> float:
    """When the next look at this key could settle it."""
    return deadline if watched.healthy_since is None else watched.healthy_since + stable_for


def _verdict(watched: _Watched[K], stable_for: float) -> str | None:
    failure = watched.look.failure
    if failure is None or not watched.ever_healthy:
        return failure
    return f"{failure} (it was healthy before, but did not stay so for {format_duration(stable_for)})"


@contextmanager
def _round(ask: _Asker, *, parallel: bool) -> Iterator[Callable[[Sequence[Sequence[Probe]]], list[_Look]]]:
    """How one round asks: one after the other, or a few at a time."""
    if not parallel:
        yield lambda everything: [ask(probes) for probes in everything]
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(WORKERS)
    try:
        yield lambda everything: list(pool.map(ask, everything))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
