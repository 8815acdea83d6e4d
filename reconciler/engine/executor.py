"""Walk the steps of a plan: journal the intent, let the provider write, journal the outcome.

Holds no decision about what to change; on the first failure it starts nothing new and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from reconciler.host.deadline import DeadlineHost
from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.errors import ApplyError, Conflict, ReconcileError
from reconciler.model.event import Event, EventType, Listener
from reconciler.model.plan import ApplyStep, Step, VerifyStep
from reconciler.model.state import Owned
from reconciler.provider import Provider

STEP_TIMEOUT = 120.0  # seconds that one batch may spend in its backend
WORKERS = 4  # batches of different backends that run side by side

Gate: TypeAlias = Callable[[Sequence[VerifyStep]], Mapping[ResourceId, str]]


class StepJournal(Protocol):
    """What the executor writes down. Every call is durable before it returns."""

    def steps_started(self, rollout: int, numbers: Sequence[int]) -> None: ...
    def steps_done(
        self, rollout: int, numbers: Sequence[int], owned: Sequence[Owned], disowned: Sequence[ResourceId]
    ) -> None: ...
    def steps_refused(self, rollout: int, numbers: Sequence[int], why: str) -> None: ...
    def steps_failed(self, rollout: int, numbers: Sequence[int], why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a rollout stopped. `guilty`: the revision is to blame; `stale`: somebody changed the host meanwhile.

    `where` and `hint` are for the person who reads the message, as those of an error.
    """

    message: str
    ids: tuple[ResourceId, ...]
    guilty: bool
    stale: bool = False
    where: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """What one walk needs: the host, the backends, the journal, the gate, and who listens.

    `mask` hides what a backend was told in confidence and now says aloud; `undoing` only changes the words.
    """

    host: Host
    providers: Mapping[str, Provider]
    journal: StepJournal
    rollout: int
    gate: Gate
    listener: Listener
    stopping: Callable[[], str | None]  # the reason to stop (a signal), or None
    mask: Callable[[str], str]
    undoing: bool = False


def execute(walk: Walk, steps: Sequence[Step], finished: frozenset[int] = frozenset()) -> Failure | None:
    """Carry out every step that is not in `finished`, in order of need. None when all are done."""
    pending = {step.number: step for step in steps if step.number not in finished}
    first_removal = min((s.number for s in steps if isinstance(s, ApplyStep) and s.after_all), default=0)
    done = set(finished)
    while pending:
        if (why := walk.stopping()) is not None:
            return Failure(f"stopped by {why}", (), guilty=False)
        last_phase = min(pending) >= first_removal
        ready = [step for step in pending.values() if _is_ready(step, done, last_phase)]
        applies = [step for step in ready if isinstance(step, ApplyStep)]
        gates = [step for step in ready if isinstance(step, VerifyStep)]
        progress = (len(done), len(steps))
        failure = _apply(walk, applies, progress) if applies else _verify(walk, gates, progress)
        if failure is not None:
            return failure
        for step in applies or gates:
            done.add(step.number)
            del pending[step.number]
    return None


def _is_ready(step: Step, done: set[int], last_phase: bool) -> bool:
    """Whether nothing stands in front of a step."""
    if isinstance(step, ApplyStep) and step.after_all and not last_phase:
        return False
    return done.issuperset(step.needs)


def _apply(walk: Walk, steps: Sequence[ApplyStep], progress: tuple[int, int]) -> Failure | None:
    """Apply steps that are ready together: one call per batch, batches that share a lock one after the other."""
    lanes: dict[str, dict[tuple[str, str], list[ApplyStep]]] = {}
    for step in steps:
        provider = step.change.provider
        lane = walk.providers[provider].lock or f"{provider}#{step.number}"
        key = (provider, step.batch or f"#{step.number}")
        lanes.setdefault(lane, {}).setdefault(key, []).append(step)
    for lane_steps in lanes.values():
        for batch in lane_steps.values():
            walk.journal.steps_started(walk.rollout, [step.number for step in batch])
            _tell(walk, EventType.STEPS_STARTED, batch, progress)
    errors: list[tuple[list[ApplyStep], ReconcileError]] = []
    for batches in _run_lanes(walk, [list(lane.values()) for lane in lanes.values()]):
        for batch, error in batches:
            _record(walk, batch, error, progress)
            if error is not None:
                errors.append((batch, error))
    if not errors:
        return None
    return _failure(walk, *min(errors, key=lambda found: found[0][0].number))


