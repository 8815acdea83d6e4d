"""Turn allowed changes into an ordered graph of steps with verify gates. Pure.

Order: dependencies first, each level followed by its gates; removals last, behind everything else. Only what moves
to another backend with its port makes room first: it is gone before it is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from graphlib import CycleError, TopologicalSorter

from reconciler.engine.moves import making_room
from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change, Danger
from reconciler.model.frozen import dataclass
from reconciler.model.intent import Difference, Intent, Request
from reconciler.model.plan import ApplyStep, Plan, Step, VerifyStep, Veto
from reconciler.model.resource import Desired, Probe, VerifyPolicy
from reconciler.model.state import Owned, Snapshot
from reconciler.provider import HasHealth, Provider

LISTENING = "listening"  # the probe that a claim implies; its option `owner` names who is to listen


def plan(
    desired: Desired,
    intents: Sequence[Intent],
    snapshot: Snapshot,
    request: Request,
    difference: Difference,
    changes: Sequence[Change],
    vetoes: Sequence[Veto],
    providers: Mapping[str, Provider],
) -> Plan:
    """The plan for these changes. Its fingerprint is filled in by the caller, which owns the mask."""
    wanted = {intent.id: intent for intent in intents}
    graph = _Graph(wanted, snapshot, request, difference, providers, frozenset(change.id for change in changes))
    removals = [change for change in changes if change.action is Action.DELETE]
    room = making_room(difference, intents, snapshot)
    for level in levels(changes, wanted):
        ids = {change.id for change in level}
        graph.add_level(level, [change for change in removals if change.place in room and change.id in ids])
    graph.add_removals([change for change in removals if change.place not in room])
    graph.ask_again(changes)
    return Plan(
        path=desired.path,
        host=snapshot.host,
        revision=desired.revision,
        steps=tuple(graph.steps),
        skipped=difference.skipped,
        vetoes=tuple(vetoes),
        notices=(*snapshot.notices, *_limited(difference.untouched)),
        unchanged=difference.unchanged,
        sources={c.id: str(wanted[c.id].resource.source) for c in changes if c.id in wanted},
    )


def levels(changes: Sequence[Change], wanted: Mapping[ResourceId, Intent]) -> list[list[Change]]:
    """Changes that are not removals, grouped so that each group needs only earlier groups."""
    changed = {change.id: change for change in changes if change.action is not Action.DELETE}
    edges = {intent.id: intent.resource.depends_on for intent in wanted.values()}
    depth: dict[ResourceId, int] = {}  # how many changed resources stand in front of one
    for id_ in TopologicalSorter(edges).static_order():
        depth[id_] = max((depth[need] + (need in changed) for need in edges.get(id_, ())), default=0)
    grouped: dict[int, list[Change]] = {}
    for id_ in sorted(changed):
        grouped.setdefault(depth.get(id_, 0), []).append(changed[id_])
    return [grouped[level] for level in sorted(grouped)]


@dataclass(slots=True)
class _Graph:
    """Numbers the steps of one plan."""

    wanted: Mapping[ResourceId, Intent]
    snapshot: Snapshot
    request: Request
    difference: Difference
    providers: Mapping[str, Provider]
    changed: frozenset[ResourceId]
    steps: list[Step] = field(default_factory=list)
    gates: dict[ResourceId, int] = field(default_factory=dict)
    previous: dict[ResourceId, Owned] = field(init=False)
    claimed: dict[object, list[Probe]] = field(init=False)
    """What unchanged claims ask of their owner: they have no gate of their own, so a changed owner's asks it."""

    def __post_init__(self) -> None:
        self.previous = {entry.id: entry for entry in self.snapshot.inventory}
        self.claimed = {}
        for intent in self.wanted.values():
            if intent.id not in self.changed and not intent.resource.suspend:
                for probe in _claims(intent):
                    self.claimed.setdefault(probe.options.get("owner"), []).append(probe)

    def add_level(self, changes: Sequence[Change], room: Sequence[Change]) -> None:
        """`room` are the removals that make room for some of the changes: each waits for the proof that they are."""
        leaving = [self._apply(change, self._needs(change.id), after_all=False) for change in room]
        gone: dict[ResourceId, tuple[int, ...]] = {}
        for step in leaving:
            gone[step.change.id] = (*gone.get(step.change.id, ()), self._gate(step))
        applied = [self._apply(c, gone.get(c.id) or self._needs(c.id), after_all=False) for c in changes]
        for step in applied:
            self._gate(step)

    def add_removals(self, changes: Sequence[Change]) -> None:
        """What depends on another goes first: each waits for the gates of those that needed it."""
        needs = {entry.id: entry.depends_on for entry in self.snapshot.inventory}
        removed = {change.id for change in changes}
        dependents: dict[ResourceId, list[ResourceId]] = {}
        for id_ in sorted(removed):
            for need in needs.get(id_, ()):
                if need in removed:
                    dependents.setdefault(need, []).append(id_)
        by_id: dict[ResourceId, list[Change]] = {}
        for change in changes:
            by_id.setdefault(change.id, []).append(change)
        gone: dict[ResourceId, int] = {}
        waves = _waves(removed, dependents)
        for wave in waves:
            steps = [
                self._apply(c, tuple(gone[d] for d in dependents.get(id_, ())), after_all=True)
                for id_ in wave
                for c in by_id[id_]
            ]
            for step in steps:
                self._gate(step)
                gone[step.change.id] = len(self.steps)

    def ask_again(self, changes: Sequence[Change]) -> None:
        """A claim that passed to another owner, once the old one changed: until then, that one may have answered."""
        owners = {str(id_): number for id_, number in self.gates.items()}
        for change in changes:
            if change.before is None or change.after is None or not _claims(self.wanted.get(change.id)):
                continue
            old = str(change.before.attributes.get("owner"))
            if old in owners and old != change.after.attributes.get("owner"):
                gate = self.steps[self.gates[change.id] - 1]
                number = len(self.steps) + 1
                if isinstance(gate, VerifyStep):
                    self.steps.append(replace(gate, number=number, needs=(gate.number, owners[old])))

    def _apply(self, change: Change, needs: tuple[int, ...], *, after_all: bool) -> ApplyStep:
        step = ApplyStep(
            number=len(self.steps) + 1,
            needs=needs,
            change=change,
            batch=self.providers[change.provider].batch(change),
            owned=self.difference.owned.get(change.id),
            previous=self.previous.get(change.id),
            after_all=after_all,
        )
        self.steps.append(step)
        return step

    def _gate(self, step: ApplyStep) -> int:
        """Appends what proves that step; answers its number."""
        change = step.change
        intent = self.wanted.get(change.id)
        keeps = change.after is not None and change.action is not Action.RELEASE
        policy = intent.resource.verify if intent and keeps else VerifyPolicy()
        number = len(self.steps) + 1
        unattended = any(hazard.danger is Danger.MISSED_RUN and hazard.blocking for hazard in change.hazards)
        accepted = unattended and Danger.MISSED_RUN.value in self.request.accept
        self.steps.append(
            VerifyStep(
                number=number,
                needs=(step.number,),
                id=change.id,
                provider=change.provider,
                within=policy.within,
                stable_for=policy.stable_for,
                probes=(*policy.probes, *(self.claimed.get(str(change.id), ()) if keeps else ())),
                backend=keeps and not accepted and isinstance(self.providers[change.provider], HasHealth),
            )
        )
        self.gates[change.id] = number
        return number

    def _needs(self, id_: ResourceId) -> tuple[int, ...]:
        """Gates of the nearest changed dependencies, looking through unchanged ones."""
        needs: set[int] = set()
        seen: set[ResourceId] = set()
        waiting = list(self.wanted[id_].resource.depends_on) if id_ in self.wanted else []
        while waiting:
            need = waiting.pop()
            if need in seen:
                continue
            seen.add(need)
            if need in self.gates:
                needs.add(self.gates[need])
            elif need in self.wanted:
                waiting += self.wanted[need].resource.depends_on
        return tuple(sorted(needs))


def _claims(intent: Intent | None) -> tuple[Probe, ...]:
    """The questions of a claim to its owner."""
    return tuple(p for p in intent.resource.verify.probes if p.type == LISTENING) if intent else ()


def _waves(ids: set[ResourceId], needs: Mapping[ResourceId, Sequence[ResourceId]]) -> list[list[ResourceId]]:
    """Groups in order; each needs only earlier groups. What waits for itself, through an old cycle, comes last."""
    sorter = TopologicalSorter({id_: needs.get(id_, ()) for id_ in ids})
    try:
        sorter.prepare()
    except CycleError:
        return [sorted(ids)]
    waves: list[list[ResourceId]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        waves.append(ready)
        sorter.done(*ready)
    return waves


def _limited(untouched: int) -> tuple[str, ...]:
    if not untouched:
        return ()
    others = "1 other resource is" if untouched == 1 else f"{untouched} other resources are"
    return (f"This plan is limited to its targets; {others} left out, whatever their state.",)
