"""Composition root: wires host, backends, journal and engine, and runs the use cases of every face.

No text for people is made here beyond the messages of errors; no engine stage is bypassed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.engine import reconcile
from reconciler.engine.intents import intents as resolve_intents
from reconciler.engine.observe import Memory, Supports, observe
from reconciler.engine.reconcile import Decision, Engine, Outcome
from reconciler.engine.restore import restore
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Host
from reconciler.host.readonly import ReadOnlyHost
from reconciler.load.desired import load
from reconciler.model.errors import ExitCode, ReconcileError, Refused, StalePlan
from reconciler.model.event import Listener, ignore
from reconciler.model.intent import Intent, Request
from reconciler.model.plan import ApplyStep, Plan
from reconciler.model.resource import Desired, Resource, Revision
from reconciler.model.rollout import RolloutRecord, RolloutStatus, StepStatus
from reconciler.model.state import Snapshot
from reconciler.registry import Registry, registry
from reconciler.settings import Folders, Settings, folders, read

if TYPE_CHECKING:
    from reconciler.journal.journal import Journal

KEPT_ROLLOUTS = 1000  # older ones are forgotten, except what is stable, quarantined or unfinished
MANY = 1_000_000  # "all of them"


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with everything that it was made from."""

    desired: Desired
    request: Request
    snapshot: Snapshot
    decision: Decision

    @property
    def plan(self) -> Plan:
        return self.decision.plan


