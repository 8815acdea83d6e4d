"""What the journal remembers, in the words of a plan: ownership, what was left half-way, what a rollback takes back.

Reads and decides; carrying out is the business of `app` and the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.engine.observe import Memory
from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.errors import ExitCode, ReconcileError
from reconciler.model.frozen import dataclass
from reconciler.model.intent import Request
from reconciler.model.job import unwrapped
from reconciler.model.plan import ApplyStep
from reconciler.model.resource import Revision
from reconciler.model.rollout import Outcome, RolloutRecord, RolloutStatus, StepStatus
from reconciler.provider import HasRemains, Provider

if TYPE_CHECKING:
    from reconciler.journal.journal import Journal

MANY = 1_000_000  # "all of them"
NOTHING = Revision("none")  # what a host stands for before anything was applied
PLUGINS = "plugins"  # key of any rollout's settings: the digest of each plugin that was loaded for it
TARGET = "target"  # key of a rollback's settings: the rollout that it went back to


def memory(journal: Journal, applying: str | None) -> Memory:
    """What a plan depends on and the journal knows. `applying` names who is changing the host right now."""
    notices = [journal.set_aside] if journal.set_aside is not None else []
    record = journal.interrupted()
    if applying is not None:
        notices.append(f"{applying} is changing this host right now: what you see is on its way to something else.")
    elif record is not None:
        notices.append(
            f"Rollout {record.number} ({record.verb}) was interrupted. "
            "The next apply first finishes or undoes it, and then plans again."
        )
    return Memory(
        inventory=journal.inventory(),
        inventory_lost=journal.rebuilt_needed and applying is None,
        quarantine=journal.quarantine(),
        notices=tuple(notices + left_behind(journal)),
        mask_key=journal.mask_key(),
        several=journal.several(),
    )


def left_behind(journal: Journal) -> list[str]:
    """What the last rollout could not undo, in one sentence; empty where nothing is left."""
    failed = half_undone(journal)
    if failed is None:
        return []
    touched = {StepStatus.STARTED, StepStatus.DONE, StepStatus.FAILED}
    left = sorted(
        f"{record.step.change.id} ({record.step.change.action} on {record.step.change.provider})"
        for record in journal.steps(failed.number)
        if isinstance(record.step, ApplyStep) and record.status in touched
    )
    return [
        (
            f"Rollout {failed.number} failed and could not be undone completely. Still as it left them: "
            f"{', '.join(left) or 'nothing that is known'}. "
            "Repair what stands in the way: the next apply, or `reconcile resume`, tries again."
        )
    ]


def half_undone(journal: Journal) -> RolloutRecord | None:
    """The newest rollout whose rollback failed, unless a later one became stable since."""
    for record in journal.rollouts(limit=MANY):
        if record.status is RolloutStatus.ROLLBACK_FAILED:
            return record
        if record.status is RolloutStatus.STABLE:
            return None
    return None


def settings(back: WayBack | None, digests: Mapping[str, str]) -> dict[str, Json]:
    """What a rollout notes of itself: where a rollback goes, and the plugins that it is made with."""
    noted: dict[str, Json] = {} if back is None else {TARGET: back.target}
    return noted | ({PLUGINS: dict(digests)} if digests else {})


def plugins(journal: Journal, number: int) -> dict[str, str]:
    """The plugins that a rollout was made with, each with the digest of its code."""
    settings = journal.settings(number)
    found = settings.get(PLUGINS) if isinstance(settings, dict) else None
    return {name: str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def adoptions(
    journal: Journal, ids: frozenset[ResourceId], providers: Mapping[str, Provider], host: Host
) -> dict[ResourceId, Change]:
    """How these were taken over, where nothing of what they do changed, nothing but drift came since, and what stood
    before can come back as it was.
    """
    latest: dict[ResourceId, Change] = {}
    for rollout in reversed(journal.rollouts(limit=MANY)) if ids else ():
        if rollout.status is RolloutStatus.STABLE:
            done = (one.step for one in journal.steps(rollout.number))
            changes = (step.change for step in done if isinstance(step, ApplyStep) and step.change.id in ids)
            latest |= {change.id: change for change in changes if change.cause is not Cause.DRIFT}
    return {
        id_: one for id_, one in latest.items() if one.restore and _took_over(one) and _kept(one, providers, host)
    }


def _took_over(change: Change) -> bool:
    """Whether it is an adoption of something that did the same, and may have had more that no manifest says."""
    if change.action is not Action.ADOPT or change.before is None or change.after is None:
        return False
    return change.before.attributes.items() >= unwrapped(change.after).attributes.items()


def _kept(adoption: Change, providers: Mapping[str, Provider], host: Host) -> bool:
    provider = providers[adoption.provider]
    return provider.keeps(host, adoption) if isinstance(provider, HasRemains) else True


@dataclass(frozen=True, slots=True)
class WayBack:
    """What a rollback takes back: every step since, oldest first, with the number of its rollout."""

    target: int
    revision: Revision
    steps: tuple[tuple[int, ApplyStep], ...]


def way_back(journal: Journal, target: int | None) -> WayBack:
    """The way to `target`; None: to before the last change that is still in force. Raises where there is none.

    A rollout that only put back what somebody had changed is no such change: it stays, and so does what it repaired.
    """
    stable = _stable(journal)
    if target is None:
        target = _before_the_last_change(journal, stable)
    if target and target not in {record.number for record in stable}:
        raise ReconcileError(
            f"cannot roll back to rollout {target}: it is not a rollout that became stable",
            hint="`reconcile history` lists them; 0 means before the first one",
        )
    steps = tuple(
        (rollout.number, record.step)
        for rollout in stable
        if rollout.number > target
        for record in journal.steps(rollout.number)
        if isinstance(record.step, ApplyStep) and record.status is StepStatus.DONE
    )
    revision = next((record.revision for record in stable if record.number == target), NOTHING)
    return WayBack(target, revision, steps)


def _stable(journal: Journal) -> list[RolloutRecord]:
    """The rollouts that became stable, oldest first."""
    return [record for record in reversed(journal.rollouts(limit=MANY)) if record.status is RolloutStatus.STABLE]


def _before_the_last_change(journal: Journal, stable: list[RolloutRecord]) -> int:
    """The number of the rollout before the last one in force that did more than repair; 0: there was none before."""
    forces = _in_force(journal, stable)
    force = forces[stable[-1].number] if stable else []
    last = next((n for n in reversed(range(len(force))) if _changes_something(journal, force[n])), None)
    if last is None:
        way = next((record.number for record in reversed(stable) if forces[record.number]), None)
        hint = f"`reconcile rollback {way}` brings back what stood before all was rolled back" if way else None
        raise ReconcileError("cannot roll back: no rollout that changed anything is in force", hint=hint)
    return force[last - 1].number if last else 0


def _in_force(journal: Journal, stable: list[RolloutRecord]) -> dict[int, list[RolloutRecord]]:
    """For each rollout, those whose changes stood after it, oldest first: a rollback brings its target's back."""
    forces: dict[int, list[RolloutRecord]] = {}
    force: list[RolloutRecord] = []
    for record in stable:
        target = _target(journal, record)
        if target is None:
            force = [*force, record]
        else:
            forgotten = [earlier for earlier in force if earlier.number <= target]
            force = forces.get(target, forgotten)
        forces[record.number] = force
    return forces


