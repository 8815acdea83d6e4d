"""When to look: file events, a slow rescan that backs them up, and the drift interval.

An event only means "look soon": what changed is found out by reading, never from the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from threading import Event

DEBOUNCE = 200  # milliseconds that a burst of events may last before it is passed on
STEP = 10  # milliseconds of quiet that end a burst
RESCAN = 5.0  # seconds between two looks at the tree when no event came: events can be lost


class Wake(Enum):
    """Why a pass may be due."""

    START = "start"
    TREE = "tree"  # the tree may have changed
    DRIFT = "drift"  # it is time to look at the host


def wakes(root: Path, *, drift_interval: float, stop: Event, monotonic: Callable[[], float]) -> Iterator[Wake]:
    """Endless wakes until `stop` is set. A root that vanishes and comes back is watched again."""
    yield Wake.START
    drift_due = monotonic() + drift_interval
    while not stop.is_set():
        for _ in _events(root, min(RESCAN, max(0.05, drift_due - monotonic())), stop):
            if stop.is_set():
                return
            if monotonic() >= drift_due:
                drift_due = monotonic() + drift_interval
                yield Wake.DRIFT
            else:
                yield Wake.TREE


def _events(root: Path, timeout: float, stop: Event) -> Iterator[None]:
    """One item per burst of events or per `timeout` seconds, as long as the same folder is there."""
    from watchfiles import watch

    identity = _identity(root)
    if identity is None:
        stop.wait(timeout)
        yield None
        return
    watched = root if root.is_dir() else root.parent
    for _ in watch(
        watched,
        debounce=DEBOUNCE,
        step=STEP,
        stop_event=stop,
        rust_timeout=int(timeout * 1000),
        yield_on_timeout=True,
        raise_interrupt=False,
        watch_filter=None,
    ):
        yield None
        if _identity(root) != identity:
            return


def _identity(root: Path) -> tuple[int, int] | None:
    """Which folder or file this path names right now; None where there is none."""
    try:
        status = (root if root.is_dir() else root.parent).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
