"""From a rollout's journal and a fresh look at the host: what an undo has to do. Pure.

The undo itself goes through the executor like any other change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.model.address import Place
from reconciler.model.change import Action, Change
from reconciler.model.frozen import dataclass
from reconciler.model.plan import ApplyStep, Step, VerifyStep
from reconciler.model.rollout import StepStatus
from reconciler.model.state import Observed, Ownership, State


@dataclass(frozen=True, slots=True)
class Undo:
    """What to undo. `phases` are groups in order; `kept` steps never happened; `stuck` cannot be undone safely."""

    phases: tuple[tuple[ApplyStep, ...], ...]
    kept: tuple[ApplyStep, ...]
    stuck: tuple[tuple[ApplyStep, str], ...]


def undo(
    steps: Sequence[tuple[Step, StepStatus]],
    found: Iterable[Observed],
    blind: Mapping[str, str] | None = None,
    *,
    again: bool = False,
) -> Undo:
    """Inverse steps, last first, of every change that may have happened.

    A change that was done and stands neither as before nor as after was touched by somebody else: it is left alone
    and said. One that may have ended half-way, as any may whose undo was begun before (`again`), goes to its backend
    whatever is seen of it: the backend knows its own traces, clears them away, and refuses all others.
    What a backend holds that could not be looked at is left and said too; `blind` says why, by backend.
    """
    ours = {item.place: item for item in found if item.ownership is Ownership.OURS}
    depth = _depths([step for step, _ in steps])
    waves: dict[int, list[ApplyStep]] = {}
    kept: list[ApplyStep] = []
    stuck: list[tuple[ApplyStep, str]] = []
    touched = {StepStatus.STARTED, StepStatus.DONE, StepStatus.FAILED}
    for step, status in steps:
        if not isinstance(step, ApplyStep) or status not in touched:
            continue
        if blind and step.change.provider in blind:
            stuck.append((step, f"{step.change.id}: {blind[step.change.provider]}"))
            continue
        untaken = _not_adopted_yet(step.change, ours)
        halfway = again or status is not StepStatus.DONE
        if _is_seen(step.change, ours) or (halfway and not untaken):
            waves.setdefault(depth[step.number], []).append(inverse(step))
        elif untaken or stands(step.change.inverse(), ours):
            kept.append(inverse(step))
        else:
            why = "stands neither as before nor as after the change: somebody else changed it, so it is left"
            stuck.append((step, f"{step.change.id} {why}"))
    phases = tuple(tuple(reversed(waves[level])) for level in sorted(waves, reverse=True))
    return Undo(phases, tuple(kept), tuple(stuck))


def stands(change: Change, ours: Mapping[Place, Observed]) -> bool:
    """Whether the host is as it should be once `change` is done."""
    item = ours.get(change.place)
    return _is_seen(change, ours) and (item is None or item.trouble is None)


def _is_seen(change: Change, ours: Mapping[Place, Observed]) -> bool:
    """Whether what `change` makes is there, however badly it does: reason enough to take it back."""
    item = ours.get(change.place)
    return (None if item is None else item.state) == outcome(change)


def _not_adopted_yet(change: Change, ours: Mapping[Place, Observed]) -> bool:
    """A thing without room for a mark counts as ours once its adoption was begun: does it stand as it was found?"""
    item = ours.get(change.place)
    return change.action is Action.ADOPT and item is not None and item.state == change.before


def outcome(change: Change) -> State | None:
    """The state that must carry our mark once `change` is done; None where nothing may."""
    return None if change.action is Action.RELEASE else change.after


def inverse(step: ApplyStep) -> ApplyStep:
    """The step that takes one back, with the inventory entry from before."""
    return replace(
        step,
        needs=(),
        change=step.change.inverse(),
        owned=step.previous,
        previous=step.owned,
        after_all=False,
    )


def checks(steps: Iterable[ApplyStep]) -> tuple[VerifyStep, ...]:
    """Gates that only look whether each undone change really is undone."""
    return tuple(
        VerifyStep(
            number=step.number,
            needs=(),
            id=step.change.id,
            provider=step.change.provider,
            within=0.0,
            stable_for=0.0,
            probes=(),
            backend=False,
        )
        for step in steps
    )


def _depths(steps: Sequence[Step]) -> dict[int, int]:
    """How many steps stand in front of each one; removals stand behind all others."""
    depth: dict[int, int] = {}
    for step in steps:
        depth[step.number] = max((depth[need] + 1 for need in step.needs), default=0)
    last = max(depth.values(), default=0) + 1
    for step in steps:
        if isinstance(step, ApplyStep) and step.after_all:
            depth[step.number] = last
    return depth
