"""Random stories over every backend that has a stand-in: the engine keeps its promises in any order of events.

And the laws that judge them have teeth: a provider or an engine that is broken on purpose is caught.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from reconciler.engine import executor, rollback, verify
from reconciler.engine.rollback import Undo
from reconciler.engine.walk import Walk
from reconciler.host.fake import FakeHost
from reconciler.journal import inventory
from reconciler.journal.journal import Journal
from reconciler.provider import Provider
from reconciler.providers.container.rows import OLD
from reconciler.providers.container.spec import ID
from reconciler.testing.memory import MemoryProvider
from reconciler.testing.stage import Sort, Trouble
from reconciler.testing.story import RolloutStory
from tests.conformance.test_container import ContainerHarness
from tests.conformance.test_crontab import CrontabHarness
from tests.conformance.test_memory import Memory
from tests.conformance.test_systemd import SystemdHarness
from tests.container.world import engine_of
from tests.properties.broken import (
    ForgetsToDelete,
    LeavesAStrangersLine,
    OverlooksOne,
    SaysThatNothingIsThere,
    TidiesForeignLines,
    WritesOutside,
    WritesWhileLooking,
)

CONTAINER = 2  # which of the known resources is the first container
MORE = 50 if os.environ.get("RECONCILER_TEST_FULL") else 1


class MemoryStory(RolloutStory):
    harness = Memory()


class CrontabStory(RolloutStory):
    harness = CrontabHarness()


class SystemdStory(RolloutStory):
    harness = SystemdHarness()


class WithoutPredecessors(ContainerHarness):
    """What was kept of an earlier change goes with the next one, also with one that is undone: it is no content."""

    def content(self, host: FakeHost) -> bytes:
        engine = engine_of(host)
        every = dict(engine.containers)
        kept = [id_ for id_, one in every.items() if _is_kept(one)]
        try:
            engine.containers = {id_: one for id_, one in every.items() if id_ not in kept}
            return super().content(host)
        finally:
            engine.containers = every


def _is_kept(one: dict[str, Any]) -> bool:
    ours = str(one["Config"].get("Labels", {}).get(ID, "")).startswith("Service/")
    return ours and OLD in one["Name"] and one["State"]["Status"] in ("exited", "created")


class ContainerStory(RolloutStory):
    harness = WithoutPredecessors()


@contextmanager
def told(kind: type[RolloutStory]) -> Iterator[RolloutStory]:
    """A story that a test tells itself."""
    story = kind()
    try:
        yield story
    finally:
        story.teardown()


def tell(story: type[RolloutStory], count: int, **more: Any) -> None:
    """Invent `count` stories, and fail with the shortest one that breaks a law."""
    run_state_machine_as_test(
        story,
        settings=settings(
            max_examples=count,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


@pytest.mark.parametrize(
    ("story", "count"), [(MemoryStory, 200), (CrontabStory, 150), (SystemdStory, 20), (ContainerStory, 20)]
)
def test_no_story_breaks_a_promise(
    story: type[RolloutStory], count: int, record_property: Callable[[str, object], None]
) -> None:
    tell(story, count * MORE)
    told = ", ".join(f"{number} {what}" for what, number in sorted(story.tally.items()))
    record_property("summary", f"{story.__name__}: {told}")
    assert story.tally["apply: DONE"]


def _released(story: RolloutStory) -> None:
    story.apply(None)
    story.release(None, 0)


def _adopted(story: RolloutStory) -> None:
    story.write_a_twin(CONTAINER)
    story.adopt(None, CONTAINER)


HANDOVERS: dict[str, tuple[Callable[[RolloutStory], None], Callable[[RolloutStory, Trouble], None]]] = {
    "release": (lambda story: story.apply(None), lambda story, trouble: story.release(trouble, 0)),
    "adopt": (lambda story: story.write_a_twin(CONTAINER), lambda story, trouble: story.adopt(trouble, CONTAINER)),
    "release what was adopted": (_adopted, lambda story, trouble: story.release(trouble, 0)),
    "roll back a release": (_released, lambda story, trouble: story.roll_back(trouble, None)),
    "roll back an adoption": (_adopted, lambda story, trouble: story.roll_back(trouble, None)),
}


@pytest.mark.parametrize("name", HANDOVERS)
def test_a_container_that_changes_hands_is_handed_over_or_not(name: str) -> None:
    """With every trouble at every write: an engine has to make it again for it."""
    before, hand_over = HANDOVERS[name]
    for trouble in (Trouble(sort, at) for sort in (Sort.CRASH, Sort.REFUSED, Sort.LATE) for at in range(1, 13)):
        with told(ContainerStory) as story:
            story.begin({CONTAINER})
            before(story)
            story.applied = True
            hand_over(story, trouble)
            story.resume()
            story.apply(None)


def caught(provider: type[MemoryProvider] = MemoryProvider) -> str:
    """The law that a story breaks; fails where none does."""

    class Broken(Memory):
        def provider(self) -> Provider:
            return provider()

    class BrokenStory(RolloutStory):
        harness = Broken()

    with pytest.raises(Exception) as found:
        tell(
            BrokenStory,
            400,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        )
    return str(found.value)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (WritesOutside, "no part of the backend"),
        (TidiesForeignLines, "what is not ours was changed"),
        (OverlooksOne, "a failed change stays"),
        (ForgetsToDelete, "nothing was in"),
        (WritesWhileLooking, "read-only"),
        (LeavesAStrangersLine, "what is not ours was changed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_provider_is_caught(broken: type[MemoryProvider], law: str) -> None:
    assert law in caught(broken)


def test_a_look_that_fails_and_is_taken_for_absence_is_caught() -> None:
    class Blind(Memory):
        def provider(self) -> Provider:
            return SaysThatNothingIsThere()

    class BlindStory(RolloutStory):
        harness = Blind()

    def look_in_vain() -> None:
        for number in range(1, 9):
            story.apply(Trouble(Sort.LOOK, number))

    with told(BlindStory) as story:
        story.begin({2, 3})
        story.apply(None)
        story.want_no_more(2)
        with pytest.raises(AssertionError, match="a look that failed changed the plan"):
            look_in_vain()


def test_an_executor_that_skips_the_journal_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A death between a write and its outcome then leaves what nobody knows of."""
    doing = executor.execute

    def silent(walk: Walk, *steps: Any) -> object:
        return doing(replace(walk, journal=Silent(walk.journal)), *steps)

    monkeypatch.setattr(executor, "execute", silent)
    assert caught()