@dataclass(frozen=True, slots=True)
class App:
    """The wired application for one tree. Made by `wire`; holds no open file."""

    path: Path
    settings: Settings
    folders: Folders
    registry: Registry
    host: Host
    listener: Listener = ignore
    stopping: Callable[[int], str | None] = lambda _count: None

    def load(self) -> Desired:
        """The desired set of the tree. Raises LoadError with every problem."""
        return load(self.path, kinds=self.registry.kinds, host=self.host, cache_dir=self.folders.cache)

    def request(self, **wishes: object) -> Request:
        """A request for this tree with the settings' prune policy."""
        return replace(
            Request(whole_tree=self.path.is_dir(), prune=self.settings.prune),
            **wishes,  # type: ignore[arg-type]
        )

    def plan(
        self,
        request: Request,
        *,
        desired: Desired | None = None,
        journal: Journal | None = None,
        mask_key: str | None = None,
    ) -> Planned:
        """load → observe → diff → guard → plan. Writes nothing, neither host nor journal.

        `mask_key` is that of an earlier plan, to make one that can be compared with it.
        """
        desired = self.load() if desired is None else desired
        wanted, snapshot = self._look(desired, journal)
        if mask_key is not None:
            snapshot = replace(snapshot, mask_key=mask_key)
        decision = reconcile.decide(desired, wanted, snapshot, request, self.registry.providers)
        return Planned(desired, request, snapshot, decision)

    def plan_against(self, request: Request, snapshot: Snapshot) -> Planned:
        """The plan that the host of a saved snapshot would make of this tree."""
        from reconciler.masked import masked_intents

        desired = self.load()
        found = resolve_intents(
            desired.resources, self.registry.providers, snapshot.host, snapshot.inventory, snapshot.unsupported.get
        )
        wanted = masked_intents(found, snapshot)
        decision = reconcile.decide(desired, wanted, snapshot, request, self.registry.providers)
        return Planned(desired, request, snapshot, decision)

    def plan_rollback(self, target: int | None, journal: Journal, *, accept: frozenset[str] = frozenset()) -> Planned:
        """The plan that brings back what stood after rollout `target`; None: before the last stable one."""
        undone = _rollouts_after(journal, target)
        kept = journal.rollout(target) if target else None
        revision = kept.revision if kept else Revision("none")
        if target is None:
            revision = _revision_before(journal, undone[0].number)
        steps = [
            record.step
            for rollout in undone
            for record in journal.steps(rollout.number)
            if isinstance(record.step, ApplyStep) and record.status is StepStatus.DONE
        ]
        desired = Desired(str(self.path), revision, ())
        _, snapshot = self._look(desired, journal)
        why = f"as it was before rollout {undone[0].number}"
        difference = restore(steps, snapshot, why)
        request = self.request(accept=accept)
        decision = reconcile.settle(desired, (), snapshot, request, self.registry.providers, difference)
        return Planned(desired, request, snapshot, decision)

    def quarantine_undone(self, target: int | None, journal: Journal, before: int) -> None:
        """After a rollback: what was rolled back is not applied again until it changes or is released."""
        stable = journal.stable()
        for rollout in _rollouts_after(journal, target, before=before)[-1:]:
            if rollout.verb == "apply" and (stable is None or stable[1].digest != rollout.revision.digest):
                reason = "a person rolled it back"
                journal.quarantine_add(rollout.revision, reason, rollout.number)

    def check(self, resources: Sequence[Resource]) -> None:
        """Raises LoadError with every spec that no backend can express. Looks at no backend."""
        facts = self.host.facts()
        resolve_intents(resources, self.registry.providers, facts, (), lambda _name: None)

    def snapshot(self) -> Snapshot:
        """What the host has of ours, and of what stands in the way of the tree."""
        desired = self.load() if self.path.exists() else Desired(str(self.path), Revision("none"), ())
        return self._look(desired, None)[1]

    def _look(self, desired: Desired, journal: Journal | None) -> tuple[tuple[Intent, ...], Snapshot]:
        """Intents and the snapshot that they are decided on, from one look at the host."""
        if journal is None:
            with self.journal() as reading:
                return self._look(desired, reading)
        host, providers, remembered = ReadOnlyHost(self.host), self.registry.providers, memory(journal)
        support = Supports(host, providers)
        wanted = resolve_intents(desired.resources, providers, host.facts(), remembered.inventory, support)
        return wanted, observe(host, providers, wanted, remembered, support)

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        """The journal for reading: never creates, migrates or repairs it."""
        from reconciler.journal.journal import Journal

        journal = Journal.open(self.folders.state, clock=self.host.clock, read_only=True)
        try:
            yield journal
        finally:
            journal.close()

    @contextmanager
    def writing(self, purpose: str) -> Iterator[Journal]:
        """The journal for writing, under the one writer's lock. Raises LockBusy naming the holder."""
        from reconciler.journal.journal import Journal
        from reconciler.journal.lock import WriterLock

        with WriterLock.acquire(self.folders.state, purpose=purpose, clock=self.host.clock):
            journal = Journal.open(self.folders.state, clock=self.host.clock)
            try:
                yield journal
            finally:
                journal.close()

    def engine(self, journal: Journal) -> Engine:
        return Engine(self.host, self.registry.providers, journal, self.listener, self.stopping)

    def recover(self, journal: Journal) -> Outcome | None:
        """Finish or undo what an earlier process left behind; None where nothing was."""
        record = journal.interrupted()
        return None if record is None else reconcile.recover(self.engine(journal), record)

    def resume(self, journal: Journal) -> Outcome | None:
        """Finish or undo whatever was left half-way, a failed rollback included; None where nothing was."""
        unfinished = self.recover(journal)
        if unfinished is not None:
            return unfinished
        newest = journal.rollouts(limit=1)
        if not newest or newest[0].status is not RolloutStatus.ROLLBACK_FAILED:
            return None
        return reconcile.undo_again(self.engine(journal), newest[0])

    def carry_out(self, planned: Planned, journal: Journal, verb: str) -> Outcome:
        """Execute a plan, or refuse it; afterwards bring the inventory up to date."""
        refuse(planned)
        outcome = Outcome(0, ExitCode.DONE, "nothing to do")
        if planned.plan.steps:
            outcome = reconcile.roll_out(self.engine(journal), planned.plan, verb)
        if outcome.code is ExitCode.DONE:
            if planned.decision.remember or planned.decision.forget:
                journal.remember(planned.decision.remember, planned.decision.forget)
            if journal.rebuilt_needed:
                journal.confirm_inventory()
            if outcome.rollout:
                journal.prune_history(KEPT_ROLLOUTS)
        return outcome


