"""Carrying out a batch: every precondition first, then images and networks once, then containers side by side.

Only changes that want the same port or volume wait for each other. What is left over is removed once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar, cast

from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import ReconcileError
from reconciler.model.state import State
from reconciler.providers.container import tidy
from reconciler.providers.container.api import Engine
from reconciler.providers.container.look import tags_for
from reconciler.providers.container.make import ensure_image, ensure_networks
from reconciler.providers.container.rows import listed
from reconciler.providers.container.work import Work

T = TypeVar("T")
WORKERS = 16  # containers at once: most of the time is the engine's, or that of programs that take their time to stop


def carry_out(engine: Engine, changes: Sequence[Change], home: str, workers: int = WORKERS) -> None:
    """All changes of a batch. One that fails is taken back by itself; those that stand are the engine's to undo."""
    rows = listed(engine)
    mine = {change.id for change in changes}
    tags = tags_for(engine, [row for row in rows if row.stands and row.owner in mine])
    works = [Work(engine, change, home, rows, tags) for change in changes]
    pending = [work for work in works if not work.done()]
    for work in pending:
        work.expect()
    _supply(engine, [work for work in pending if work.makes], workers)
    side_by_side([partial(_in_order, lane) for lane in lanes(pending)], workers)
    tidy.after(engine, [work.change for work in works if work.leaves])
    tidy.forgotten(engine, changes, rows)


def _supply(engine: Engine, makers: Sequence[Work], workers: int) -> None:
    """Each image is looked for, and fetched, once; then the networks that are missing are made."""
    images = {work.wish: work for work in makers}
    tasks = [partial(work.attempt, partial(ensure_image, engine, work.after)) for work in images.values()]
    found = dict(zip(images, side_by_side(tasks, workers), strict=True))
    networks: dict[str, Work] = {}
    for work in makers:
        work.image = found[work.wish]
        networks |= {name: work for name in work.networks if name not in networks}
    try:
        for name, work in networks.items():
            work.attempt(partial(ensure_networks, engine, [name]))
    except ReconcileError:
        for work in makers:
            work.take_back()
        raise


def _in_order(lane: Sequence[Work]) -> None:
    for work in lane:
        work.run()


def lanes(works: Sequence[Work]) -> list[list[Work]]:
    """Groups that want nothing of each other's; inside a group the order stays."""
    groups: list[tuple[set[str], list[Work]]] = []
    for work in works:
        wants, together = _wants(work.change), [work]
        for group in [group for group in groups if group[0] & wants]:
            groups.remove(group)
            wants, together = wants | group[0], group[1] + together
        groups.append((wants, together))
    return [sorted(group, key=works.index) for _, group in groups]


def _wants(change: Change) -> set[str]:
    """Ports and volumes of this machine that only one container at a time should have."""
    found: set[str] = set()
    for state in (change.before, change.after):
        attributes = (state or State({})).attributes
        ports = cast("Sequence[Mapping[str, Json]]", attributes.get("ports", ()))
        volumes = cast("Sequence[str]", attributes.get("volumes", ()))
        found |= {f"port {port['host']}/{port['protocol']}" for port in ports}
        found |= {f"volume {volume.partition(':')[0]}" for volume in volumes if not volume.endswith(":ro")}
        if attributes.get("networks") == ["host"]:
            found.add("network host")  # whose ports nobody can tell
    return found


def side_by_side(tasks: Sequence[Callable[[], T]], workers: int) -> list[T]:
    """Every result. After a failure nothing new is begun, what runs is waited for, and the first error is raised."""
    if len(tasks) < 2 or workers < 2:
        return [task() for task in tasks]
    from concurrent.futures import ThreadPoolExecutor, wait

    with ThreadPoolExecutor(min(workers, len(tasks))) as pool:
        futures = [pool.submit(task) for task in tasks]
        wait(futures, return_when="FIRST_EXCEPTION")
        for future in futures:
            future.cancel()
    failed = [future for future in futures if not future.cancelled() and future.exception() is not None]
    return [future.result() for future in (failed or futures)]
