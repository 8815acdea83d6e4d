"""From the steps of past rollouts: the changes that bring back what stood before them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.model.address import Place, ResourceId
from reconciler.model.change import Action, Cause, Change, Danger, Hazard
from reconciler.model.intent import Difference
from reconciler.model.plan import ApplyStep, Skip, Veto
from reconciler.model.state import Observed, Owned, Ownership, Snapshot

_REPAIRED = "only put back as it had been applied, which somebody had changed: that stays"
_RELEASED = "released since, so it is yours: it stays as it stands, which may differ from what it was before"


def restore(
    steps: Sequence[tuple[int, ApplyStep]], snapshot: Snapshot, why: str, *, everything: bool = False
) -> Difference:
    """The difference that takes back `steps`, given oldest first with the number of their rollouts.

    `everything`: what is ours goes, also where nobody remembers how it came. What somebody changed since is vetoed.
    """
    ours = {item.place: item for item in snapshot.found if item.ownership is Ownership.OURS}
    changes: list[Change] = []
    skipped: list[Skip] = []
    vetoes: list[Veto] = []
    owned: dict[ResourceId, Owned] = {}
    for place, whole in sorted(_spans(steps).items()):
        span = whole if everything else _since_applied(whole)
        if not span:
            skipped.append(Skip(place.id, _REPAIRED))
            continue
        newest, adopted = span[-1], _still_adopted(span)
        oldest = adopted or span[0][1]
        back = _back(oldest, newest[1], why, everything)
        twice = adopted is not None and adopted is not span[0][1] and _was_ours(span[0][1]) and not everything
        if adopted is not None and (back.action is Action.NONE or twice):
            vetoes.append(_adopted_between(place.id, newest[0]))
            continue
        if back.action is Action.NONE or _equals(back, ours):
            released = newest[1].change.action is Action.RELEASE and newest[1].change.exact is None
            given = released and back.action is Action.NONE
            skipped.append(Skip(place.id, _RELEASED if given else "already as it was before"))
            continue
        veto = _changed_since(back, ours.get(place))
        found = ours.get(place)
        if veto is not None and everything and found is not None and back.action is Action.DELETE:
            back, veto = _with_the_edit(back, found), None if found.trouble is None else veto
        if veto is not None:
            vetoes.append(veto)
            continue
        changes.append(replace(back, restore=found.restore, where=found.where) if found else back)
        if oldest.previous is not None and back.after is not None and back.action is not Action.RELEASE:
            owned[place.id] = oldest.previous
    if everything:
        known = {step.change.place for _, step in steps}
        others = [item for place, item in sorted(ours.items()) if place not in known]
        changes += [_removal(item, why) for item in others if item.trouble is None]
        hint = "repair it by hand, then roll back again"
        vetoes += [Veto("ownership", item.trouble, item.id, hint) for item in others if item.trouble is not None]
    return Difference(
        tuple(changes), tuple(skipped), tuple(vetoes), 0, (), (), owned, made_room=frozenset(_made_room(steps))
    )


def _made_room(steps: Sequence[tuple[int, ApplyStep]]) -> Iterator[ResourceId]:
    """No manifest says on the way back which service has a port: the order of the way there does."""
    return (step.change.id for _, step in steps if step.change.action is Action.DELETE and not step.after_all)


def _spans(steps: Sequence[tuple[int, ApplyStep]]) -> dict[Place, list[tuple[int, ApplyStep]]]:
    """The steps of each resource in each backend, oldest first, with their rollouts."""
    spans: dict[Place, list[tuple[int, ApplyStep]]] = {}
    for rollout, step in steps:
        spans.setdefault(step.change.place, []).append((rollout, step))
    return spans


def _since_applied(span: Sequence[tuple[int, ApplyStep]]) -> Sequence[tuple[int, ApplyStep]]:
    """Without the repairs that it begins with: what those found was somebody else's doing."""
    first = next((n for n, (_, step) in enumerate(span) if step.change.cause is not Cause.DRIFT), len(span))
    return span[first:]


