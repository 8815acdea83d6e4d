"""Decide what must not happen: one small pure guard per danger, each answering with vetoes.

A veto that may be overruled names the word to pass to `--accept`; the others cannot be overruled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.engine.moves import making_room, moves
from reconciler.model.address import Place, ResourceId
from reconciler.model.change import Action, Cause, Change, Danger, Hazard
from reconciler.model.data import Json
from reconciler.model.frozen import dataclass
from reconciler.model.intent import Difference, Intent, Request
from reconciler.model.plan import Veto
from reconciler.model.resource import Protect, Revision
from reconciler.model.state import Ownership, Snapshot, State
from reconciler.provider import Finding, HasReview, Provider


@dataclass(frozen=True, slots=True)
class Verdict:
    """The changes with their hazards filled in, and everything that refuses them."""

    changes: tuple[Change, ...]
    vetoes: tuple[Veto, ...]


def guard(
    difference: Difference,
    intents: Sequence[Intent],
    snapshot: Snapshot,
    request: Request,
    providers: Mapping[str, Provider],
    revision: Revision,
) -> Verdict:
    """Every guard over one difference. Vetoes come in a fixed order, then by address."""
    findings = (*_findings(difference.changes, snapshot, providers), *left_running(difference.changes, snapshot))
    room = making_room(difference, intents, snapshot)
    changes = tuple(moving(_with_hazards(change, findings), room) for change in difference.changes)
    vetoes = (
        *difference.vetoes,
        *backend(changes, snapshot),
        *quarantine(changes, snapshot, revision),
        *empty_tree(changes, intents, request),
        *prune_limit(changes, snapshot, request),
        *protection(changes, snapshot),
        *limits(findings),
        *hazards(changes, request),
    )
    return Verdict(changes, vetoes)


def backend(changes: Sequence[Change], snapshot: Snapshot) -> tuple[Veto, ...]:
    """A change through a backend that cannot be used on this host."""
    return tuple(
        Veto(
            "backend",
            f"{change.provider} cannot be used on {snapshot.host.name}: {why}",
            change.id,
            _elsewhere(change),
        )
        for change in changes
        if (why := snapshot.unsupported.get(change.provider)) is not None
    )


def _elsewhere(change: Change) -> str | None:
    field = {"Automation": "scheduler", "Service": "supervisor"}.get(change.id.kind)
    return f"make it usable, or name another `{field}` in the manifest" if field and change.after else None


def quarantine(changes: Sequence[Change], snapshot: Snapshot, revision: Revision) -> tuple[Veto, ...]:
    """A revision that failed before. Changes that a person asked for by name are let through."""
    failed = next((q for q in snapshot.quarantine if q.revision.digest == revision.digest), None)
    if failed is None or all(change.cause is Cause.REQUESTED for change in changes):
        return ()
    message = f"this revision ({revision.label}) is quarantined since rollout {failed.rollout}: {failed.reason}"
    hint = f"change the manifests, or let it try again with `reconcile release --quarantine {revision.digest[:8]}`"
    return (Veto("quarantine", message, hint=hint),)


def empty_tree(changes: Sequence[Change], intents: Sequence[Intent], request: Request) -> tuple[Veto, ...]:
    """Desired is empty: more likely a mistake than a wish, so nothing is ever pruned for it."""
    removed = [change for change in changes if change.cause is Cause.REMOVED]
    if any(not intent.id.reserved for intent in intents) or not removed or request.targets:
        return ()
    count = len(removed)
    message = f"the desired tree holds no manifest, which would remove {_things(count)}: an empty tree never prunes"
    return (Veto("empty-tree", message, hint="check the path; to remove everything, use `reconcile rollback 0`"),)


def prune_limit(changes: Sequence[Change], snapshot: Snapshot, request: Request) -> tuple[Veto, ...]:
    """Too much would be removed at once."""
    removed = sum(change.cause is Cause.REMOVED for change in changes)
    total, policy = len(snapshot.inventory), request.prune
    if removed <= policy.count or removed * 100 <= total * policy.percent or "prune" in request.accept:
        return ()
    message = (
        f"{_things(removed)} of {total} would be removed, "
        f"more than {policy.percent} % of the inventory and more than {policy.count}"
    )
    hint = "if that is what you want, pass `--accept prune`"
    return (Veto("prune-limit", message, hint=hint, accept="prune"),)


def protection(changes: Sequence[Change], snapshot: Snapshot) -> tuple[Veto, ...]:
    """A protected resource would be deleted or replaced. The inventory remembers the protection."""
    protected = {entry.id: entry.protect for entry in snapshot.inventory if entry.protect}
    vetoes: list[Veto] = []
    for change in changes:
        deletes = change.action is Action.DELETE and change.id in protected
        replaces = change.action is Action.REPLACE and protected.get(change.id) is Protect.REPLACE
        if deletes or replaces:
            message = f"{change.id} is protected: its manifest said `protect: {protected[change.id]}`"
            hint = "put the manifest back, take `protect` out and apply; then it can go. Or release the resource"
            vetoes.append(Veto("protect", message, change.id, hint))
    return tuple(vetoes)


def left_running(changes: Sequence[Change], snapshot: Snapshot) -> tuple[Finding, ...]:
    """What is made anew while another backend of the same kind may still run it. A hazard, and no refusal."""
    entries = {entry.id: entry for entry in snapshot.inventory}
    found: list[Finding] = []
    for change in changes:
        entry = entries.get(change.id)
        before = snapshot.left_with(entry) if entry is not None and change.action is Action.CREATE else None
        if before is not None:
            message = f"{change.id} may still run on {before}: then it runs twice"
            hint = "stop it there, or ask that one again (for containers: DOCKER_HOST, or the docker context)"
            found.append(Finding(message, (change.id,), hint, Hazard(Danger.DOUBLE_RUN, message, hint)))
    return tuple(found)


def moving(change: Change, room: Mapping[Place, str]) -> Change:
    """What moves is down where it must leave its port first; no backend can know that. A hazard, and no refusal."""
    if change.place not in room:
        return change
    way = f"from {change.provider} to {room[change.place]}"
    message = f"{change.id} is down while it moves {way}: only one of them can hold its port"
    return replace(change, hazards=(*change.hazards, Hazard(Danger.DOWNTIME, message)))


def limits(findings: Sequence[Finding]) -> tuple[Veto, ...]:
    """What a provider's review refuses outright."""
    return tuple(
        Veto("limit", finding.message, finding.ids[0] if len(finding.ids) == 1 else None, finding.hint)
        for finding in findings
        if finding.hazard is None
    )


