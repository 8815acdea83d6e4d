"""One pass, from desired to stable, on one screen; and what happens when it fails or was cut short.

The only module that knows every stage. Deciding is pure (`decide`), doing is obedient (`roll_out`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.engine import diff, guards, planner
from reconciler.engine.intents import placed_elsewhere
from reconciler.model.address import ResourceId
from reconciler.model.codec import encode
from reconciler.model.data import Json, digest
from reconciler.model.errors import CutShort, JournalError
from reconciler.model.event import Event, EventType
from reconciler.model.frozen import dataclass
from reconciler.model.intent import Difference, Intent, Request
from reconciler.model.mask import Mask
from reconciler.model.plan import ApplyStep, Plan
from reconciler.model.resource import Desired, Revision
from reconciler.model.rollout import Outcome
from reconciler.model.state import Owned, Snapshot
from reconciler.provider import Provider

if TYPE_CHECKING:
    from reconciler.engine.rollout import Engine


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and the upkeep of the inventory that goes with it and touches no host."""

    plan: Plan
    remember: tuple[Owned, ...]
    forget: tuple[ResourceId, ...]


def decide(
    desired: Desired,
    intents: Sequence[Intent],
    snapshot: Snapshot,
    request: Request,
    providers: Mapping[str, Provider],
) -> Decision:
    """diff → guard → plan. Pure: the same input gives the same plan, byte for byte."""
    elsewhere = frozenset(placed_elsewhere(desired.resources, snapshot.host))
    difference = diff.diff(intents, snapshot, request, providers, desired.revision.digest, elsewhere)
    return settle(desired, intents, snapshot, request, providers, difference)


def settle(
    desired: Desired,
    intents: Sequence[Intent],
    snapshot: Snapshot,
    request: Request,
    providers: Mapping[str, Provider],
    difference: Difference,
) -> Decision:
    """guard → plan, for a difference however it came about."""
    verdict = guards.guard(difference, intents, snapshot, request, providers, desired.revision)
    made = planner.plan(desired, intents, snapshot, request, difference, verdict.changes, verdict.vetoes, providers)
    made = replace(made, fingerprint=fingerprint(made, Mask(snapshot.mask_key)))
    return Decision(made, difference.remember, difference.forget)


def fingerprint(plan: Plan, mask: Mask) -> str:
    """Digest of everything that the plan says and would do, with secret-looking values masked.

    Notices and restore data are left out: they may differ between two looks at an unchanged host.
    """
    steps = tuple(
        replace(step, change=replace(step.change, restore=None, exact=None)) if isinstance(step, ApplyStep) else step
        for step in plan.steps
    )
    return digest(mask.json(encode(replace(plan, steps=steps, notices=(), fingerprint=""))))


def roll_out(
    engine: Engine, plan: Plan, verb: str, *, revision: Revision | None = None, settings: Json = None
) -> Outcome:
    """execute → stable; on failure roll back, and quarantine the revision if it is to blame.

    `revision` is what the host stands for afterwards, where the plan carries out only a part of its own. The
    journal then says so in the verb, so that nobody, a recovery least of all, blames that revision for a failure.
    """
    if revision is not None and verb == "apply":
        verb = "partial apply"
    number = engine.journal.begin(
        verb=verb, path=plan.path, revision=revision or plan.revision, steps=plan.steps, settings=settings or {}
    )
    try:
        return _carried_out(engine, plan, verb, number)
    except JournalError as error:
        raise CutShort(
            f"cannot go on with rollout {number}: {error.message}; the host may have changed already",
            where=error.where,
            hint=f"{error.hint or 'repair the journal'}; the next apply then finishes or undoes it",
        ) from error


def _carried_out(engine: Engine, plan: Plan, verb: str, number: int) -> Outcome:
    from reconciler.engine import executor
    from reconciler.engine.rollout import stable, take_back, walk

    engine.listener(Event(EventType.ROLLOUT_STARTED, f"rollout {number}", (), 0, len(plan.steps)))
    failure = executor.execute(walk(engine, number, plan.steps), plan.steps)
    if failure is None:
        return stable(engine, number, plan.steps)
    return take_back(engine, number, failure, plan.revision, verb)