def _still_adopted(span: Sequence[tuple[int, ApplyStep]]) -> ApplyStep | None:
    """The last adoption whose thing was not given back since: somebody's own, so it must never just go.

    One that took back a release knows `exact`ly what to write: the adoption before goes on.
    """
    adopted: ApplyStep | None = None
    given: list[ApplyStep | None] = []  # for each release that stands, the adoption that it ended
    for _, step in span:
        if step.change.action is Action.RELEASE:
            given.append(adopted)
            adopted = None
        elif step.change.action is Action.ADOPT:
            adopted = given.pop() if given and step.change.exact is not None else step
    return adopted


def _was_ours(step: ApplyStep) -> bool:
    return step.change.before is not None and step.change.action is not Action.ADOPT


def _back(oldest: ApplyStep, newest: ApplyStep, why: str, everything: bool) -> Change:
    """One change from what the newest step left to what the oldest one found."""
    first, last = oldest.change, newest.change.inverse()
    was_ours = _was_ours(oldest) and not everything
    is_ours = last.before is not None and last.action is not Action.ADOPT
    return replace(
        last,
        action=_action(was_ours, is_ours, first, last),
        after=first.before if was_ours or first.action is Action.ADOPT else None,
        exact=first.restore,
        document_after=first.document_before if was_ours or first.action is Action.ADOPT else None,
        cause=Cause.REQUESTED,
        reason=why,
    )


def _action(was_ours: bool, is_ours: bool, first: Change, last: Change) -> Action:
    """The verb that leads from what is to what was. What was released last still stands, as somebody's own."""
    if was_ours and is_ours:
        return Action.UPDATE
    if was_ours:
        return Action.ADOPT if last.action is Action.ADOPT else Action.CREATE
    if not is_ours:
        return Action.NONE
    return Action.RELEASE if first.action is Action.ADOPT else Action.DELETE


def _with_the_edit(back: Change, found: Observed) -> Change:
    """Everything is to go: also what somebody changed since, where the edit is given up by name."""
    hazard = Hazard(
        Danger.DATA_LOSS,
        f"somebody changed {back.id} on the host since: what they wrote goes with it",
        f"`reconcile release {back.id}` keeps it, as yours",
        blocking=True,
    )
    return replace(back, before=found.state, document_before=found.document, hazards=(hazard,))


def _removal(item: Observed, why: str) -> Change:
    """Something of ours whose coming no journal remembers."""
    return Change(
        id=item.id,
        provider=item.provider,
        action=Action.DELETE,
        before=item.state,
        after=None,
        cause=Cause.REQUESTED,
        reason=why,
        where=item.where,
        document_before=item.document,
        restore=item.restore,
        hazards=(
            Hazard(
                Danger.DATA_LOSS,
                f"no journal remembers how {item.id} came: it may be an entry of yours that was adopted",
                f"`reconcile release {item.id}` keeps it, as yours",
                blocking=True,
            ),
        ),
    )


def _adopted_between(id_: ResourceId, rollout: int) -> Veto:
    what = f"{id_} was adopted from an entry of yours, and changed again up to rollout {rollout}"
    message = f"{what}: one step cannot take back both"
    hint = f"roll back in two steps: first `reconcile rollback {rollout - 1}`, then this one again"
    return Veto("rollback", message, id_, hint)


def _equals(back: Change, ours: Mapping[Place, Observed]) -> bool:
    found = ours.get(back.place)
    wanted = None if back.action is Action.RELEASE else back.after
    return found is None if wanted is None else found is not None and found.state == wanted


def _changed_since(back: Change, found: Observed | None) -> Veto | None:
    """Why the thing may not be taken back: it is no longer what the rollout left."""
    if back.action in (Action.CREATE, Action.ADOPT):
        stands = found is None
    else:
        stands = found is not None and found.trouble is None and found.state == back.before
    if stands:
        return None
    message = f"{back.id} is no longer as the rollout left it: somebody changed it on the host since"
    return Veto("ownership", message, back.id, "plan and apply the manifests first, or repair it by hand")