def hazards(changes: Sequence[Change], request: Request) -> tuple[Veto, ...]:
    """Blocking hazards that the user has not accepted by name; one veto per hazard text."""
    vetoes: dict[str, Veto] = {}
    for change in changes:
        for hazard in change.hazards:
            if not hazard.blocking or hazard.danger.value in request.accept:
                continue
            accept = hazard.danger.value
            hint = f"{hazard.hint}; or" if hazard.hint else "if that is what you want,"
            known = vetoes.get(hazard.message)
            vetoes[hazard.message] = Veto(
                guard="hazard",
                message=hazard.message,
                id=change.id if known is None else None,
                hint=f"{hint} pass `--accept {accept}`",
                accept=accept,
            )
    return tuple(vetoes.values())


def _findings(
    changes: Sequence[Change], snapshot: Snapshot, providers: Mapping[str, Provider]
) -> tuple[Finding, ...]:
    """Each provider's review of what would stand on the host afterwards."""
    found: list[Finding] = []
    standing = {item.id for item in snapshot.found if item.ownership is Ownership.OURS}
    standing |= {change.id for change in changes if change.action is Action.ADOPT}
    shared: dict[str, Json] = {"standing": sorted(map(str, standing))}  # what a backend cannot see of the others
    away = moves(changes)
    for name, facts in sorted(snapshot.facts.items()):
        provider, mine = providers[name], [change for change in changes if change.provider == name]
        if mine and isinstance(provider, HasReview):
            said = provider.review({**facts, **shared}, _outcome(snapshot, name, mine), mine)
            found += [finding for finding in said if not _goes_on(finding, name, away)]
    return tuple(found)


def _goes_on(finding: Finding, provider: str, away: Mapping[Place, str]) -> bool:
    """Whether it says that something ends which goes on in another backend."""
    down = finding.hazard is not None and finding.hazard.danger is Danger.DOWNTIME
    return down and all(Place(provider, id_) in away for id_ in finding.ids)


def _outcome(snapshot: Snapshot, provider: str, changes: Sequence[Change]) -> dict[ResourceId, State]:
    after = {
        item.id: item.state
        for item in snapshot.found
        if item.provider == provider and item.ownership is Ownership.OURS
    }
    for change in changes:
        after.pop(change.id, None)
        if change.after is not None and change.action is not Action.RELEASE:
            after[change.id] = change.after
    return after


def _with_hazards(change: Change, findings: Sequence[Finding]) -> Change:
    mine = tuple(f.hazard for f in findings if f.hazard is not None and change.id in f.ids)
    return replace(change, hazards=change.hazards + mine) if mine else change


def _things(count: int) -> str:
    return f"{count} resource{'s' if count != 1 else ''}"