def _target(journal: Journal, record: RolloutRecord) -> int | None:
    """The rollout that it went back to; None where it is no rollback."""
    settings = journal.settings(record.number) if record.verb == "rollback" else None
    target = settings.get(TARGET) if isinstance(settings, dict) else None
    return target if isinstance(target, int) else None


def _changes_something(journal: Journal, record: RolloutRecord) -> bool:
    """Whether it did more than repair drift."""
    steps = [one.step for one in journal.steps(record.number)]
    return any(isinstance(step, ApplyStep) and step.change.cause is not Cause.DRIFT for step in steps)


def stands_for(request: Request, journal: Journal) -> Revision | None:
    """What the host stands for after a plan that carries out only a part of its revision; None: all of it."""
    if not request.targets:
        return None
    stable = journal.stable()
    return stable[1] if stable else NOTHING


def concluded(journal: Journal, outcome: Outcome) -> Outcome:
    """What becomes of the quarantine where a rollback became stable, and the command that takes a rollout back.

    What ran stays away until it changes or is released; what came back may stay.
    """
    if outcome.code is not ExitCode.DONE or not outcome.rollout:
        return outcome
    record = journal.rollout(outcome.rollout)
    if record.verb != "rollback":
        changed = _changes_something(journal, record)
        return replace(outcome, hint="`reconcile rollback` takes it back" if changed else None)
    before = next((one for one in reversed(_stable(journal)) if one.number < record.number), None)
    if before is not None and before.revision.digest not in (record.revision.digest, NOTHING.digest):
        journal.quarantine_add(before.revision, "a person rolled it back", record.number)
    if any(item.revision.digest == record.revision.digest for item in journal.quarantine()):
        journal.quarantine_release(record.revision.digest)
    hint = f"`reconcile rollback {before.number}` brings back what stood before" if before is not None else None
    return replace(outcome, hint=hint)
