"""Observe: one list of what carries our mark, a second one only where something wanted is not in it. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.resource import Resource, Source
from reconciler.model.state import Observation, Observed, Ownership, State
from reconciler.provider import Wanted
from reconciler.providers.container.api import Engine
from reconciler.providers.container.make import ended
from reconciler.providers.container.review import facts
from reconciler.providers.container.rows import NEW, OLD, Row, follows, half_made, note, row_of, state_of, whole_name
from reconciler.providers.container.spec import ID, RELEASED, canonical, document

PROVIDER = "container"


def observe(engine: Engine, wanted: Sequence[Wanted]) -> Observation:
    holder = engine.holder
    rows = [row_of(item, holder) for item in engine.containers({"label": [ID]})]
    mine: dict[ResourceId, list[Row]] = {}
    for row in rows:
        if row.owner is not None:
            mine.setdefault(row.owner, []).append(row)
    found: dict[ResourceId, Observed] = {}
    tags = tags_for(engine, rows)
    for id_, group in mine.items():
        standing = sorted((row for row in group if row.stands), key=lambda row: (row.name != id_.name, row.name))
        if standing:
            found[id_] = _ours(id_, standing, tags)
    for one in wanted:
        group = mine.get(one.id, [])
        midway = _midway(engine, one, group, found.get(one.id)) or _releasing(engine, one, group)
        if midway is not None:
            found[one.id] = midway
    missing = [one.id for one in wanted if one.desired is not None and one.id not in found]
    theirs = _in_the_way(engine, missing)
    every = sorted([*found.values(), *theirs], key=lambda item: (item.id, item.where))
    in_the_way = facts({str(item.id): (item.where, item.state) for item in theirs})
    return Observation(tuple(every), {"keeper": f"the engine at {engine.socket}", **in_the_way})


def tags_for(engine: Engine, rows: Sequence[Row]) -> Mapping[str, str]:
    """Image ids by name: one list, and only where one of these containers follows the name of its image."""
    if not any(follows(row) for row in rows):
        return {}
    return {
        whole_name(str(tag)): str(item.get("Id"))
        for item in engine.images()
        for tag in cast("Sequence[Json]", item.get("RepoTags") or ())
    }


def _ours(id_: ResourceId, standing: Sequence[Row], tags: Mapping[str, str]) -> Observed:
    row = standing[0]
    trouble = None
    if len(standing) > 1:
        names = " and ".join(row.name for row in standing)
        trouble = f"the containers {names} both carry its mark"
    return _observed(id_, row, state_of(row, id_, tags), Ownership.OURS, trouble)


def _observed(id_: ResourceId, row: Row, state: State, ownership: Ownership, trouble: str | None = None) -> Observed:
    text = document(id_, state)
    return Observed(id_, PROVIDER, state, ownership, f"container {row.name}", text, note(row), trouble)


def _midway(engine: Engine, one: Wanted, group: Sequence[Row], standing: Observed | None) -> Observed | None:
    """A change that was begun and does not stand: seen as done and in trouble, so that an undo knows what to do.

    Only while the wanted state is not yet the one that is known to have been applied.
    """
    main = next((row for row in group if row.stands), None)
    if one.desired is None and one.applied is not None and main is None:
        return _leaving(engine, one, group)
    if one.desired is None or one.desired == one.applied:
        return None
    if standing is not None and main is not None and main.digest == one.desired.digest:
        return _fresh(engine, standing, main, one.desired)
    fresh = [row for row in group if NEW in row.name and row.digest == one.desired.digest]
    if not fresh or one.applied is None or (standing is not None and standing.state == one.applied):
        return None  # what stood before still does; the half-made one goes with the next change
    why = f"the change of the container {one.id.name} was interrupted half-way"
    return _observed(one.id, main or fresh[0], one.desired, Ownership.OURS, why)


def _leaving(engine: Engine, one: Wanted, group: Sequence[Row]) -> Observed | None:
    """A deletion that was begun and does not stand: what goes has its other name, and runs."""
    row = next((row for row in group if OLD in row.name and row.runs), None)
    if row is None:
        return None
    why = f"the deletion of the container {one.id.name} was interrupted half-way: it runs as {row.name}"
    return _observed(one.id, row, state_of(row, one.id, tags_for(engine, [row])), Ownership.OURS, why)


def _releasing(engine: Engine, one: Wanted, group: Sequence[Row]) -> Observed | None:
    """A release that was begun and does not stand: what was ours is set aside, and its successor has no name yet."""
    if one.desired is None or not group or any(row.stands for row in group):
        return None
    rows = [row_of(item) for item in engine.containers({"label": [RELEASED]})]
    half = next((row for row in rows if half_made(row) == str(one.id)), None)
    if half is None:
        return None
    why = f"the release of the container {one.id.name} was interrupted half-way"
    return _observed(one.id, half, one.desired, Ownership.OURS, why)


def _fresh(engine: Engine, standing: Observed, main: Row, desired: State) -> Observed | None:
    """A container that was just put in its place: looked at closely, for the list calls one running that ends again
    and again.
    """
    if standing.state.attributes.keys() - desired.attributes.keys() - {"status"} or standing.trouble is not None:
        return None
    about = engine.container(main.id)
    why = "it is gone" if about is None else ended(engine, about)
    if why is None:
        return None
    return replace(standing, state=desired, trouble=f"the container {main.name} does not run: {why}")


def _in_the_way(engine: Engine, missing: Iterable[ResourceId]) -> list[Observed]:
    """Containers of somebody else under a name that we want."""
    names = {id_.name: id_ for id_ in missing}
    if not names:
        return []
    patterns = [f"^/?{re.escape(name)}$" for name in sorted(names)]
    holder = engine.holder
    rows = (row_of(item, holder) for item in engine.containers({"name": patterns}))
    return [
        _observed(names[row.name], row, foreign_state(engine, row), Ownership.FOREIGN)
        for row in rows
        if row.name in names and row.owner is None
    ]


def foreign_state(engine: Engine, row: Row) -> State:
    """What a container without our mark was made from, as far as a manifest could say it; and what none can say."""
    from reconciler.kinds.service import Service
    from reconciler.providers.container.importer import read

    about = engine.container(row.id) or {}
    draft = read(about, engine.image(row.image_id or row.image) or {})
    resource = Resource(ResourceId("Service", row.name), {}, Source("", 0), labels=draft.labels)
    try:
        state = canonical(replace(resource, spec=Service.spec_data(draft.spec)))
    except (ValueError, UnsupportedSpec):
        state = State({"image": row.image, "id": row.id})
    more: dict[str, Json] = {} if row.runs else {"status": "stopped"}
    if draft.notes:
        more["lost"] = sorted(draft.notes)
    return State({**state.attributes, **more, **({"passing": True} if draft.passing else {})})