def _failure(walk: Walk, batch: Sequence[ApplyStep], error: ReconcileError) -> Failure:
    """An error as the rollout tells of it: whatever the backend said, it names the resource and its place."""
    ids = tuple(step.change.id for step in batch)
    place = error.where or batch[0].change.where
    return Failure(
        message=walk.mask(error.message),
        ids=ids,
        guilty=isinstance(error, ApplyError),
        stale=isinstance(error, Conflict),
        where=f"{_named(ids)}, {walk.mask(place)}" if place else _named(ids),
        hint=walk.mask(error.hint) if error.hint else None,
    )


Outcome: TypeAlias = "tuple[list[ApplyStep], ReconcileError | None]"


def _run_lanes(walk: Walk, lanes: Sequence[Sequence[list[ApplyStep]]]) -> list[list[Outcome]]:
    """Run each lane's batches in order, different lanes side by side."""
    if len(lanes) == 1:
        return [_run_lane(walk, lanes[0])]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return list(pool.map(lambda lane: _run_lane(walk, lane), lanes))


def _run_lane(walk: Walk, batches: Sequence[list[ApplyStep]]) -> list[Outcome]:
    """Outcomes of the batches that ran; after the first failure the lane stops."""
    outcomes: list[Outcome] = []
    for batch in batches:
        host = DeadlineHost(walk.host, walk.host.clock.monotonic() + STEP_TIMEOUT)
        try:
            walk.providers[batch[0].change.provider].apply(host, [step.change for step in batch])
        except ReconcileError as error:
            outcomes.append((batch, error))
            break
        outcomes.append((batch, None))
    return outcomes


def _record(walk: Walk, batch: Sequence[ApplyStep], error: ReconcileError | None, progress: tuple[int, int]) -> None:
    numbers = [step.number for step in batch]
    why = walk.mask(error.message) if error is not None else ""
    if isinstance(error, Conflict):  # the provider promises that nothing was written
        walk.journal.steps_refused(walk.rollout, numbers, why)
    elif error is not None:
        walk.journal.steps_failed(walk.rollout, numbers, why)
    if error is not None:
        _tell(walk, EventType.STEPS_FAILED, batch, progress, why)
        return
    owned = [step.owned for step in batch if step.owned is not None]
    disowned = [step.change.id for step in batch if step.owned is None]
    walk.journal.steps_done(walk.rollout, numbers, owned, disowned)
    _tell(walk, EventType.STEPS_DONE, batch, (progress[0] + len(batch), progress[1]))


def _verify(walk: Walk, steps: Sequence[VerifyStep], progress: tuple[int, int]) -> Failure | None:
    """Pass the gates that are ready together."""
    numbers = [step.number for step in steps]
    ids = tuple(step.id for step in steps)
    walk.journal.steps_started(walk.rollout, numbers)
    walk.listener(Event(EventType.GATE_WAITING, f"verifying {_named(ids)}", ids, *progress))
    try:
        failed = walk.gate(steps)
    except ReconcileError as error:
        why = walk.mask(error.message)
        walk.journal.steps_failed(walk.rollout, numbers, why)
        return Failure(why, ids, guilty=False, where=error.where or _named(ids), hint=error.hint)
    bad = [step.number for step in steps if step.id in failed]
    walk.journal.steps_done(walk.rollout, [n for n in numbers if n not in set(bad)], [], [])
    if not bad:
        walk.listener(
            Event(EventType.GATE_PASSED, f"{_named(ids)} verified", ids, progress[0] + len(ids), progress[1])
        )
        return None
    first = min(failed)
    walk.journal.steps_failed(walk.rollout, bad, failed[first])
    message = f"{first} did not pass its verification: {failed[first]}"
    if len(failed) > 1:
        message += f" (and {len(failed) - 1} more)"
    walk.listener(Event(EventType.GATE_FAILED, message, tuple(sorted(failed)), *progress))
    return Failure(message, tuple(sorted(failed)), guilty=True)


_DOING = {
    EventType.STEPS_STARTED: ("applying {}", "undoing {}"),
    EventType.STEPS_DONE: ("{} applied", "{} undone"),
    EventType.STEPS_FAILED: ("cannot apply {}: {why}", "cannot undo {}: {why}"),
}


def _tell(walk: Walk, type_: EventType, batch: Sequence[ApplyStep], progress: tuple[int, int], why: str = "") -> None:
    ids = tuple(step.change.id for step in batch)
    words = _DOING[type_][walk.undoing]
    walk.listener(Event(type_, words.format(_named(ids), why=why), ids, *progress))


def _named(ids: Sequence[ResourceId]) -> str:
    return str(ids[0]) if len(ids) == 1 else f"{len(ids)} resources"
