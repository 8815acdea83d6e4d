"""Composition root: wires host, backends, journal and engine, and runs the use cases of every face.

No text for people is made here beyond the messages of errors; no engine stage is bypassed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import jobs, own, past
from reconciler.engine import reconcile
from reconciler.engine.intents import intents as resolve_intents
from reconciler.engine.intents import with_sources
from reconciler.engine.reconcile import Decision
from reconciler.engine.work import Start, at_once, in_thread
from reconciler.host.protocol import Host
from reconciler.host.readonly import ReadOnlyHost
from reconciler.load.desired import load
from reconciler.look import look
from reconciler.model.address import ResourceId
from reconciler.model.errors import ExitCode, ObserveError, ReconcileError
from reconciler.model.event import Event, EventType, Listener, ignore
from reconciler.model.frozen import dataclass
from reconciler.model.intent import Intent, Request
from reconciler.model.mask import Mask
from reconciler.model.plan import Plan
from reconciler.model.resource import Desired, Resource, Revision
from reconciler.model.rollout import Outcome
from reconciler.model.state import Snapshot
from reconciler.outlook import foretold
from reconciler.refusals import refuse
from reconciler.registry import Registry, registry
from reconciler.settings import Folders, Settings, folders, read, this_machine

if TYPE_CHECKING:
    from reconciler.engine.rollout import Engine
    from reconciler.journal.journal import Journal

SNAPSHOT_HOLDS = frozenset({"port"})  # whatever the tree says: no claim can be judged elsewhere without its facts
KEPT_ROLLOUTS = 1000  # older ones are forgotten, except what is stable, quarantined or unfinished


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with everything that it was made from."""

    desired: Desired
    request: Request
    snapshot: Snapshot
    decision: Decision
    back: past.WayBack | None = None  # of a rollback
    intents: tuple[Intent, ...] = ()

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
    start: Start = at_once

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
        ours: tuple[Resource, ...] | None = None,
        unseen: dict[str, ObserveError] | None = None,
    ) -> Planned:
        """load → observe → diff → guard → plan. Writes nothing, neither host nor journal.

        `mask_key` is that of an earlier plan, to make one that can be compared with it. `ours` is what
        `reconcile self` wants from now on; without it, what it installed stays. With `unseen`, backends that cannot
        be looked at are noted there and left out: such a plan is to be read, never to be carried out.
        """
        desired = self.load() if desired is None else desired
        if request.release:
            with nullcontext(journal) if journal else self.journal() as reading:
                host = ReadOnlyHost(self.host)
                adopted = past.adoptions(reading, request.release, self.registry.providers, host)
            request = replace(request, adopted=adopted)
        wanted, snapshot = self._look(desired, journal, ours, request.whole_tree, unseen=unseen)
        snapshot = own.spared(snapshot) if ours is None else snapshot
        desired = with_sources(desired, wanted, self.registry.providers)
        if mask_key is not None:
            snapshot = replace(snapshot, mask_key=mask_key)
        decision = reconcile.decide(desired, wanted, snapshot, request, self.registry.providers)
        decision = foretold(decision, snapshot, lambda: self._measured(snapshot))
        return Planned(desired, request, snapshot, decision, intents=wanted)

    def _measured(self, snapshot: Snapshot) -> Mapping[str, float]:
        from reconciler.records import measured

        return measured(self.folders.state, self.host, snapshot.inventory)

    def plan_against(self, request: Request, snapshot: Snapshot, desired: Desired) -> Planned:
        """The plan that the host of a saved snapshot would make of this tree."""
        from reconciler.masked import masked_intents

        providers, snapshot = self.registry.providers, own.spared(snapshot)
        support = snapshot.unsupported.get
        resources = own.joined(desired.resources, snapshot.own if request.whole_tree else ())
        found = resolve_intents(resources, providers, snapshot.host, snapshot.inventory, support)
        desired = with_sources(desired, found, providers)
        try:
            decided = reconcile.decide(desired, masked_intents(found, snapshot), snapshot, request, providers)
            decision = foretold(decided, snapshot)
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # facts are a provider's own
            raise ReconcileError(
                f"cannot plan against the snapshot: it is damaged ({type(error).__name__}: {error})",
                hint="make one with `reconcile snapshot --out FILE` on the host",
            ) from error
        return Planned(desired, request, snapshot, decision)

    def plan_rollback(self, target: int | None, journal: Journal, *, accept: frozenset[str] = frozenset()) -> Planned:
        """The plan that brings back what stood after rollout `target`; None: before the last one in force."""
        from reconciler.engine.restore import restore

        back = past.way_back(journal, target)
        desired = Desired(str(self.path), back.revision, ())
        _, snapshot = self._look(desired, journal, ())
        everything = back.target == 0
        why = "as it was before anything was applied" if everything else f"as it was after rollout {back.target}"
        difference = restore(back.steps, snapshot, why, everything=everything)
        request = self.request(accept=accept)
        decision = reconcile.settle(desired, (), snapshot, request, self.registry.providers, difference)
        return Planned(desired, request, snapshot, foretold(decision, snapshot), back)

    def known(self, targets: frozenset[ResourceId], desired: Desired) -> frozenset[ResourceId]:
        """The targets, each of which must be in the manifests or in the inventory. Raises with the nearest name."""
        if not targets:
            return targets
        with self.journal() as journal:
            names = {resource.id for resource in desired.resources} | {entry.id for entry in journal.inventory()}
        for target in sorted(targets - names):
            from difflib import get_close_matches

            near = get_close_matches(str(target), [str(name) for name in sorted(names)], n=1)
            hint = f"did you mean {near[0]}?" if near else "`reconcile validate` says what the manifests hold"
            raise ReconcileError(f"cannot find the target {target}: no manifest and no inventory has it", hint=hint)
        return targets

    def check(self, resources: Sequence[Resource]) -> None:
        """Raises LoadError with every spec that no backend can express. Looks at no backend."""
        facts = self.host.facts()
        resolve_intents(resources, self.registry.providers, facts, (), lambda _name: None)

    def snapshot(self) -> Snapshot:
        """What the host has of ours, and of what stands in the way of the tree."""
        desired = self.load() if self.path.exists() else Desired(str(self.path), Revision("none"), ())
        return self._look(desired, None, also=SNAPSHOT_HOLDS)[1]

    def _look(
        self,
        desired: Desired,
        journal: Journal | None,
        ours: tuple[Resource, ...] | None = None,
        whole_tree: bool = True,
        *,
        also: frozenset[str] = frozenset(),
        unseen: dict[str, ObserveError] | None = None,
    ) -> tuple[tuple[Intent, ...], Snapshot]:
        if journal is None:
            with self.journal() as reading:
                return self._look(desired, reading, ours, whole_tree, also=also, unseen=unseen)
        return look(
            desired, journal, self.folders, ReadOnlyHost(self.host, self._note), self.registry.providers,
            ours=ours, whole_tree=whole_tree, also=also, unseen=unseen,
        )  # fmt: skip

    def _note(self, what: str) -> None:
        self.listener(Event(EventType.NOTED, what))

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
        from reconciler.engine.rollout import Engine

        mask = Mask(journal.mask_key())
        return Engine(self.host, self.registry.providers, journal, self.listener, self.stopping, mask, self.start)

    def recover(self, journal: Journal) -> Outcome | None:
        """Finish or undo what an earlier process left behind; None where nothing was."""
        record = journal.interrupted()
        if record is None:
            return None
        from reconciler.engine.rollout import recover

        return past.concluded(journal, recover(self.engine(journal), record))

    def resume(self, journal: Journal) -> Outcome | None:
        """Finish or undo whatever was left half-way, a failed rollback included; None where nothing was."""
        unfinished = self.recover(journal)
        if unfinished is not None:
            return unfinished
        failed = past.half_undone(journal)
        if failed is None:
            return None
        from reconciler.engine.rollout import undo_again

        return undo_again(self.engine(journal), failed)

    def carry_out(self, planned: Planned, journal: Journal, verb: str) -> Outcome:
        """Execute a plan, or refuse it; afterwards bring the inventory up to date."""
        refuse(planned.plan)
        jobs.prepare(self.folders, planned.intents, self.host.facts().runner)
        own.remember(journal, planned.snapshot.own)
        outcome = Outcome(0, ExitCode.DONE, "nothing to do")
        if planned.snapshot.inventory_lost:  # the marks are believed from here on; nothing is pruned before a success
            journal.remember(planned.snapshot.inventory, ())
        elif journal.rebuilt_needed:
            journal.confirm_inventory()
        if planned.plan.steps:
            engine, back = self.engine(journal), planned.back
            settings = past.settings(back, self.registry.digests)
            outcome = reconcile.roll_out(
                engine, planned.plan, verb, revision=past.stands_for(planned.request, journal), settings=settings
            )
            outcome = past.concluded(journal, outcome)
        if outcome.code is ExitCode.DONE:
            if journal.rebuilt_needed:
                journal.confirm_inventory()
            if planned.decision.remember or planned.decision.forget:
                journal.remember(planned.decision.remember, planned.decision.forget)
            if outcome.rollout:
                from reconciler.records import forget_jobs, rolled_out

                rolled_out(self.folders.state, self.host, journal, self.listener)
                if journal.prune_history(KEPT_ROLLOUTS):
                    forget_jobs(self.folders.state, self.host, journal)
        return outcome


def wire(
    path: Path,
    environ: Mapping[str, str],
    *,
    root: bool,
    host: Host | None = None,
    listener: Listener = ignore,
    stopping: Callable[[int], str | None] = lambda _count: None,
) -> App:
    """The application for a tree, on this machine unless another host is given. Only here work runs side by side."""
    places = folders(environ, root=root)
    settings = read(path, places.cache)
    here = host if host is not None else this_machine(places, settings)
    beside = Path(settings.source).parent if settings.source else None
    start = in_thread if host is None else at_once
    return App(path, settings, places, registry(settings.plugins, beside), here, listener, stopping, start)
