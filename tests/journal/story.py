"""A journal's life in a few calls, told to any journal, and everything that a journal knows as one value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from reconciler.journal.journal import Journal
from reconciler.model.plan import ApplyStep, Step
from reconciler.model.resource import Protect, Revision
from reconciler.model.rollout import RolloutStatus
from reconciler.model.state import Owned
from reconciler.testing.builders import address, apply_step, change, state, verify_step

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
FIRST, SECOND = Revision("a1" * 16, commit="c0ffee" + "0" * 34), Revision("b2" * 16, dirty=True)


def entry(name: str, text: str = "hello") -> Owned:
    return Owned(address(name), "memory", state(text=text), Protect.DELETE, FIRST.digest)


def creating(number: int, name: str, text: str = "hello", *, needs: tuple[int, ...] = ()) -> ApplyStep:
    step = apply_step(number, change(name, None, state(text=text), restore={"line": number}), needs=needs)
    return replace(step, owned=entry(name, text))


def deleting(number: int, name: str) -> ApplyStep:
    step = apply_step(number, change(name, state(text="hello"), None, restore={"raw": "caf\udce9\x00"}))
    return replace(step, previous=entry(name), after_all=True)


def begin(journal: Journal, *steps: Step, revision: Revision = FIRST) -> int:
    return journal.begin(verb="apply", path="desired", revision=revision, steps=steps, settings={"yes": True})


def create(journal: Journal, *names: str) -> int:
    """One stable rollout that creates these."""
    steps = [creating(number, name) for number, name in enumerate(names, 1)]
    numbers = [step.number for step in steps]
    rollout = begin(journal, *steps)
    journal.steps_started(rollout, numbers)
    journal.steps_done(rollout, numbers, [step.owned for step in steps if step.owned], [])
    journal.finish(rollout, RolloutStatus.STABLE, f"{len(steps)} created")
    return rollout


def undo_started(journal: Journal, name: str) -> int:
    """A rollout that failed on its only step and is being taken back."""
    rollout = begin(journal, creating(1, name), revision=SECOND)
    journal.steps_started(rollout, [1])
    journal.undoing(rollout, "the probe failed")
    return rollout


def tell(journal: Journal) -> Iterator[int]:
    """A whole story: a stable rollout, then a failing one that is undone and quarantined. Yields after each call."""
    calls = 0

    def told() -> int:
        nonlocal calls
        calls += 1
        return calls

    journal.confirm_inventory()
    yield told()
    first = begin(journal, creating(1, "a"), creating(2, "b"), verify_step(3, "a", needs=(1,)))
    yield told()
    for numbers in ([1, 2], [3]):
        journal.steps_started(first, numbers)
        yield told()
        journal.steps_done(first, numbers, [entry("a"), entry("b")] if 1 in numbers else [], [])
        yield told()
    journal.finish(first, RolloutStatus.STABLE, "2 changes")
    yield told()
    second = begin(journal, creating(1, "c"), deleting(2, "a"), revision=SECOND)
    yield told()
    journal.steps_started(second, [1, 2])
    yield told()
    journal.steps_done(second, [2], [], [address("a")])
    yield told()
    journal.steps_failed(second, [1], "the backend refused")
    yield told()
    journal.undoing(second, "Note/c: the backend refused")
    yield told()
    journal.steps_undone(second, [1, 2], [entry("a")], [address("c")])
    yield told()
    journal.quarantine_add(SECOND, "Note/c: the backend refused", second)
    yield told()
    journal.finish(second, RolloutStatus.ROLLED_BACK, "everything as before")
    yield told()


def known(journal: Journal) -> tuple[object, ...]:
    """Everything that the journal knows, except the random key."""
    rollouts = journal.rollouts(100)
    return (
        journal.rebuilt_needed,
        journal.inventory(),
        journal.quarantine(),
        journal.stable(),
        journal.interrupted(),
        rollouts,
        tuple((journal.settings(one.number), journal.steps(one.number)) for one in rollouts),
    )
