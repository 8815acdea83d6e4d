"""What is removed, and when: half-made containers, predecessors that have served, networks of ours that nobody uses.

Never a volume, never an image, never anything without our mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from reconciler.model.change import Cause, Change
from reconciler.model.data import Json
from reconciler.model.state import State
from reconciler.providers.container.api import Engine
from reconciler.providers.container.make import instant
from reconciler.providers.container.rows import OLD, Row, half_made, listed, made, row_of
from reconciler.providers.container.running import stop
from reconciler.providers.container.spec import HOLDER, NETWORK

KEPT = 3600.0  # seconds for which the container of a deleted resource is kept where no sweep has removed it


def after(engine: Engine, changes: Sequence[Change]) -> None:
    """Once changes stand: what was half-made for them goes. Predecessors stay until the rollout is stable."""
    if not changes:
        return
    rows = listed(engine)
    gone: list[Row] = []
    networks: set[str] = set()
    for change in changes:
        mine = [row for row in rows if half_made(row) == str(change.id)]
        gone += mine
        networks |= _networks(state for row in mine if (state := made(row)) is not None)
        if change.cause is Cause.UNDO:
            networks |= _networks(state for state in (change.before, change.after) if state is not None)
    _remove(engine, rows, gone, networks)


def forgotten(engine: Engine, changes: Sequence[Change], rows: Sequence[Row]) -> None:
    """What resources that are no more left behind, once it is old; and what a process that died had half-made.

    `rows` is how everything stood before the batch. Nothing while a change is undone.
    """
    busy = {change.id for change in changes}
    others = [row for row in rows if row.owner is not None and row.owner not in busy]
    gone = [row for row in rows if (id_ := half_made(row)) is not None and id_ not in set(map(str, busy))]
    if not (others or gone) or any(change.cause is Cause.UNDO for change in changes):
        return
    standing = {row.owner for row in rows if row.stands}
    for row in others:
        if OLD in row.name and row.runs:
            stop(engine, row)
    gone += [r for r in others if OLD in r.name and not r.runs and r.owner not in standing and _old(engine, r)]
    if gone:
        networks = _networks(state for row in gone if (state := made(row)) is not None)
        _remove(engine, listed(engine), gone, networks)


def sweep(engine: Engine, changes: Sequence[Change]) -> None:
    """What these changes made useless: containers that are gone for good, predecessors of predecessors, networks."""
    rows = listed(engine)
    gone = [row for change in changes for row in _useless(change, rows)]
    networks = _networks(state for row in gone if (state := made(row)) is not None)
    ours = engine.networks([f"{NETWORK}=true", f"{HOLDER}={engine.holder}"])
    _remove(engine, rows, gone, networks | ours)


def _useless(change: Change, rows: Sequence[Row]) -> list[Row]:
    """Of the containers kept aside: all where the resource is no more, else those before the one set aside now."""
    mine = [row for row in rows if row.owner == change.id]
    kept = [row for row in mine if OLD in row.name]
    if not any(row.stands for row in mine):
        return kept
    last = _stood(change)
    return [row for row in kept if row.id != last] if any(row.id == last for row in kept) else []


def keeps(engine: Engine, change: Change) -> bool:
    """Whether the very container that stood before the change is there."""
    stood = _stood(change)
    return isinstance(stood, str) and engine.container(stood) is not None


def _stood(change: Change) -> Json:
    """The id of the container that stood before the change."""
    return cast("Mapping[str, Json]", change.restore or {}).get("id")


def remains(engine: Engine) -> tuple[str, ...]:
    """What stands aside: predecessors, and what was there before an adoption."""
    holder = engine.holder
    rows = [row_of(item, holder) for item in engine.containers({"name": [re.escape(OLD)]})]
    aside = sorted((row for row in rows if OLD in row.name and not row.held), key=lambda row: row.name)
    standing = {row.owner for row in listed(engine) if row.stands} if aside else set()
    return tuple(_told(row, row.owner in standing) for row in aside)


def _told(row: Row, standing: bool) -> str:
    if row.owner is None:
        service = row.name.partition(OLD)[0]
        return f"{row.name} was yours before Service/{service} was taken over: `docker rm {row.name}` removes it"
    if standing:
        return f"{row.name} is what {row.owner} was before its last change: its next one removes it"
    return f"{row.name} is left of {row.owner}: `docker rm {row.name}` removes it"


def _remove(engine: Engine, rows: Sequence[Row], gone: Sequence[Row], networks: set[str]) -> None:
    for row in gone:
        engine.remove(row.id)
    left = {row.id for row in rows} - {row.id for row in gone}
    used = {name for row in rows if row.id in left for name in row.networks}
    for name in sorted(networks - used):
        about = engine.network(name)
        labels = about.get("Labels") if about else None
        if isinstance(labels, dict) and NETWORK in labels:
            engine.remove_network(name)


def _networks(states: Iterable[State]) -> set[str]:
    return {name for state in states for name in cast("Sequence[str]", state.attributes.get("networks", ()))}


def _old(engine: Engine, row: Row) -> bool:
    about = engine.container(row.id)
    state = about.get("State") if about else None
    ended = instant(str(state.get("FinishedAt", ""))) if isinstance(state, dict) else None
    return ended is not None and (engine.host.clock.now() - ended).total_seconds() > KEPT