def memory(journal: Journal) -> Memory:
    """What a plan depends on and the journal knows."""
    notices: list[str] = []
    if journal.set_aside is not None:
        notices.append(journal.set_aside)
    record = journal.interrupted()
    if record is not None:
        notices.append(
            f"Rollout {record.number} ({record.verb}) was interrupted. "
            "The next apply first finishes or undoes it, and then plans again."
        )
    notices += left_behind(journal)
    return Memory(
        inventory=journal.inventory(),
        inventory_lost=journal.rebuilt_needed,
        quarantine=journal.quarantine(),
        notices=tuple(notices),
        mask_key=journal.mask_key(),
    )


def _rollouts_after(journal: Journal, target: int | None, *, before: int | None = None) -> list[RolloutRecord]:
    """Stable rollouts after `target`, oldest first; None: only the last one. Raises where there is none."""
    records = [
        record
        for record in reversed(journal.rollouts(limit=MANY))
        if record.status is RolloutStatus.STABLE and (before is None or record.number < before)
    ]
    if target is None:
        found = records[-1:]
    else:
        known = {record.number for record in records}
        if target and target not in known:
            raise ReconcileError(
                f"cannot roll back to rollout {target}: it is not a rollout that became stable",
                hint="`reconcile history` lists them; 0 means before the first one",
            )
        found = [record for record in records if record.number > target]
    if not found:
        raise ReconcileError("cannot roll back: there is no stable rollout to take back")
    return found


def _revision_before(journal: Journal, number: int) -> Revision:
    """The revision that was stable before a rollout."""
    earlier = (
        record.revision
        for record in journal.rollouts(limit=MANY)
        if record.number < number and record.status is RolloutStatus.STABLE
    )
    return next(earlier, Revision("none"))


def left_behind(journal: Journal) -> list[str]:
    """What the last rollout could not undo, in one sentence; empty where nothing is left."""
    newest = journal.rollouts(limit=1)
    if not newest or newest[0].status is not RolloutStatus.ROLLBACK_FAILED:
        return []
    touched = {StepStatus.STARTED, StepStatus.DONE, StepStatus.FAILED}
    left = sorted(
        f"{record.step.change.id} ({record.step.change.action} on {record.step.change.provider})"
        for record in journal.steps(newest[0].number)
        if isinstance(record.step, ApplyStep) and record.status in touched
    )
    return [
        f"Rollout {newest[0].number} failed and could not be undone completely. Still as it left them: "
        f"{', '.join(left) or 'nothing that is known'}. Repair what stands in the way, then `reconcile resume`."
    ]


def refuse(planned: Planned) -> None:
    """Raises Refused where a guard said no."""
    vetoes = planned.plan.vetoes
    if vetoes:
        count = len(vetoes)
        raise Refused(
            f"cannot apply the plan: {count} refusal{'s' if count != 1 else ''}, the first: {vetoes[0].message}",
            where=str(vetoes[0].id) if vetoes[0].id else None,
            hint=vetoes[0].hint,
        )


def require_same(fingerprint: str, again: Planned) -> None:
    """Raises StalePlan unless the plan made afresh has this fingerprint."""
    if again.plan.fingerprint != fingerprint:
        raise StalePlan(
            "cannot apply the plan: something changed since it was made, so it would no longer do what it says",
            hint="run `reconcile plan` again and read the new plan",
        )


def wire(
    path: Path,
    environ: Mapping[str, str],
    *,
    root: bool,
    host: Host | None = None,
    listener: Listener = ignore,
    stopping: Callable[[int], str | None] = lambda _count: None,
) -> App:
    """The application for a tree, on this machine unless another host is given."""
    places = folders(environ, root=root)
    settings = read(path, places.cache)
    here = host if host is not None else LocalHost(name=settings.host_name, labels=settings.host_labels)
    beside = Path(settings.source).parent if settings.source else None
    return App(path, settings, places, registry(settings.plugins, beside), here, listener, stopping)