class Silent:
    """Tells the journal of a write only once it is done."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal

    def steps_started(self, rollout: int, numbers: Sequence[int]) -> None:
        """Nothing is told."""

    def __getattr__(self, name: str) -> Any:
        def told(rollout: int, numbers: Sequence[int], *rest: Any) -> None:
            if isinstance(self._journal, Journal):
                self._journal.steps_started(rollout, numbers)
            getattr(self._journal, name)(rollout, numbers, *rest)

        return told


def die_everywhere() -> None:
    """Two resources in two backends, and a process that dies before each write in turn."""
    for at in range(1, 13):
        with told(MemoryStory) as story:
            story.begin({0, 2})
            story.apply(Trouble(Sort.CRASH, at))
            story.resume()


def test_an_engine_that_is_whole_survives_it() -> None:
    die_everywhere()


def test_an_undo_that_undoes_nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback, "undo", lambda *_all, **_more: Undo((), (), ()))
    with pytest.raises(AssertionError, match="undone by halves"):
        die_everywhere()


def test_a_recovery_that_believes_the_journal_instead_of_the_host_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its gates would find it out, so that they have to be blind as well."""
    monkeypatch.setattr(rollback, "_is_seen", lambda _change, _ours: True)
    monkeypatch.setattr(verify, "verify", lambda _host, _all, gates, *_more: iter([{g.number: None for g in gates}]))
    with pytest.raises(AssertionError, match="finished by halves"):
        die_everywhere()


def test_an_executor_that_leaves_out_a_write_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def pretend(run: Any, lane: str, batch: Any) -> None:
        run.heard.put(lambda: run._applied(lane, batch, None))

    monkeypatch.setattr(executor._Run, "_apply", pretend)
    assert "it is not there after all" in caught()


def test_an_inventory_that_forgets_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = inventory.change
    monkeypatch.setattr(inventory, "change", lambda connection, _owned, disowned: changed(connection, (), disowned))
    assert caught()
