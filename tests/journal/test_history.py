"""Rollouts, steps, the stable pointer and the quarantine: what is kept, and what may follow what."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.model.errors import JournalError
from reconciler.model.resource import Revision
from reconciler.model.rollout import ROLLOUT_NEXT, STEP_NEXT, RolloutStatus, StepStatus
from reconciler.testing.builders import address, verify_step
from tests.journal.story import FIRST, NOON, SECOND, begin, create, creating, deleting, entry, undo_started


def statuses(journal: Journal, rollout: int) -> list[StepStatus]:
    return [record.status for record in journal.steps(rollout)]


def test_a_rollout_comes_back_exactly_as_it_was_begun(folder: Path, clock: FakeClock) -> None:
    steps = (creating(1, "a", "naïve \u2603"), deleting(2, "Automation/b"), verify_step(3, "a", needs=(1,)))
    with Journal.open(folder, clock=clock) as journal:
        number = begin(journal, *steps)
    with Journal.open(folder, clock=clock) as journal:
        record = journal.rollout(number)
        assert (record.verb, record.path, record.revision) == ("apply", "desired", FIRST)
        assert (record.status, record.started, record.ended) == (RolloutStatus.RUNNING, NOON, None)
        assert tuple(one.step for one in journal.steps(number)) == steps
        assert {(one.status, one.at, one.message) for one in journal.steps(number)} == {
            (StepStatus.PLANNED, None, None)
        }
        assert journal.settings(number) == {"yes": True}
        assert journal.interrupted() == record


def test_instants_come_from_the_clock_and_are_utc(journal: Journal, clock: FakeClock) -> None:
    number = begin(journal, creating(1, "a"))
    clock.advance(5)
    journal.steps_started(number, [1])
    clock.advance(5)
    journal.steps_done(number, [1], [entry("a")], [])
    journal.finish(number, RolloutStatus.STABLE, "done")
    record = journal.rollout(number)
    assert (record.started, record.ended) == (NOON, NOON + timedelta(seconds=10))
    assert journal.steps(number)[0].at == NOON + timedelta(seconds=10)
    assert record.started.utcoffset() == timedelta(0)


def test_text_that_no_database_could_hold_is_kept_readable(journal: Journal) -> None:
    number = journal.begin(verb="apply", path="caf\udce9", revision=FIRST, steps=[creating(1, "a")], settings=None)
    journal.steps_started(number, [1])
    journal.steps_failed(number, [1], "said \udcff")
    assert journal.rollout(number).path == "caf\\udce9"
    assert journal.steps(number)[0].message == "said \\udcff"


def test_only_a_stable_rollout_moves_the_stable_pointer(journal: Journal) -> None:
    assert journal.stable() is None
    first = create(journal, "a")
    assert journal.stable() == (first, FIRST)
    second = undo_started(journal, "b")
    assert journal.stable() == (first, FIRST)
    journal.finish(second, RolloutStatus.ROLLED_BACK, "as before")
    assert journal.stable() == (first, FIRST)


def test_a_rollout_with_a_step_that_is_not_done_is_never_stable(journal: Journal) -> None:
    number = begin(journal, creating(1, "a"), verify_step(2, "a"))
    journal.steps_started(number, [1])
    journal.steps_done(number, [1], [entry("a")], [])
    with pytest.raises(JournalError, match="step 2 is planned"):
        journal.finish(number, RolloutStatus.STABLE, "not quite")
    assert journal.stable() is None
    assert journal.rollout(number).status is RolloutStatus.RUNNING


def test_a_second_rollout_never_begins_beside_an_unfinished_one(journal: Journal) -> None:
    first = begin(journal, creating(1, "a"))
    with pytest.raises(JournalError, match="rollout 1 is running"):
        begin(journal, creating(1, "b"))
    journal.undoing(first, "stop")
    with pytest.raises(JournalError, match="rollout 1 is undoing"):
        begin(journal, creating(1, "b"))
    assert [one.number for one in journal.rollouts(10)] == [first]


def bring_to(journal: Journal, status: RolloutStatus) -> int:
    number = begin(journal)
    if status is RolloutStatus.STABLE:
        journal.finish(number, status, "")
    elif status is not RolloutStatus.RUNNING:
        journal.undoing(number, "why")
        if status is not RolloutStatus.UNDOING:
            journal.finish(number, status, "")
    assert journal.rollout(number).status is status
    return number


@pytest.mark.parametrize("target", RolloutStatus)
@pytest.mark.parametrize("present", RolloutStatus)
def test_a_rollout_status_follows_the_table_or_is_refused(
    journal: Journal, present: RolloutStatus, target: RolloutStatus
) -> None:
    number = bring_to(journal, present)
    if target is RolloutStatus.RUNNING:
        with pytest.raises(JournalError, match="not an end"):
            journal.finish(number, target, "")
    elif target in ROLLOUT_NEXT[present]:
        change_to(journal, number, target)
        assert journal.rollout(number).status is target
        return
    else:
        with pytest.raises(JournalError, match=f"it is {present}") as raised:
            change_to(journal, number, target)
        assert "report" in (raised.value.hint or "")
    assert journal.rollout(number).status is present


def change_to(journal: Journal, number: int, target: RolloutStatus) -> None:
    if target is RolloutStatus.UNDOING:
        journal.undoing(number, "again")
    else:
        journal.finish(number, target, "")


def mark(journal: Journal, rollout: int, target: StepStatus) -> None:
    if target is StepStatus.STARTED:
        journal.steps_started(rollout, [1])
    elif target is StepStatus.DONE:
        journal.steps_done(rollout, [1], [entry("moved")], [])
    elif target is StepStatus.FAILED:
        journal.steps_failed(rollout, [1], "why")
    elif target is StepStatus.REFUSED:
        journal.steps_refused(rollout, [1], "why")
    else:
        if journal.rollout(rollout).status is RolloutStatus.RUNNING:
            journal.undoing(rollout, "why")
        journal.steps_undone(rollout, [1], [entry("moved")], [])


WAYS = {
    StepStatus.PLANNED: [],
    StepStatus.STARTED: [StepStatus.STARTED],
    StepStatus.DONE: [StepStatus.STARTED, StepStatus.DONE],
    StepStatus.FAILED: [StepStatus.STARTED, StepStatus.FAILED],
    StepStatus.REFUSED: [StepStatus.STARTED, StepStatus.REFUSED],
    StepStatus.UNDONE: [StepStatus.STARTED, StepStatus.UNDONE],
}


@pytest.mark.parametrize("target", [status for status in StepStatus if status is not StepStatus.PLANNED])
@pytest.mark.parametrize("present", StepStatus)
def test_a_step_status_follows_the_table_or_is_refused(
    journal: Journal, present: StepStatus, target: StepStatus
) -> None:
    rollout = begin(journal, creating(1, "a"), creating(2, "b"))
    for status in WAYS[present]:
        mark(journal, rollout, status)
    owned = journal.inventory()
    if target in STEP_NEXT[present]:
        mark(journal, rollout, target)
        assert statuses(journal, rollout) == [target, StepStatus.PLANNED]
    else:
        with pytest.raises(JournalError, match="cannot mark"):
            mark(journal, rollout, target)
        assert statuses(journal, rollout) == [present, StepStatus.PLANNED]
        assert journal.inventory() == owned


def test_one_illegal_step_keeps_its_whole_batch_and_the_inventory_from_changing(journal: Journal) -> None:
    rollout = begin(journal, creating(1, "a"), creating(2, "b"))
    journal.steps_started(rollout, [1])
    with pytest.raises(JournalError, match="only 1 of them are started"):
        journal.steps_done(rollout, [1, 2], [entry("a"), entry("b")], [])
    assert statuses(journal, rollout) == [StepStatus.STARTED, StepStatus.PLANNED]
    assert journal.inventory() == ()


@pytest.mark.parametrize("numbers", [[7], [1, 1], [0]])
def test_steps_that_the_plan_does_not_have_are_refused(journal: Journal, numbers: list[int]) -> None:
    rollout = begin(journal, creating(1, "a"))
    with pytest.raises(JournalError, match="cannot mark"):
        journal.steps_started(rollout, numbers)
    assert statuses(journal, rollout) == [StepStatus.PLANNED]


def test_nothing_is_started_and_nothing_undone_in_the_wrong_phase(journal: Journal) -> None:
    rollout = begin(journal, creating(1, "a"))
    journal.steps_started(rollout, [1])
    with pytest.raises(JournalError, match="the rollout is running"):
        journal.steps_undone(rollout, [1], [], [])
    journal.undoing(rollout, "why")
    with pytest.raises(JournalError, match="the rollout is undoing"):
        journal.steps_started(rollout, [1])


def test_no_steps_at_all_is_fine(journal: Journal) -> None:
    rollout = begin(journal, creating(1, "a"))
    journal.steps_started(rollout, [])
    journal.steps_done(rollout, [], [], [])
    assert statuses(journal, rollout) == [StepStatus.PLANNED]


def test_the_first_failure_is_the_one_remembered(journal: Journal) -> None:
    rollout = undo_started(journal, "a")
    journal.finish(rollout, RolloutStatus.ROLLBACK_FAILED, "stuck")
    journal.undoing(rollout, "tried again")
    record = journal.rollout(rollout)
    assert (record.failure, record.ended) == ("the probe failed", None)


@pytest.mark.parametrize("call", ["rollout", "steps", "settings"])
def test_an_unknown_rollout_is_an_error_with_a_way_on(journal: Journal, call: str) -> None:
    with pytest.raises(JournalError, match="cannot find rollout 9") as raised:
        getattr(journal, call)(9)
    assert "history" in (raised.value.hint or "")


def test_rollouts_are_listed_newest_first(journal: Journal) -> None:
    numbers = [create(journal, "a") for _ in range(4)]
    assert [one.number for one in journal.rollouts(3)] == numbers[:0:-1]
    assert journal.rollouts(0) == ()


def test_pruning_keeps_what_a_rollback_and_the_quarantine_need(journal: Journal) -> None:
    for name in "abc":
        create(journal, name)
    stuck = undo_started(journal, "d")
    journal.quarantine_add(SECOND, "the probe failed", stuck)
    journal.finish(stuck, RolloutStatus.ROLLED_BACK, "")
    failed = undo_started(journal, "e")
    journal.finish(failed, RolloutStatus.ROLLBACK_FAILED, "")
    harmless = undo_started(journal, "f")
    journal.finish(harmless, RolloutStatus.ROLLED_BACK, "")
    running = begin(journal, creating(1, "g"))
    journal.prune_history(0)
    assert [one.number for one in journal.rollouts(10)] == [running, failed, stuck, 3]
    assert journal.stable() == (3, FIRST)
    assert len(journal.steps(running)) == 1
    assert [str(one.id) for one in journal.inventory()] == ["Note/a", "Note/b", "Note/c"]
    journal.prune_history(10)
    assert len(journal.rollouts(10)) == 4


def test_a_pruned_number_is_never_given_again(journal: Journal, folder: Path, clock: FakeClock) -> None:
    create(journal, "a")
    gone = undo_started(journal, "b")
    journal.finish(gone, RolloutStatus.ROLLED_BACK, "")
    journal.prune_history(0)
    assert create(journal, "c") == gone + 1


def test_a_quarantined_revision_is_kept_until_it_is_released(journal: Journal) -> None:
    number = create(journal, "a")
    journal.quarantine_add(FIRST, "first reason", number)
    journal.quarantine_add(SECOND, "other", number)
    journal.quarantine_add(FIRST, "latest reason", number)
    assert [(one.revision, one.reason, one.rollout) for one in journal.quarantine()] == [
        (FIRST, "latest reason", number),
        (SECOND, "other", number),
    ]
    assert [one.revision for one in journal.quarantine_release("c0ffee")] == [FIRST]
    assert [one.revision for one in journal.quarantine_release("b2b2")] == [SECOND]
    assert journal.quarantine() == ()


def test_releasing_never_lets_more_go_than_was_named(journal: Journal) -> None:
    number = create(journal, "a")
    twin = Revision("a1" + "0" * 30)
    for revision in (FIRST, twin):
        journal.quarantine_add(revision, "why", number)
    with pytest.raises(JournalError, match="it fits 2 quarantined revisions") as raised:
        journal.quarantine_release("a1")
    assert twin.digest[:12] in (raised.value.hint or "")
    for nothing in ("", "%", "zz"):
        assert journal.quarantine_release(nothing) == ()
    assert len(journal.quarantine()) == 2
    assert len(journal.quarantine_release(None)) == 2


def test_quarantine_names_a_rollout_that_exists(journal: Journal) -> None:
    with pytest.raises(JournalError, match="FOREIGN KEY"):
        journal.quarantine_add(FIRST, "why", 99)


def test_the_inventory_is_sorted_and_replaced_by_address(journal: Journal) -> None:
    journal.confirm_inventory([entry("b"), entry("Automation/z"), entry("a")])
    journal.remember([entry("b", "newer")], [address("a"), address("never-there")])
    assert journal.inventory() == (entry("Automation/z"), entry("b", "newer"))
    assert len(journal.inventory()) == 2


def test_the_inventory_counts_as_lost_until_it_is_confirmed(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as journal:
        assert journal.rebuilt_needed
        create(journal, "a")
        assert journal.rebuilt_needed
        journal.confirm_inventory()
    with Journal.open(folder, clock=clock) as journal:
        assert not journal.rebuilt_needed
        assert journal.inventory() == (entry("a"),)


def test_the_mask_key_is_random_and_stays(tmp_path: Path, clock: FakeClock) -> None:
    keys = []
    for name in ("one", "one", "two"):
        with Journal.open(tmp_path / name, clock=clock) as journal:
            keys.append(journal.mask_key())
    assert keys[0] == keys[1] != keys[2]
    assert len(bytes.fromhex(keys[0])) == 16


def test_the_folder_and_the_files_are_private(folder: Path, clock: FakeClock) -> None:
    with Journal.open(folder, clock=clock) as journal:
        create(journal, "a")
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_any_thread_may_write(journal: Journal) -> None:
    rollout = begin(journal, *(creating(number, f"n{number}") for number in range(1, 41)))
    errors: list[BaseException] = []

    def work(numbers: range) -> None:
        try:
            for number in numbers:
                journal.steps_started(rollout, [number])
                journal.steps_done(rollout, [number], [entry(f"n{number}")], [])
        except BaseException as error:  # noqa: BLE001 (carried to the test's own thread)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(range(first, 41, 4),)) for first in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(journal.inventory()) == 40


def test_a_closed_journal_says_so(folder: Path, clock: FakeClock) -> None:
    journal = Journal.open(folder, clock=clock)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.inventory()
