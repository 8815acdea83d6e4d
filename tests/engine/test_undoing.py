"""What is said of an undo: everything that is left, and what had become of a rollout that an earlier process left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.cli.rollout import recovery
from reconciler.engine.reconcile import roll_out
from reconciler.engine.rollout import Outcome, undo_again
from reconciler.host.fake import Crash
from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Cause, Change
from reconciler.model.errors import ApplyError, ExitCode, ObserveError
from reconciler.model.state import Observation
from reconciler.provider import Wanted
from reconciler.testing.builders import address
from reconciler.testing.memory import MemoryProvider
from tests.engine.world import MEMOS, NOTES, Memos, World, sick, want

THREE = (want("Note/a", "one"), want("Memo/b", "two", "Note/a"), want("Memo/c", "three", "Memo/b", probe=True))


class Full(Memos):
    """A backend that takes changes, and no undo of them for as long as its disk is full."""

    full = True

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        if self.full and any(change.cause is Cause.UNDO for change in changes):
            raise ApplyError("cannot write the memos: no space left on device", hint="free some space")
        super().apply(host, changes)


@pytest.fixture
def full(tmp_path: Path) -> World:
    world = World(tmp_path, providers={"memory": MemoryProvider(Path(NOTES)), "memos": Full(Path(MEMOS))})
    world.host.programs["check"] = sick
    return world


def test_everything_that_is_left_is_named(full: World) -> None:
    outcome = full.apply(*THREE)
    assert outcome.code is ExitCode.ROLLBACK_FAILED
    assert outcome.left == (
        "Memo/c: cannot write the memos: no space left on device (what to do: free some space)",
        "Memo/b: not undone, for the undo went no further than that",
        "Note/a: not undone, for the undo went no further than that",
    )


def test_what_had_failed_is_not_said_to_have_been_interrupted(full: World, monkeypatch: pytest.MonkeyPatch) -> None:
    full.apply(*THREE)
    with full.journal() as journal:
        again = undo_again(full.engine(journal), journal.rollouts(1)[0])
        assert recovery(again).startswith("Rollout 1 had failed, and so had its undo: it cannot be undone")
        monkeypatch.setattr(Full, "full", False)
        done = undo_again(full.engine(journal), journal.rollouts(1)[0])
    assert recovery(done) == "Rollout 1 had failed, and so had its undo: what it had done is undone now."


def test_an_undo_that_was_cut_short_is_told_from_a_rollout_that_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_self: object, _host: object, changes: Sequence[Change]) -> None:
        if any(change.cause is Cause.UNDO for change in changes):
            raise Crash("while it is undone")
        MemoryProvider.apply(Memos(Path(MEMOS)), world.host, changes)

    world = World(tmp_path)
    world.host.programs["check"] = sick
    with monkeypatch.context() as patch:
        patch.setattr(Memos, "apply", die)
        with pytest.raises(Crash):
            world.apply(*THREE)
    with world.journal() as journal:
        outcome = world.recover(journal)
    assert outcome is not None
    assert (
        recovery(outcome)
        == "Rollout 1 had failed, and its undo had been interrupted: what it had done is undone now."
    )


def test_a_recovery_that_is_cut_short_does_not_say_that_all_is_undone() -> None:
    outcome = Outcome(
        1, ExitCode.PARTLY, "the undo of rollout 1 was cut short by SIGTERM", resumed="had been interrupted"
    )
    assert recovery(outcome) == "Rollout 1 had been interrupted: the undo of rollout 1 was cut short by SIGTERM."


class Picky(Memos):
    """A backend that will not run one of its resources."""

    def health(self, _host: Host, ids: Sequence[ResourceId]) -> Mapping[ResourceId, str] | None:
        return {id_: "its program ends at once" for id_ in ids if id_.name == "z"} or None


def test_a_failure_is_blamed_on_the_resource_that_its_backend_will_not_run(tmp_path: Path) -> None:
    world = World(tmp_path, providers={"memory": MemoryProvider(Path(NOTES)), "memos": Picky(Path(MEMOS))})
    outcome = world.apply(want("Memo/a", "one"), want("Memo/z", "two"))
    assert outcome.message == "Memo/z did not pass its verification: its program ends at once"
    with world.journal() as journal:
        failed = [str(one.step.id) for one in journal.steps(1) if one.message == "its program ends at once"]  # type: ignore[union-attr]
    assert failed == [str(address("Memo/z"))]


def test_a_reason_is_told_once(tmp_path: Path) -> None:
    """By the step that failed; the undo that follows does not say it again,."""
    told: list[str] = []
    world = World(tmp_path)
    with world.journal() as journal:
        plan = world.decide(journal, *THREE).plan
        world.host.programs["check"] = sick
        engine = replace(world.engine(journal), listener=lambda event: told.append(event.message))
        outcome = roll_out(engine, plan, "apply")
    assert outcome.code is ExitCode.ROLLED_BACK
    assert sum(outcome.message in message for message in told) == 1
    assert "undoing rollout 1" in told


class Blind(Memos):
    """A backend that cannot be looked at any more once it was changed."""

    changed = False

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        super().apply(host, changes)
        self.changed = True

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        if self.changed:
            raise ObserveError("cannot read the memos: it does not answer")
        return super().observe(host, wanted)


def test_a_gate_that_cannot_look_is_told_like_one_that_says_no(tmp_path: Path) -> None:
    told: list[str] = []
    world = World(tmp_path, providers={"memory": MemoryProvider(Path(NOTES)), "memos": Blind(Path(MEMOS))})
    with world.journal() as journal:
        plan = world.decide(journal, want("Memo/a", "one")).plan
        engine = replace(world.engine(journal), listener=lambda event: told.append(event.message))
        outcome = roll_out(engine, plan, "apply")
    assert "cannot verify Memo/a: cannot read the memos: it does not answer" in told
    assert outcome.left == ("Memo/a: cannot read the memos: it does not answer",)
