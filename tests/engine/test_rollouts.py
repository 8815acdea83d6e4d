"""Carrying out a plan: stable, or as before; whatever fails, whoever interferes, wherever the process dies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reconciler.host.fake import Call, Crash
from reconciler.host.protocol import Host
from reconciler.model.address import Place, ResourceId
from reconciler.model.change import Change
from reconciler.model.errors import ApplyError, ExitCode
from reconciler.model.intent import Request
from reconciler.model.rollout import RolloutStatus, StepStatus
from reconciler.testing.memory import MemoryProvider
from reconciler.testing.stage import Stage
from tests.conformance.test_memory import Memory
from tests.engine.world import MEMOS, MINE, NOTES, World, cut, healthy, sick, want


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


FIRST = (want("Note/a", "one"), want("Memo/b", "two"))
SECOND = (want("Note/a", "ONE"), want("Memo/c", "three", "Note/a"), want("Memo/d", "four", "Memo/c", probe=True))


def test_a_rollout_becomes_stable_and_the_next_plan_is_empty(world: World) -> None:
    outcome = world.apply(*FIRST)
    assert (outcome.code, outcome.rollout) == (ExitCode.DONE, 1)
    assert world.settled(*FIRST)
    with world.journal() as journal:
        assert [str(entry.id) for entry in journal.inventory()] == ["Memo/b", "Note/a"]
        assert {record.status for record in journal.steps(1)} == {StepStatus.DONE}
        stable = journal.stable()
        assert stable is not None
        assert stable[0] == 1


def test_a_failed_gate_restores_every_backend_byte_for_byte(world: World) -> None:
    world.apply(*FIRST)
    before = world.files()
    world.host.programs["check"] = sick
    outcome = world.apply(*SECOND)
    assert outcome.code is ExitCode.ROLLED_BACK
    assert "Memo/d" in outcome.message
    assert world.files() == before
    with world.journal() as journal:
        assert [str(entry.id) for entry in journal.inventory()] == ["Memo/b", "Note/a"]
        assert journal.rollout(2).status is RolloutStatus.ROLLED_BACK
        assert [q.rollout for q in journal.quarantine()] == [2]
        assert journal.stable() is not None
        assert journal.stable()[0] == 1
        assert [v.guard for v in world.decide(journal, *SECOND).plan.vetoes] == ["quarantine"]


def test_a_revision_that_changed_is_tried_again(world: World) -> None:
    world.host.programs["check"] = sick
    assert world.apply(*SECOND).code is ExitCode.ROLLED_BACK
    world.host.programs["check"] = healthy
    assert world.apply(*SECOND[:2], want("Memo/d", "better", probe=True)).code is ExitCode.DONE


def test_a_backend_that_refuses_the_second_write_undoes_the_first(world: World) -> None:
    def deny(call: Call) -> None:
        if call.method == "write" and call.target == MEMOS:
            world.host.denied.add(MEMOS)

    world.host.on_call(deny)
    outcome = world.apply(want("Note/a", "one"), want("Memo/b", "two", "Note/a"))
    assert outcome.code is ExitCode.ROLLBACK_FAILED  # the backend stays unreadable, so nobody can know
    world.host.heal()
    assert world.host.files[NOTES] == MINE or world.apply(want("Note/a", "one")).code is ExitCode.DONE


def test_a_write_error_rolls_back_and_blames_nobody(world: World) -> None:
    writes = 0

    def fail(call: Call) -> None:
        nonlocal writes
        if call.method == "write":
            writes += 1
            if writes == 2:
                world.host.fail_at(0 + 1 - 1, "no space left on device")

    world.host.on_call(fail)
    outcome = world.apply(want("Note/a", "one"), want("Memo/b", "two", "Note/a"))
    assert outcome.code is ExitCode.ROLLED_BACK
    assert "no space left on device" in outcome.message
    assert world.files() == {NOTES: MINE, MEMOS: MINE}
    with world.journal() as journal:
        assert journal.quarantine() == ()


def test_content_that_a_backend_refuses_blames_the_revision(world: World) -> None:
    class Picky(MemoryProvider):
        def apply(self, host: Host, changes: Sequence[Change]) -> None:
            if any(change.after is not None for change in changes):
                raise ApplyError("cannot write the notes: they do not rhyme")
            super().apply(host, changes)

    world.providers = {**world.providers, "memory": Picky(Path(NOTES))}
    assert world.apply(want("Note/a", "one")).code is ExitCode.ROLLED_BACK
    with world.journal() as journal:
        assert [item.rollout for item in journal.quarantine()] == [1]


def test_what_was_changed_and_then_released_is_taken_over_again_by_a_rollback(tmp_path: Path) -> None:
    stage = Stage(Memory(), tmp_path)
    (old, new), id_ = stage.resources()["Note/a"], ResourceId("Note", "a")
    for version in (old, new):
        stage.play("apply", lambda j, v=version: stage.app.plan(Request(), desired=stage.desired([v]), journal=j))
    between = stage.sight()
    request = Request(targets=frozenset({id_}), release=frozenset({id_}))
    released = stage.play("release", lambda j: stage.app.plan(request, desired=stage.desired([]), journal=j))
    assert released.outcome is not None
    assert Place("memory", id_) not in stage.ours()
    back = stage.play("rollback", lambda j: stage.app.plan_rollback(1, j))
    assert back.outcome is not None, back
    assert back.outcome.code is ExitCode.DONE, back.outcome
    assert stage.ours() == {Place("memory", id_): MemoryProvider().canonical(old)}
    assert stage.content().count(b'"two"') == between.content.count(b'"two"') - 1  # nothing is left beside it


def test_somebody_editing_between_plan_and_write_is_a_conflict_and_loses_nothing(world: World) -> None:
    world.apply(*FIRST)
    with world.journal() as journal:
        plan = world.decide(journal, want("Note/a", "ONE"), FIRST[1]).plan
        theirs = world.host.files[NOTES].replace(b'"one"', b'"theirs"')
        world.host.files[NOTES] = theirs
        from reconciler.engine.reconcile import roll_out

        outcome = roll_out(world.engine(journal), plan, "apply")
        assert outcome.code is ExitCode.STALE
        assert world.host.files[NOTES] == theirs
        assert journal.quarantine() == ()
        assert journal.rollout(2).status is RolloutStatus.ROLLED_BACK


def test_a_signal_stops_before_the_next_step_and_undoes_without_blame(world: World) -> None:
    def stop(call: Call) -> None:
        if call.method == "write":
            world.signals = 1

    world.host.on_call(stop)
    outcome = world.apply(*SECOND)
    assert outcome.code is ExitCode.ROLLED_BACK
    assert "SIGTERM" in outcome.message
    assert world.files() == {NOTES: MINE, MEMOS: MINE}
    with world.journal() as journal:
        assert journal.quarantine() == ()


def test_a_signal_ends_the_waiting_of_a_gate(world: World) -> None:
    def check(_argv: object, _stdin: bytes) -> object:
        world.signals = 1
        return sick(_argv, _stdin)

    world.host.programs["check"] = check  # type: ignore[assignment]
    outcome = world.apply(want("Memo/d", "four", probe=True))
    assert outcome.code is ExitCode.ROLLED_BACK
    assert "SIGTERM" in outcome.message
    assert world.host.clock.monotonic() < 1.5


def test_a_second_signal_leaves_the_undo_to_the_next_start(world: World) -> None:
    def stop(call: Call) -> None:
        if call.method == "write":
            world.signals = 2

    world.host.on_call(stop)
    outcome = world.apply(*SECOND)
    assert outcome.code is ExitCode.PARTLY
    assert world.host.files[NOTES] != MINE
    world.signals = 0
    world.host.heal()
    with world.journal() as journal:
        recovered = world.recover(journal)
    assert recovered is not None
    assert recovered.code is ExitCode.ROLLED_BACK
    assert world.files() == {NOTES: MINE, MEMOS: MINE}


def test_an_undo_that_meets_a_strangers_edit_says_what_is_left(world: World) -> None:
    def meddle(_argv: object, _stdin: bytes) -> object:
        world.host.files[NOTES] = world.host.files[NOTES].replace(b'"ONE"', b'"theirs"')
        return sick(_argv, _stdin)

    world.apply(*FIRST)
    world.host.programs["check"] = meddle  # type: ignore[assignment]
    outcome = world.apply(*SECOND)
    assert outcome.code is ExitCode.ROLLBACK_FAILED
    assert any("Note/a" in left for left in outcome.left)
    assert b'"theirs"' in world.host.files[NOTES]  # not ours to judge, so not touched
    assert b"Memo/d" not in world.host.files[MEMOS]  # what could be undone is undone


def test_a_full_disk_under_the_journal_is_an_error_and_changes_no_host(world: World) -> None:
    from reconciler.model.errors import JournalError

    with world.journal() as journal:
        plan = world.decide(journal, *FIRST).plan

        def full(**_named: object) -> int:
            raise JournalError("cannot write the journal: no space left on device")

        object.__setattr__(journal, "begin", full)
        from reconciler.engine.reconcile import roll_out

        with pytest.raises(JournalError):
            roll_out(world.engine(journal), plan, "apply")
    assert world.files() == {NOTES: MINE, MEMOS: MINE}


def crashes(make: Callable[[World], None], world: World) -> bool:
    """Whether the scripted crash came; False once the rollout got past it."""
    try:
        make(world)
    except Crash:
        return True
    return False


@pytest.mark.parametrize("sickness", [healthy, sick], ids=["good", "failing"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_crash_at_any_host_call_is_finished_or_undone(tmp_path: Path, before: bool, sickness: object) -> None:
    number = 0
    while True:
        number += 1
        world = World(tmp_path / str(number))
        world.apply(*FIRST)
        start = world.files()
        world.host.programs["check"] = sickness  # type: ignore[assignment]
        world.host.crash_at(number, before=before)
        if not crashes(lambda w: w.apply(*SECOND) and None, world):
            break
        world.host.heal()
        _repair(world, start, good=sickness is healthy)
    assert number > 15


@pytest.mark.parametrize("sickness", [healthy, sick], ids=["good", "failing"])
def test_a_crash_before_any_write_of_the_journal_is_finished_or_undone(tmp_path: Path, sickness: object) -> None:
    number = 0
    while True:
        number += 1
        world = World(tmp_path / str(number))
        world.apply(*FIRST)
        start = world.files()
        world.host.programs["check"] = sickness  # type: ignore[assignment]
        if not crashes(lambda w, n=number: w.apply(*SECOND, journal=cut(w, w.journal(), n)) and None, world):
            break
        _repair(world, start, good=sickness is healthy)
    assert number > 10


def test_a_crash_between_a_failed_gate_and_its_undo_is_undone(tmp_path: Path) -> None:
    """Every change stands then, nothing is left to remove, and yet the rollout must not go on."""
    number, crashed = 0, True
    while crashed:
        number += 1
        world = World(tmp_path / str(number))
        world.host.programs["check"] = sick
        crashed = crashes(lambda w, n=number: w.apply(*SECOND, journal=cut(w, w.journal(), n)) and None, world)
        with world.journal() as journal:
            recovered = world.recover(journal)
            assert recovered is None or recovered.code is ExitCode.ROLLED_BACK, number
        assert world.files() == {NOTES: MINE, MEMOS: MINE}, number
    assert number > 8


def _repair(world: World, start: dict[str, bytes], *, good: bool) -> None:
    """After a crash: the next pass ends with the second revision, or, where that fails, as before."""
    with world.journal() as journal:
        world.recover(journal)
        assert journal.interrupted() is None
        quarantined = any(v.guard == "quarantine" for v in world.decide(journal, *SECOND).plan.vetoes)
    if good:
        if not world.settled(*SECOND):
            assert world.files() == start
            assert world.apply(*SECOND).code is ExitCode.DONE
        assert world.settled(*SECOND)
        with world.journal() as journal:
            assert [str(e.id) for e in journal.inventory()] == ["Memo/c", "Memo/d", "Note/a"]
    else:
        assert world.files() == start
        if not quarantined:
            assert world.apply(*SECOND).code is ExitCode.ROLLED_BACK
        assert world.files() == start
        with world.journal() as journal:
            assert [str(e.id) for e in journal.inventory()] == ["Memo/b", "Note/a"]
    for content in world.host.files.values():
        assert MINE.rstrip(b"\n") in content


def test_a_failed_rollback_is_resumed_once_its_obstacle_is_gone(world: World) -> None:
    from reconciler.engine.rollout import undo_again

    def meddle(_argv: object, _stdin: bytes) -> object:
        world.host.files[NOTES] = world.host.files[NOTES].replace(b'"ONE"', b'"theirs"')
        return sick(_argv, _stdin)

    world.apply(*FIRST)
    before = world.files()
    world.host.programs["check"] = meddle  # type: ignore[assignment]
    assert world.apply(*SECOND).code is ExitCode.ROLLBACK_FAILED
    with world.journal() as journal:
        record = journal.rollouts(1)[0]
        again = undo_again(world.engine(journal), record)
        assert again.code is ExitCode.ROLLBACK_FAILED
        assert again.left
        world.host.files[NOTES] = world.host.files[NOTES].replace(b'"theirs"', b'"ONE"')
        done = undo_again(world.engine(journal), journal.rollouts(1)[0])
        assert done.code is ExitCode.ROLLED_BACK
        assert journal.rollout(record.number).status is RolloutStatus.ROLLED_BACK
    assert world.files() == before


def test_a_partial_apply_blames_no_revision_not_even_after_a_crash(world: World) -> None:
    """Its revision is the one that was stable before: a failure says nothing against that one."""
    from reconciler.engine.reconcile import roll_out
    from reconciler.model.resource import Revision

    def dying(_argv: object, _stdin: bytes) -> object:
        raise Crash("while its gate waits")

    before = Revision("stable before")
    wanted = want("Memo/d", "four", probe=True)
    with world.journal() as journal:
        plan = world.decide(journal, wanted).plan
        world.host.programs["check"] = sick
        assert roll_out(world.engine(journal), plan, "apply", revision=before).code is ExitCode.ROLLED_BACK
        world.host.programs["check"] = dying  # type: ignore[assignment]
        with pytest.raises(Crash):
            roll_out(world.engine(journal), plan, "apply", revision=before)
        world.host.programs["check"] = sick
        recovered = world.recover(journal)
        assert recovered is not None
        assert recovered.code is ExitCode.ROLLED_BACK
        assert journal.quarantine() == ()


def test_a_host_in_memory_sees_the_same_calls_in_the_same_order_every_time(tmp_path: Path) -> None:
    def calls(folder: Path) -> list[Call]:
        world = World(folder)
        world.apply(*FIRST)
        world.apply(*SECOND)
        return world.host.log

    first = calls(tmp_path / "0")
    assert all(calls(tmp_path / str(again)) == first for again in range(1, 5))


def test_steps_that_wait_for_each_other_are_a_failure_not_a_hang(world: World) -> None:
    """The planner makes no such plan; a journal that was tampered with may hold one."""
    from dataclasses import replace

    from reconciler.engine.executor import execute
    from reconciler.engine.rollout import walk

    with world.journal() as journal:
        plan = world.decide(journal, *FIRST).plan
        steps = [replace(step, needs=(plan.steps[-1].number,)) for step in plan.steps]
        failure = execute(walk(world.engine(journal), 1, steps), steps)
    assert failure is not None
    assert failure.message == "the steps that are left wait for each other"
