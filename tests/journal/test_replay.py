"""Whatever happened, in whatever batches: replaying the journalled steps gives the inventory."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.model.address import ResourceId
from reconciler.model.plan import ApplyStep
from reconciler.model.rollout import RolloutStatus, StepStatus
from reconciler.model.state import Owned
from reconciler.testing.builders import apply_step, change, state
from tests.journal.story import NOON, begin, entry

Inventory = dict[ResourceId, Owned]

texts = st.text(max_size=5) | st.sampled_from(["\udce9", "\x00", "'; DROP TABLE steps; --", "☃"])
wishes = st.dictionaries(st.sampled_from("abcdef"), st.none() | texts, min_size=1, max_size=5)
rollouts = st.tuples(
    wishes, st.integers(1, 3), st.integers(0, 6)
)  # wishes, size of a batch, batches before a failure


def planned(number: int, name: str, text: str | None, owned: Inventory) -> ApplyStep:
    """The step that makes `name` say `text`, or removes it."""
    after = None if text is None else entry(name, text)
    previous = owned.get(entry(name).id)
    before = previous.state if previous else state(text="foreign")
    step = apply_step(number, change(name, before, after.state if after else None, restore=text))
    return replace(step, owned=after, previous=previous)


def put(model: Inventory, step: ApplyStep, entry_: Owned | None) -> None:
    if entry_ is None:
        model.pop(step.change.id, None)
    else:
        model[step.change.id] = entry_


def outcome(batch: list[ApplyStep]) -> tuple[list[int], list[Owned], list[ResourceId]]:
    owned = [step.owned for step in batch if step.owned is not None]
    return [step.number for step in batch], owned, [step.change.id for step in batch if step.owned is None]


def carry_out(journal: Journal, steps: list[ApplyStep], size: int, good: int) -> None:
    """Batches until one fails; what was done is then undone, last batch first."""
    rollout = begin(journal, *steps)
    done: list[list[ApplyStep]] = []
    for first in range(0, len(steps), size):
        batch = steps[first : first + size]
        numbers, owned, disowned = outcome(batch)
        journal.steps_started(rollout, numbers)
        if len(done) == good:
            journal.steps_failed(rollout, numbers, "no")
            break
        journal.steps_done(rollout, numbers, owned, disowned)
        done.append(batch)
    else:
        journal.finish(rollout, RolloutStatus.STABLE, "")
        return
    journal.undoing(rollout, "no")
    for batch in reversed(done):
        back = [replace(step, owned=step.previous, previous=step.owned) for step in batch]
        journal.steps_undone(rollout, *outcome(back))
    journal.finish(rollout, RolloutStatus.ROLLED_BACK, "")


def replayed(journal: Journal) -> tuple[Owned, ...]:
    """The inventory as the steps tell it, oldest rollout first."""
    model: Inventory = {}
    for record in reversed(journal.rollouts(1000)):
        for one in journal.steps(record.number):
            assert isinstance(one.step, ApplyStep)
            if one.status is StepStatus.DONE:
                put(model, one.step, one.step.owned)
            elif one.status is StepStatus.UNDONE:
                put(model, one.step, one.step.previous)
    return tuple(model[id_] for id_ in sorted(model))


@settings(max_examples=30, deadline=None)
@given(st.lists(rollouts, max_size=5))
def test_replaying_the_steps_gives_the_inventory(story: list[tuple[dict[str, str | None], int, int]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, model = Path(place), Inventory()
        for wanted, size, good in story:
            with Journal.open(folder, clock=FakeClock(NOON)) as journal:
                steps = [planned(n, name, text, model) for n, (name, text) in enumerate(wanted.items(), 1)]
                carry_out(journal, steps, size, good)
                if journal.interrupted() is None and journal.rollouts(1)[0].status is RolloutStatus.STABLE:
                    for step in steps:
                        put(model, step, step.owned)
                assert journal.inventory() == tuple(model[id_] for id_ in sorted(model))
        with Journal.open(folder, clock=FakeClock(NOON), read_only=True) as journal:
            assert journal.inventory() == replayed(journal) == tuple(model[id_] for id_ in sorted(model))
