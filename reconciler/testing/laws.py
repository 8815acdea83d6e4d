"""What must hold after every pass of a story, whatever happened in it. Each law is one assertion with its reason.

Only judges: the passes are made by `stage`, the story is invented by `story`.
"""

# ruff: noqa: S101 - this is a test library

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.app import Planned
from reconciler.model.address import Place
from reconciler.model.change import Action
from reconciler.model.codec import encode
from reconciler.model.errors import CutShort, ExitCode, JournalError, Refused
from reconciler.model.plan import VerifyStep
from reconciler.model.rollout import Outcome, RolloutStatus, StepStatus
from reconciler.model.state import State
from reconciler.testing.stage import ILL, Pass, Sight, Stage

_GIVES_OR_TAKES = (Action.ADOPT, Action.RELEASE)


@dataclass(frozen=True, slots=True)
class Half:
    """A rollout left half-way: the host before it, and as it would be after. `touched`: by a person since."""

    before: Sight
    target: Mapping[Place, State]
    gives: bool  # something passes between us and others in it
    touched: bool = False


def judge(stage: Stage, verb: str, result: Pass, halves: dict[int, Half]) -> Sight:
    """Every law over one pass. Notes in `halves` what it left half-way, and forgets what it brought to an end."""
    now = stage.sight()
    half = None
    if result.recovered is not None:
        half = came_to_an_end(result.recovered, result.start, halves, struck=result.struck)
    changes = result.planned.plan.changes if result.planned is not None else ()
    gives = any(change.action in _GIVES_OR_TAKES for change in changes)
    gives = gives or bool(half and half.gives) or any(one.gives for one in halves.values())
    if not gives:
        assert now.foreign == result.start.foreign, "what is not ours was changed"
    outside(stage, result.start, now)
    if result.outcome is not None:
        ended(stage, verb, result, result.outcome, now, halves)
    elif isinstance(result.error, Refused):
        assert not result.writes, f"refused, and written all the same: {result.writes}"
        assert now.content == result.start.content, "refused, and changed all the same"
    elif result.crashed or isinstance(result.error, CutShort | JournalError):
        assert result.struck, f"cut short, and nothing was in its way: {result.error}"
        cut_short(stage, result, now, halves, gives=gives)
    elif result.planned is None and result.recovered is None:
        assert not result.writes, f"nothing could be planned, and yet it was written: {result.writes}"
        assert now.content == result.start.content, f"nothing could be planned ({result.error}), and yet it changed"
    readable(stage)
    return now


def ended(stage: Stage, verb: str, result: Pass, outcome: Outcome, now: Sight, halves: dict[int, Half]) -> None:
    """A rollout that came to an end by itself: stable, as before, or openly half-way."""
    planned = result.planned
    assert planned is not None
    wanted = stage.target(result.start.ours, planned.plan.changes)
    if outcome.code is ExitCode.DONE:
        assert now.ours == wanted, f"the plan is not what was done: {_difference(wanted, now.ours)}"
        if outcome.rollout:
            halves.clear()
            journalled(stage, outcome.rollout, planned)
        else:
            assert not result.writes, f"nothing to do, and written all the same: {result.writes}"
        if verb == "apply":
            settled(stage, planned)
        return
    if outcome.code in (ExitCode.ROLLED_BACK, ExitCode.STALE):
        ill = any(probe.options.get("command") == [ILL] for step in _gates(planned) for probe in step.probes)
        assert ill or result.struck, f"it failed, and nothing was in its way: {outcome}"
        assert now.content == result.start.content, f"a failed change stays: {outcome.message}"
        assert now.ours == result.start.ours, f"a failed change stays: {_difference(result.start.ours, now.ours)}"
        return
    assert outcome.code is ExitCode.ROLLBACK_FAILED, outcome
    assert result.struck, f"an undo failed although nothing was in its way: {outcome}"
    gives = any(change.action in _GIVES_OR_TAKES for change in planned.plan.changes)
    halves[outcome.rollout] = Half(result.start, wanted, gives)
    with stage.app.journal() as journal:
        assert journal.rollout(outcome.rollout).status is RolloutStatus.ROLLBACK_FAILED


