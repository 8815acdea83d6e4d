"""Observe: every unit of ours in every manager asked for, and foreign ones that run what a wanted resource would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.job import unwrapped
from reconciler.model.state import Observation, Observed, Ownership, State
from reconciler.provider import Wanted
from reconciler.providers.systemd.look import Look
from reconciler.providers.systemd.manager import Scope
from reconciler.providers.systemd.others import Other, others, twins
from reconciler.providers.systemd.scopes import bare, default_of, lingers, managers, scope_of
from reconciler.providers.systemd.units import document, names

PROVIDER = "systemd"


def observe(host: Host, wanted: Sequence[Wanted]) -> Observation:
    """One look at one's own manager, at that of the machine for root, and at each that `wanted` names."""
    default = default_of(host)
    states = {item.id: state for item in wanted if (state := item.desired or item.applied) is not None}
    named: dict[Scope, list[ResourceId]] = {}
    for one in wanted:
        for scope in {scope_of(state, default) for state in (one.desired, one.applied) if state is not None}:
            named.setdefault(scope, []).append(one.id)
    looks = [Look(host, m) for m in managers(host, named).values()]
    ours: dict[ResourceId, list[Observed]] = {}
    for look in looks:
        for item in _ours(look, states, default):
            ours.setdefault(item.id, []).append(item)
    found = [_one(items) for items in ours.values()]
    missing = {i.id: i.desired for i in wanted if i.desired is not None and i.id not in ours}
    facts: dict[str, Json] = {"default": default, "lingers": True}
    if any(look.manager.scope == "user" for look in looks):
        facts["lingers"] = lingers(host)
    taken: dict[str, Json] = {}
    occupied: dict[str, Json] = {}
    for look in looks:
        mine = {id_: s for id_, s in sorted(missing.items()) if scope_of(s, default) == look.manager.scope}
        found += _in_the_way(host, look, mine, taken)
        occupied |= {str(id_): f"{look.manager.folder}/{max(files)}" for id_ in mine if (files := look.files_of(id_))}
        drop_ins: dict[str, Json] = {str(id_): paths for id_ in mine if (paths := look.drop_ins(id_))}
        facts |= {"dropIns": drop_ins} if drop_ins else {}
    facts |= {"occupied": occupied} if occupied else {}
    return Observation(tuple(found), facts | ({"twins": taken} if taken else {}))


def label(states: Mapping[ResourceId, State], id_: ResourceId, scope: Scope, default: Scope) -> str:
    """The scope as the wanted state names it, so that naming the default is no difference."""
    wanted = states[id_].attributes.get("scope") if id_ in states else ""
    if scope != default:
        return scope
    return scope if wanted == scope else ""


def _ours(look: Look, states: Mapping[ResourceId, State], default: Scope) -> list[Observed]:
    masked = [id_ for id_ in states if not look.is_ours(id_) and look.is_masked(id_)]
    return [
        Observed(
            id=id_,
            provider=PROVIDER,
            state=State({"scope": label(states, id_, look.manager.scope, default), **_standing(look, states, id_)}),
            ownership=Ownership.OURS,
            where=f"{look.manager.folder}/{names(id_)[-1]}",
            document=document(look.files_of(id_)),
            restore=look.note(names(id_)),
            trouble=look.trouble(id_),
        )
        for id_ in [*look.ours(), *sorted(masked)]
    ]


def _standing(look: Look, states: Mapping[ResourceId, State], id_: ResourceId) -> dict[str, Json]:
    """How it stands. A state that somebody else had brought it into, and that an undo cannot, is taken as wanted:
    that the manager had not read a file yet, and that a unit which is down had failed.
    """
    wanted = states[id_].attributes if id_ in states else {}
    found = look.standing(id_, bare(wanted))
    if "stale" in wanted:
        found["stale"] = True
    if "activity" in wanted and not look.active([names(id_)[-1]]):
        found["activity"] = wanted["activity"]
    return found


def _one(items: Sequence[Observed]) -> Observed:
    """One observation for an id; two places for it are trouble."""
    if len(items) == 1:
        return items[0]
    places = " and ".join(item.where for item in items)
    return replace(items[0], trouble=f"units of {items[0].id} stand in two managers: {places}")


def _in_the_way(
    host: Host, look: Look, missing: Mapping[ResourceId, State], taken: dict[str, Json]
) -> list[Observed]:
    """Foreign units that run the same, and files under our names that do not carry our mark."""
    if not missing:
        return []
    theirs = others(host, look)
    found: list[Observed] = []
    for id_, state in missing.items():
        scope = state.attributes["scope"]
        if files := look.files_of(id_):
            same = [Other(files, look.links_of(files), tuple(look.active(files)), None)]
        else:
            same = twins(theirs, id_, unwrapped(state).attributes.get("command"))  # none: a file that somebody edited
            if same:
                taken[str(id_)] = [other.main for other in same]
        found += [
            Observed(
                id=id_,
                provider=PROVIDER,
                state=State({**_does(other, look), "scope": scope}),
                ownership=Ownership.FOREIGN,
                where=f"{look.manager.folder}/{other.main}",
                document=other.text(),
                restore=other.note(look.manager.scope),
            )
            for other in same
        ]
    return found


def _does(other: Other, look: Look) -> dict[str, Json]:
    """What a unit of somebody else does: as ours would say it, as far as a manifest can."""
    from reconciler.providers.systemd.importer import understood  # loads the kinds: needed for a twin only

    found = understood(other, look)
    return other.attributes() if found is None else {**found, "unit": other.main}
