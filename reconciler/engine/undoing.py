"""Carrying out an undo that `rollback` has decided: by phases, through the executor; then a look at it.

Holds no decision about what to undo; says everything that is left as it should not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from reconciler.engine import executor, rollback, verify
from reconciler.engine.failure import Failure
from reconciler.engine.walk import Walk
from reconciler.model.address import ResourceId
from reconciler.model.plan import ApplyStep
from reconciler.model.state import Owned


class UndoneJournal(Protocol):
    """What an undo writes down."""

    def steps_undone(
        self, rollout: int, numbers: Sequence[int], owned: Sequence[Owned], disowned: Sequence[ResourceId]
    ) -> None: ...


def carry_out(walk: Walk, journal: UndoneJournal, todo: rollback.Undo) -> list[str]:
    """Carry out the phases of an undo. Answers what could not be undone, each with the reason."""
    noted = _UndoJournal(journal)
    walk = replace(walk, journal=noted, undoing=True)
    undone = [step for phase in todo.phases for step in phase]
    left: list[str] = []
    named: set[ResourceId] = set()
    for phase in todo.phases:
        failures = _together(walk, phase)
        left += [f"{', '.join(map(str, f.ids)) or 'everything else'}: {told(f.message, f.hint)}" for f in failures]
        named |= {id_ for failure in failures for id_ in failure.ids}
        if not all(failure.stale for failure in failures):
            rest = {step.change.id for step in undone if step.number not in noted.undone} - named
            return left + [f"{id_}: not undone, for the undo went no further than that" for id_ in sorted(rest)]
    return left or _wrong(walk, undone)


def told(message: str, hint: str | None) -> str:
    """A reason and what to do about it, as one line of a list."""
    return f"{message} (what to do: {hint})" if hint else message


def _together(undoing: Walk, phase: Sequence[ApplyStep]) -> list[Failure]:
    """What could not be undone; one that somebody else changed does not keep the others of its batch."""
    failure = executor.execute(undoing, phase)
    if failure is None:
        return []
    if failure.stale and len(phase) > 1:
        return [again for step in phase for again in _together(undoing, (step,))]
    return [failure]


def _wrong(walk: Walk, undone: Sequence[ApplyStep]) -> list[str]:
    """What does not stand as before although its undo reported no trouble."""
    checks = rollback.checks(undone)
    expected = {step.change.place: rollback.outcome(step.change) for step in undone}
    names = {step.number: step.change.id for step in undone}
    looks = verify.verify(walk.host, walk.providers, checks, expected, walk.host.clock, {})
    wrong = sorted((names[number], why) for verdicts in looks for number, why in verdicts.items() if why is not None)
    return [f"{id_}: {why}" for id_, why in wrong]


@dataclass(frozen=True, slots=True)
class _UndoJournal:
    """Records what the executor does during an undo as undone steps of the same rollout."""

    journal: UndoneJournal
    undone: set[int] = field(default_factory=set)

    def steps_refused(self, rollout: int, numbers: Sequence[int], why: str) -> None:
        """A conflict during an undo: the steps keep their status, and the undo says what is left."""

    def steps_started(self, rollout: int, numbers: Sequence[int]) -> None:
        """The intent to undo is on disk already, as the status of the rollout."""

    def steps_done(
        self, rollout: int, numbers: Sequence[int], owned: Sequence[Owned], disowned: Sequence[ResourceId]
    ) -> None:
        self.journal.steps_undone(rollout, numbers, owned, disowned)
        self.undone.update(numbers)

    def steps_failed(self, rollout: int, numbers: Sequence[int], why: str) -> None:
        """A step that could not be undone keeps its status: the next start tries again."""
