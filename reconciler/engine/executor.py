"""Walk the steps of a plan: journal the intent, let the provider write, journal the outcome.

A step starts when what it needs is done and its lane is free. One thread coordinates: it alone journals and tells.
Holds no decision about what to change; on the first failure it starts nothing new and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import field, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeAlias

from reconciler.engine.failure import Failure, ids_of, named, of_batch, of_gates
from reconciler.engine.order import Order
from reconciler.engine.walk import Verdicts, Walk
from reconciler.host.deadline import DeadlineHost
from reconciler.host.protocol import Host
from reconciler.model.errors import ReconcileError
from reconciler.model.event import Event, EventType
from reconciler.model.frozen import dataclass
from reconciler.model.plan import ApplyStep, Step, VerifyStep

STEP_TIMEOUT = 120.0  # seconds that one batch may spend in its backend, or since it last reported progress
LONGEST_STEP = 1800.0  # seconds for a batch that keeps reporting progress
LANES = 4  # batches that run side by side
GATE_CALLS = 16  # gates that wait side by side; those that become ready together count once
TICK = 0.1  # seconds between two looks at `stopping`


def execute(walk: Walk, steps: Sequence[Step], finished: frozenset[int] = frozenset()) -> Failure | None:
    """Carry out every step that is not in `finished`, in order of need. None when all are done."""
    return _Run(walk, Order(steps, finished), len(steps)).through()


_Message: TypeAlias = Callable[[], None]


@dataclass(slots=True)
class _Run:
    """One walk under way. Workers only put messages into `heard`; whatever they mean is done by the coordinator."""

    walk: Walk
    order: Order
    total: int
    heard: SimpleQueue[_Message] = field(default_factory=SimpleQueue)
    lanes: set[str] = field(default_factory=set)  # in which something runs
    waiting: dict[int, VerifyStep] = field(default_factory=dict)  # gates that have been started
    calls: int = 0  # of the gate, under way
    failed: bool = False  # set by workers too, so that nothing new starts behind a failure
    failure: Failure | None = None
    crash: BaseException | None = None

    @property
    def words(self) -> tuple[str, str, str]:
        if self.walk.undoing:
            return "undoing ", "cannot undo ", " undone"
        return "applying ", "cannot apply ", " applied"

    @property
    def progress(self) -> tuple[int, int]:
        return self.total - self.order.left, self.total

    def through(self) -> Failure | None:
        """The coordinator: start what can start, hear what became of it. Whatever writes is waited for."""
        try:
            self._go()
        except ReconcileError:  # of the journal
            self._wait_for_writers()
            raise
        finally:
            self.failed = True  # whatever still waits ends
            self.walk.listener(Event(EventType.STEPS_OVER, "", (), *self.progress))
        if self.crash is not None:
            raise self.crash
        return self.failure

    def _go(self) -> None:
        while self.order.left and not self.failed:
            if (why := self.walk.stopping()) is not None:
                self._fail(Failure(f"stopped by {why}", (), guilty=False))
                break
            self._start_applies()
            self._start_gates()
            if not self.lanes and not self.calls:
                self._fail(Failure("the steps that are left wait for each other", (), guilty=False))
            self._hear()
        while self.lanes or (self.failed and self.failure is None and self.crash is None):
            self._hear()
        self._give_up_gates()

    def _wait_for_writers(self) -> None:
        while self.lanes:
            with suppress(ReconcileError):
                self._hear()

    def _hear(self) -> None:
        """Everything that was said since, so that what became ready together starts together."""
        try:
            message = self.heard.get(timeout=TICK)
            while True:
                message()
                message = self.heard.get_nowait()
        except Empty:
            return

    def _crashed(self, error: BaseException, lane: str = "") -> None:
        def hear() -> None:
            self.lanes.discard(lane)
            self.crash = self.crash or error

        self.failed = True
        self.heard.put(hear)

    def _fail(self, failure: Failure) -> None:
        self.failed = True
        self.failure = self.failure or failure

    # Changes

    def _start_applies(self) -> None:
        """Into each free lane the batch that stands first, with everything of it that is ready."""
        batches: dict[tuple[str, str], list[ApplyStep]] = {}
        for _, step in sorted(self.order.ready.items()):
            if isinstance(step, ApplyStep):
                key = (step.change.provider, step.batch or f"#{step.number}")
                batches.setdefault(key, []).append(step)
        for (name, batched), batch in batches.items():
            lane = self.walk.providers[name].lock or f"{name}/{batched}"
            if lane in self.lanes:
                continue
            if self.failed or len(self.lanes) >= LANES:
                return
            self.order.take(batch)
            self.walk.journal.steps_started(self.walk.rollout, [step.number for step in batch])
            self._tell(EventType.STEPS_STARTED, self.words[0], batch, limit=STEP_TIMEOUT)
            self.lanes.add(lane)
            self.walk.start(partial(self._apply, lane, batch), partial(self._crashed, lane=lane))

    def _apply(self, lane: str, batch: Sequence[ApplyStep]) -> None:
        """In the worker: one batch in its backend."""
        host = self._bounded(batch)
        name, error = batch[0].change.provider, None
        try:
            with self.walk.locks.get(name, nullcontext()):
                self.walk.providers[name].apply(host, [step.change for step in batch])
        except ReconcileError as raised:
            error = raised
            self.failed = True
        self.heard.put(lambda: self._applied(lane, batch, error))

    def _bounded(self, batch: Sequence[ApplyStep]) -> Host:
        """The host as one batch sees it: it ends in time, and passes on what the provider reports."""

        def tell(text: str) -> None:
            self.heard.put(lambda: self._tell(EventType.STEP_PROGRESS, "", batch, f": {text}"))

        now = self.walk.host.clock.monotonic()
        longest, stopping = now + LONGEST_STEP, self._giving_up
        return DeadlineHost(
            self.walk.host, now + STEP_TIMEOUT, more=STEP_TIMEOUT, last=longest, tell=tell, stopping=stopping
        )

    def _applied(self, lane: str, batch: Sequence[ApplyStep], error: ReconcileError | None) -> None:
        self.lanes.discard(lane)
        numbers, journal, rollout = [step.number for step in batch], self.walk.journal, self.walk.rollout
        if error is not None:
            failure = of_batch(batch, error, self.walk.mask)
            # A Conflict promises that nothing was written.
            (journal.steps_refused if failure.stale else journal.steps_failed)(rollout, numbers, failure.message)
            self._tell(EventType.STEPS_FAILED, self.words[1], batch, f": {failure.message}")
            if stopped := self.walk.stopping():  # then nobody can tell whether it would have failed
                failure = replace(failure, message=f"stopped by {stopped}", ids=(), guilty=False)
            self._fail(failure)
            return
        owned = [step.owned for step in batch if step.owned is not None]
        disowned = [step.change.id for step in batch if step.owned is None]
        journal.steps_done(rollout, numbers, owned, disowned)
        self._done(numbers)
        self._tell(EventType.STEPS_DONE, "", batch, self.words[2])

    def _done(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.order.done(number)

    # Gates

    def _start_gates(self) -> None:
        """One call for all that are ready; it says of each as soon as it knows."""
        gates = [step for _, step in sorted(self.order.ready.items()) if isinstance(step, VerifyStep)]
        if not gates or self.failed or self.calls >= GATE_CALLS:
            return
        self.calls += 1
        self.order.take(gates)
        self.waiting |= {step.number: step for step in gates}
        self.walk.journal.steps_started(self.walk.rollout, [step.number for step in gates])
        for limit in sorted({step.within + step.stable_for for step in gates}):
            together = [step for step in gates if step.within + step.stable_for == limit]
            waits = any(step.probes or step.stable_for for step in together)
            self._tell(EventType.GATE_WAITING, "verifying ", together, limit=limit if waits else 0.0)
        self.walk.start(partial(self._verify, gates), self._crashed)

    def _verify(self, gates: Sequence[VerifyStep]) -> None:
        """In the worker: wait for these gates."""
        error = None
        try:
            for verdicts in self.walk.gate(gates, self._giving_up):
                self.failed |= any(why is not None for why in verdicts.values())
                self.heard.put(partial(self._verified, verdicts))
                if self.failed:
                    break
        except ReconcileError as raised:
            error = raised
        self.heard.put(lambda: self._gate_over(gates, error))

    def _giving_up(self) -> str | None:
        return "the failure of another step" if self.failed else self.walk.stopping()

    def _verified(self, verdicts: Verdicts) -> None:
        known = {number: why for number, why in sorted(verdicts.items()) if number in self.waiting}
        steps = {number: self.waiting.pop(number) for number in known}
        passed = [number for number, why in known.items() if why is None]
        if passed:
            self.walk.journal.steps_done(self.walk.rollout, passed, [], [])
            self._done(passed)
            self._tell(EventType.GATE_PASSED, "", [steps[number] for number in passed], " verified")
        bad = {steps[number].id: (number, why) for number, why in known.items() if why is not None}
        if not bad:
            return
        first = min(bad)
        self.walk.journal.steps_failed(self.walk.rollout, [number for number, _ in bad.values()], bad[first][1])
        message = f"{first} did not pass its verification: {bad[first][1]}"
        if len(bad) > 1:
            message += f" (and {len(bad) - 1} more)"
        self.walk.listener(Event(EventType.GATE_FAILED, message, tuple(sorted(bad)), *self.progress))
        self._fail(Failure(message, tuple(sorted(bad)), guilty=True))

    def _gate_over(self, gates: Sequence[VerifyStep], error: ReconcileError | None) -> None:
        """The call has ended. What it knows nothing about was given up, or could not be looked at."""
        self.calls -= 1
        left = [step for step in gates if step.number in self.waiting]
        if error is None or self.failure is not None or not left:
            return
        for step in left:
            del self.waiting[step.number]
        failure = of_gates(left, error, self.walk.mask)
        self.walk.journal.steps_failed(self.walk.rollout, [step.number for step in left], failure.message)
        self._tell(EventType.GATE_FAILED, "cannot verify ", left, f": {failure.message}")
        self._fail(failure)

    def _give_up_gates(self) -> None:
        """Nobody waits for a gate any more. It only looks, so that it may end in its own time."""
        if self.waiting:
            why = f"given up: {self.failure.message}" if self.failure else "given up"
            self.walk.journal.steps_failed(self.walk.rollout, sorted(self.waiting), why)
            self.waiting.clear()

    def _tell(
        self, type_: EventType, before: str, steps: Sequence[Step], after: str = "", *, limit: float = 0.0
    ) -> None:
        text = f"{before}{named(steps)}{after}"
        self.walk.listener(Event(type_, text, ids_of(steps), *self.progress, limit))
