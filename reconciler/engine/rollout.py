"""Doing: what a rollout needs, how it becomes stable or is taken back, how an interrupted one comes to an end.

The executor carries out; `rollback` says what to undo. Nothing here chooses what to change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Protocol

from reconciler.engine import executor, rollback, undoing, verify
from reconciler.engine.failure import Failure
from reconciler.engine.walk import StepJournal, Stopping, Verdicts, Walk
from reconciler.engine.work import Start, at_once
from reconciler.host.protocol import Host
from reconciler.host.stoppable import StoppableClock
from reconciler.model.address import Place, ResourceId
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import ExitCode, ReconcileError
from reconciler.model.event import Event, EventType, Listener
from reconciler.model.frozen import dataclass
from reconciler.model.mask import Mask
from reconciler.model.plan import ApplyStep, Step, VerifyStep
from reconciler.model.resource import Revision
from reconciler.model.rollout import Outcome, RolloutRecord, RolloutStatus, StepStatus
from reconciler.model.state import Observed, Owned, Ownership, State
from reconciler.provider import HasRemains, Provider, Wanted


class StepRecord(Protocol):
    """One step as the journal holds it."""

    @property
    def step(self) -> Step: ...
    @property
    def status(self) -> StepStatus: ...


class Journal(StepJournal, Protocol):
    """What a rollout writes down and reads back."""

    def begin(self, *, verb: str, path: str, revision: Revision, steps: Sequence[Step], settings: Json) -> int: ...
    def steps(self, number: int) -> Sequence[StepRecord]: ...
    def steps_undone(
        self, rollout: int, numbers: Sequence[int], owned: Sequence[Owned], disowned: Sequence[ResourceId]
    ) -> None: ...
    def undoing(self, rollout: int, failure: str) -> None: ...
    def finish(self, rollout: int, status: RolloutStatus, summary: str) -> None: ...
    def quarantine_add(self, revision: Revision, reason: str, rollout: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Engine:
    """What doing needs, wired once. `stopping(n)` is the reason to stop after n signals, or None."""

    host: Host
    providers: Mapping[str, Provider]
    journal: Journal
    listener: Listener
    stopping: Callable[[int], str | None]
    mask: Mask
    start: Start = at_once


_INTERRUPTED = "had been interrupted"
_DIED = "the process was interrupted"


def recover(engine: Engine, record: RolloutRecord) -> Outcome:
    """Finish or undo an interrupted rollout, by looking at the host.

    It is finished when every change already stands and no gate has failed: only gates are left. Otherwise it is
    undone, because what was wanted then may not be wanted now.
    """
    records = engine.journal.steps(record.number)
    ours = _marked(look(engine, [r.step for r in records]))
    applies = [(r.step, r.status) for r in records if isinstance(r.step, ApplyStep)]
    stands = all(
        status in (StepStatus.STARTED, StepStatus.DONE) and rollback.stands(step.change, ours)
        for step, status in applies
    )
    failed = any(r.status is StepStatus.FAILED for r in records)
    if record.status is RolloutStatus.RUNNING and stands and not failed:
        return replace(_finish(engine, record, records), resumed=_INTERRUPTED)
    had = _INTERRUPTED if record.failure in (None, _DIED) else f"had failed, and its undo {_INTERRUPTED}"
    return replace(_take_back_again(engine, record, _DIED), resumed=had)


def undo_again(engine: Engine, record: RolloutRecord) -> Outcome:
    """Another try at a rollback that failed, once a person has repaired what stood in its way."""
    outcome = _take_back_again(engine, record, "its rollback failed")
    return replace(outcome, resumed="had failed, and so had its undo")


def _take_back_again(engine: Engine, record: RolloutRecord, otherwise: str) -> Outcome:
    why = Failure(record.failure or otherwise, (), guilty=False)
    return take_back(engine, record.number, why, record.revision, record.verb, record.status)


def _finish(engine: Engine, record: RolloutRecord, records: Sequence[StepRecord]) -> Outcome:
    """Every change stands: note those that were not noted yet, then pass the gates."""
    started = [r.step for r in records if isinstance(r.step, ApplyStep) and r.status is StepStatus.STARTED]
    engine.journal.steps_done(
        record.number,
        [step.number for step in started],
        [step.owned for step in started if step.owned is not None],
        [step.change.id for step in started if step.owned is None],
    )
    steps = [r.step for r in records]
    finished = frozenset(
        r.step.number for r in records if isinstance(r.step, ApplyStep) or r.status is StepStatus.DONE
    )
    failure = executor.execute(walk(engine, record.number, steps), steps, finished)
    if failure is None:
        return stable(engine, record.number, steps)
    return take_back(engine, record.number, failure, record.revision, record.verb)


def take_back(
    engine: Engine,
    number: int,
    failure: Failure,
    revision: Revision,
    verb: str,
    status: RolloutStatus = RolloutStatus.RUNNING,
) -> Outcome:
    """Undo what a rollout did, last step first, through the same executor; then look whether it is undone."""
    touched = True
    if status is not RolloutStatus.UNDOING:
        engine.journal.undoing(number, failure.message)
    cause = "" if failure.ids else f"{failure.message}; "  # what happened to resources was told when it did
    engine.listener(Event(EventType.UNDO_STARTED, f"{cause}undoing rollout {number}"))
    records = engine.journal.steps(number)
    try:
        found, blind = _look_again(engine, [r.step for r in records])
        again = status is not RolloutStatus.RUNNING
        todo = rollback.undo([(r.step, r.status) for r in records], found, blind, again=again)
        touched = bool(todo.phases or todo.stuck)
        left = [why for _, why in todo.stuck]
        _note_undone(engine, number, todo.kept)
        steps = [step for phase in todo.phases for step in phase]
        back = replace(walk(engine, number, steps), stopping=lambda: engine.stopping(2))
        left += undoing.carry_out(back, engine.journal, todo)
    except ReconcileError as error:
        left = [undoing.told(error.message, error.hint)]
    if (why := engine.stopping(2)) is not None:
        message = f"the undo of rollout {number} was cut short by {why}; the next apply goes on with it"
        return Outcome(number, ExitCode.PARTLY, message, tuple(left))
    if failure.guilty and verb == "apply":
        engine.journal.quarantine_add(revision, failure.message, number)
    if left:
        engine.journal.finish(number, RolloutStatus.ROLLBACK_FAILED, failure.message)
        engine.listener(Event(EventType.UNDO_FAILED, f"rollout {number} could not be undone"))
        return _ended(number, ExitCode.ROLLBACK_FAILED, failure, left)
    engine.journal.finish(number, RolloutStatus.ROLLED_BACK, failure.message)
    engine.listener(Event(EventType.UNDO_DONE, f"rollout {number} undone: everything is as before"))
    code = ExitCode.STALE if failure.stale and not touched else ExitCode.ROLLED_BACK
    return _ended(number, code, failure)


def _ended(number: int, code: ExitCode, failure: Failure, left: Sequence[str] = ()) -> Outcome:
    return Outcome(number, code, failure.message, tuple(left), failure.where, failure.hint)


def _note_undone(engine: Engine, number: int, steps: Sequence[ApplyStep]) -> None:
    owned = [step.owned for step in steps if step.owned is not None]
    disowned = [step.change.id for step in steps if step.owned is None]
    engine.journal.steps_undone(number, [step.number for step in steps], owned, disowned)


def stable(engine: Engine, number: int, steps: Sequence[Step]) -> Outcome:
    """Everything is verified: the rollout is kept, and what its undo would have needed goes."""
    changes = [step.change for step in steps if isinstance(step, ApplyStep)]
    summary = f"{len(changes)} change{'s' if len(changes) != 1 else ''} applied and verified"
    engine.journal.finish(number, RolloutStatus.STABLE, summary)
    return Outcome(number, ExitCode.DONE, "; ".join([summary, *_sweep(engine, changes)]))


def _sweep(engine: Engine, changes: Sequence[Change]) -> list[str]:
    """Why something that was set aside stays: no reason to doubt the rollout."""
    left: list[str] = []
    for name in sorted({change.provider for change in changes}):
        provider = engine.providers[name]
        if isinstance(provider, HasRemains):
            try:
                provider.sweep(engine.host, [change for change in changes if change.provider == name])
            except ReconcileError as error:
                left.append(engine.mask.text(f"what was set aside stays, and `reconcile status` names it: {error}"))
    return left


def walk(engine: Engine, number: int, steps: Sequence[Step]) -> Walk:
    expected: dict[Place, State | None] = {
        step.change.place: rollback.outcome(step.change) for step in steps if isinstance(step, ApplyStep)
    }
    used = {p.provider: engine.providers[p.provider].lock for p in expected if p.provider in engine.providers}
    shared = {lock: Lock() for lock in used.values() if lock is not None}
    locks = {name: shared[lock] for name, lock in used.items() if lock is not None}

    def gate(gates: Sequence[VerifyStep], stopping: Stopping) -> Iterator[Verdicts]:
        """What a probe says may hold what it was told in confidence: masked before anybody sees or stores it."""
        clock = StoppableClock(engine.host.clock, stopping)
        for verdicts in verify.verify(engine.host, engine.providers, gates, expected, clock, locks):
            yield {number: why and engine.mask.text(why) for number, why in verdicts.items()}

    return Walk(
        host=engine.host,
        providers=engine.providers,
        journal=engine.journal,
        rollout=number,
        gate=gate,
        listener=engine.listener,
        stopping=lambda: engine.stopping(1),
        start=engine.start,
        locks=locks,
        mask=engine.mask.text,
    )


def look(engine: Engine, steps: Sequence[Step]) -> list[Observed]:
    """A fresh look at every backend that these steps speak of. Raises ObserveError."""
    return [item for name, wanted in _wanted(steps).items() for item in _seen(engine, name, wanted)]


def _look_again(engine: Engine, steps: Sequence[Step]) -> tuple[list[Observed], dict[str, str]]:
    """The same, and why a backend could not be looked at: what the others hold can be undone all the same."""
    found: list[Observed] = []
    blind: dict[str, str] = {}
    for name, wanted in _wanted(steps).items():
        try:
            found += _seen(engine, name, wanted)
        except ReconcileError as error:
            blind[name] = engine.mask.text(undoing.told(error.message, error.hint))
    return found, blind


def _wanted(steps: Sequence[Step]) -> dict[str, list[Wanted]]:
    """What to look for in each backend: what was begun may have been done, so one without marks looks for either."""
    changes = [step.change for step in steps if isinstance(step, ApplyStep)]
    return {
        name: [Wanted(c.id, c.after, c.before or c.after) for c in changes if c.provider == name]
        for name in sorted({change.provider for change in changes})
    }


def _seen(engine: Engine, name: str, wanted: Sequence[Wanted]) -> Sequence[Observed]:
    return engine.providers[name].observe(engine.host, wanted).found


def _marked(found: Sequence[Observed]) -> dict[Place, Observed]:
    return {item.place: item for item in found if item.ownership is Ownership.OURS}
