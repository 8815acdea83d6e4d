"""Review of the register: two owners of one port, a port that somebody else holds, ports with a catch. Pure.

The system does not say which resource a process belongs to. So whoever listens is taken for the owner where the
owner stands on this host already (`standing`, from the engine); where it does not, it can only be somebody else. So
it is where an owner moves (`others`): what listens there is another process than the one on its port so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change, Danger, Hazard
from reconciler.model.data import Json
from reconciler.model.port import Claim, claim, overlap
from reconciler.model.state import State
from reconciler.provider import Finding
from reconciler.providers.port.facts import UNKNOWN, key

_ENTERED = frozenset({Action.CREATE, Action.UPDATE, Action.REPLACE})


def review(
    facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
) -> tuple[Finding, ...]:
    """Refusals first, then hazards in the order of the changes."""
    entered = [(c.id, c.after) for c in changes if c.action in _ENTERED and c.after is not None]
    found = _two_owners(after)
    found += _moved(facts, changes)
    for check in (_in_use, _privileged, _ephemeral):
        found += [finding for id_, state in entered if (finding := check(facts, id_, state)) is not None]
    return tuple(found)


def _two_owners(after: Mapping[ResourceId, State]) -> list[Finding]:
    """Claims on one port whose addresses meet, by different owners."""
    by_port: dict[tuple[str, int], list[ResourceId]] = {}
    for id_ in sorted(after):
        protocol, port, _ = claim(after[id_])
        by_port.setdefault((protocol, port), []).append(id_)
    found: list[Finding] = []
    for ids in by_port.values():
        for one, other in combinations(ids, 2):
            first, second = after[one], after[other]
            if _owner(first) != _owner(second) and overlap(claim(first).address, claim(second).address):
                message = f"{one} gives {claim(first)} to {_owner(first)}, "
                message += f"and {other} gives {claim(second)} to {_owner(second)}: only one can have it"
                found.append(Finding(message, (one, other), "take one of the claims out, or choose another port"))
    return found


def _moved(facts: Mapping[str, Json], changes: Sequence[Change]) -> list[Finding]:
    """Somebody else listens where a claim moves to, unless that is another owner who moves away in the same plan."""
    others = cast("Mapping[str, Sequence[str]]", facts.get("others", {}))
    found: list[Finding] = []
    for change in changes:
        names = others.get(str(change.id))
        if not names or change.before is None or change.after is None:
            continue
        owner, old, new = _owner(change.after), claim(change.before), claim(change.after)
        if any(_leaves(other, new) for other in changes if other is not change):
            continue
        message = f"{owner} cannot move from {old} to {new}: it is in use by {' and '.join(names)}"
        hint = f"stop what listens there, or choose another port; if it is {owner} too, add a Port and keep this one"
        found.append(Finding(message, (change.id,), hint))
    return found


def _leaves(change: Change, wanted: Claim) -> bool:
    return change.before is not None and wanted.met_by(*claim(change.before))


def _in_use(facts: Mapping[str, Json], id_: ResourceId, state: State) -> Finding | None:
    """Somebody listens there, and the owner does not even stand on this host."""
    wanted, owner = claim(state), _owner(state)
    if owner in cast("Sequence[str]", facts.get("standing", ())):
        return None
    names = _listening(facts, wanted)
    tried = cast("Mapping[str, str]", facts.get("tried", {})).get(key(wanted))
    if not names and (tried is None or _is_privileged(facts, wanted)):
        return None
    cause = f"it is in use by {' and '.join(names)}" if names else str(tried)
    message = f"{owner} cannot listen on {wanted}: {cause}"
    if names:
        message += f", and {owner} does not stand on this host yet"
    return Finding(message, (id_,), "stop what listens there, or adopt it as the owner, or choose another port")


def _listening(facts: Mapping[str, Json], wanted: Claim) -> list[str]:
    """Who stands in the way, by program name; the ones that the system does not name come as one."""
    names = {
        str(one.get("program", UNKNOWN))
        for one in cast("Sequence[Mapping[str, Json]]", facts.get("listeners", ()))
        if wanted.met_by(str(one["protocol"]), cast(int, one["port"]), str(one["address"]))
    }
    return sorted(names)


def _is_privileged(facts: Mapping[str, Json], wanted: Claim) -> bool:
    return wanted.port < cast(int, facts.get("unprivileged", 0))


def _privileged(facts: Mapping[str, Json], id_: ResourceId, state: State) -> Finding | None:
    """A low port, by a user who may not take one. A container engine or the system's own manager may."""
    wanted = claim(state)
    if not _is_privileged(facts, wanted) or _listening(facts, wanted):
        return None
    if key(wanted) not in cast("Mapping[str, str]", facts.get("tried", {})):
        return None  # tried, and had: this user has the right
    start = facts["unprivileged"]
    message = f"{wanted} may be taken only with a right that you do not have: it is below {start}"
    hint = f"choose a port from {start} on, or accept it where something with that right runs {_owner(state)}"
    hazard = Hazard(Danger.DOWNTIME, message, hint, blocking=True)
    return Finding(message, (id_,), hint, hazard)


def _ephemeral(facts: Mapping[str, Json], id_: ResourceId, state: State) -> Finding | None:
    """A port that the system may give to an outgoing connection at any time."""
    wanted = claim(state)
    low, high = cast("Sequence[int]", facts.get("ephemeral", (0, -1)))
    spans = cast("Sequence[Sequence[int]]", facts.get("reserved", ()))
    if not low <= wanted.port <= high or any(first <= wanted.port <= last for first, last in spans):
        return None
    message = f"{wanted} is one of those ({low} to {high}) that the system gives to outgoing connections: "
    message += f"one of them may hold it when {_owner(state)} starts"
    hint = f"choose a port below {low}, or reserve it in net.ipv4.ip_local_reserved_ports"
    return Finding(message, (id_,), hint, Hazard(Danger.DOWNTIME, message, hint))


def _owner(state: State) -> str:
    return str(state.attributes["owner"])
