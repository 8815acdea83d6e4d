"""Starting and stopping containers, with the patience that engines need.

An engine may say that a container has ended and still hold its ports, or start it again in a moment: Podman calls it
"stopped" until it has cleaned up, and the process that watched over it lets go of the ports later still.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import cast

from reconciler.model.data import Json
from reconciler.providers.container.api import Engine, Refusal
from reconciler.providers.container.rows import RUNS, Row, made

PATIENCE = 5.0  # seconds that an engine gets to give back what an ended container had
PAUSE = 0.05
_ENDING = "stopped"
_IN_USE = re.compile(r"already in use|already allocated")


def start(engine: Engine, id_: str, left: frozenset[int], make_way: Callable[[], None]) -> None:
    """Start it, and again while the engine refuses it for one of the ports that were just `left`.

    Before each further try `make_way` is called: Podman may start again even what it has been told to stop.
    """
    clock = engine.host.clock
    deadline = clock.monotonic() + PATIENCE
    while True:
        try:
            engine.start(id_)
        except Refusal as error:
            if not left & _taken(error):
                raise
            if clock.monotonic() >= deadline:
                late = f"{error.message}; a container that has ended did not give it back within {PATIENCE:g} s"
                raise Refusal(late, error.status) from error
        else:
            return
        make_way()
        clock.sleep(PAUSE)


def stop(engine: Engine, row: Row) -> None:
    """It runs no more, and as far as can be waited for, no restart policy brings it back."""
    if row.status == "paused":
        engine.unpause(row.id)
    if not row.runs and row.status != _ENDING:
        return
    if row.runs and engine.stop(row.id, grace_of(row)):
        return
    clock = engine.host.clock
    deadline = clock.monotonic() + PATIENCE
    while clock.monotonic() < deadline:
        about = engine.container(row.id)
        state = about.get("State") if about else None
        status = state.get("Status") if isinstance(state, dict) else None
        if status not in RUNS and status != _ENDING:
            return
        engine.stop(row.id, grace_of(row))
        clock.sleep(PAUSE)


def run_as(engine: Engine, row: Row, status: str, left: frozenset[int], make_way: Callable[[], None]) -> None:
    """Bring it to the status that was noted: running, paused, or ended."""
    if status in RUNS:
        if row.status == "paused" and status != "paused":
            engine.unpause(row.id)
        elif not row.runs:
            start(engine, row.id, left, make_way)
        if status == "paused" and row.status != "paused":
            engine.pause(row.id)
    elif row.runs:
        stop(engine, row)


def ports_of(rows: Iterable[Row]) -> frozenset[int]:
    """The ports of this machine that these containers hold, or held while they ran."""
    found = {port for row in rows for _, _, port, _ in row.ports}
    for row in rows:
        origin = made(row)
        wanted = origin.attributes.get("ports", ()) if origin else ()
        found |= {int(cast(int, port["host"])) for port in cast("Iterable[Mapping[str, Json]]", wanted)}
    return frozenset(found)


def grace_of(row: Row) -> float:
    origin = made(row)
    stop = cast("Mapping[str, Json]", origin.attributes.get("stop", {}) if origin else {})
    return float(cast(float, stop.get("grace", 10)))


def _taken(error: Refusal) -> frozenset[int]:
    """The numbers in a refusal that says that a port is in use."""
    numbers = re.findall(r"\d+", error.message) if _IN_USE.search(error.message) else ()
    return frozenset(map(int, numbers))