def came_to_an_end(outcome: Outcome, now: Sight, halves: dict[int, Half], *, struck: bool) -> Half | None:
    """A rollout that was cut short was finished or undone: all of it, or nothing."""
    half = halves.get(outcome.rollout)
    if outcome.code is ExitCode.ROLLBACK_FAILED:
        assert struck or half is None or half.touched, f"it cannot be undone although nobody touched it: {outcome}"
        return half
    halves.pop(outcome.rollout, None)
    if half is None or half.touched:
        return half
    if outcome.code is ExitCode.DONE:
        assert now.ours == half.target, f"finished by halves: {_difference(half.target, now.ours)}"
    else:
        assert now.ours == half.before.ours, f"undone by halves: {_difference(half.before.ours, now.ours)}"
        assert now.content == half.before.content, "undone, and not as it was"
    return half


def cut_short(stage: Stage, result: Pass, now: Sight, halves: dict[int, Half], *, gives: bool) -> None:
    """The process died, or its journal could not be written: what the next one needs to know is on disk."""
    with stage.app.journal() as journal:
        record = journal.interrupted()
    if record is not None:
        if result.planned is not None:
            wanted = stage.target(result.start.ours, result.planned.plan.changes)
            halves.setdefault(record.number, Half(result.start, wanted, gives))
        return
    if result.planned is None:
        return
    ends = (result.start.ours, stage.target(result.start.ours, result.planned.plan.changes))
    assert now.ours in ends, "cut short between before and after, and the journal does not say so"
    if now.ours != result.start.ours:
        halves.clear()


def _gates(planned: Planned) -> list[VerifyStep]:
    return [step for step in planned.plan.steps if isinstance(step, VerifyStep)]


def journalled(stage: Stage, number: int, planned: Planned) -> None:
    """What was done stands in the journal, step by step, and is what the plan said."""
    with stage.app.journal() as journal:
        record, steps = journal.rollout(number), journal.steps(number)
    assert record.status is RolloutStatus.STABLE, record
    assert [encode(one.step) for one in steps] == [encode(step) for step in planned.plan.steps]
    assert {one.status for one in steps} <= {StepStatus.DONE}, "stable, with steps that are not done"


def settled(stage: Stage, planned: Planned) -> None:
    """After a successful apply there is nothing left to do, and what is ours is in the inventory or explained."""
    request = replace(planned.request, adopt=frozenset(), release=frozenset())
    again = stage.app.plan(request, desired=planned.desired)
    assert again.plan.steps == (), f"applied, and still to do: {[str(change.id) for change in again.plan.changes]}"
    explained = {skip.id for skip in again.plan.skipped} | {veto.id for veto in again.plan.vetoes}
    with stage.app.journal() as journal:
        owned = {Place(entry.provider, entry.id) for entry in journal.inventory()}
    unlisted = {place for place in stage.ours() if place not in owned and place.id not in explained}
    assert not unlisted, f"ours, not in the inventory, and nobody says why: {unlisted}"
    missing = {place for place in owned - stage.ours().keys() if place.id not in explained}
    assert not missing, f"in the inventory, not on the host, and nobody says why: {missing}"


def outside(stage: Stage, before: Sight, now: Sight) -> None:
    """No file was written that is no part of a backend: taking its change back would have to show in the content."""
    for path in sorted(before.files.keys() | now.files.keys()):
        old, new = before.files.get(path), now.files.get(path)
        if old == new or stage.is_part(path, old):
            continue
        raise AssertionError(f"{path} was written, and is no part of the backend")


def readable(stage: Stage) -> None:
    """The journal can be read, whole, by anybody, at any moment."""
    with stage.app.journal() as journal:
        assert journal.set_aside is None, journal.set_aside
        for record in journal.rollouts(limit=3):
            assert journal.steps(record.number)
        journal.inventory()
        journal.quarantine()


def _difference(wanted: Mapping[Place, State], found: Mapping[Place, State]) -> str:
    differing = {place for place in wanted.keys() | found.keys() if wanted.get(place) != found.get(place)}
    return ", ".join(
        f"{place.id} on {place.provider}: {wanted.get(place)} wanted, {found.get(place)} found"
        for place in sorted(differing)
    )
