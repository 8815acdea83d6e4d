"""The levels of the conformance suite: which check belongs to which. Every check has exactly one."""

from __future__ import annotations

from collections.abc import Mapping

LEVELS: Mapping[str, tuple[str, ...]] = {
    "basics": (
        "test_the_harness_gives_enough_to_test",
        "test_it_says_what_it_is",
        "test_it_says_whether_it_can_be_used",
        "test_a_canonical_state_is_pure_plain_data",
        "test_what_is_created_updated_and_deleted_is_observed_so",
        "test_one_resource_alone_can_be_changed",
        "test_the_announced_document_is_the_one_that_stands",
    ),
    "convergence": (
        "test_nothing_is_left_to_change_after_an_apply",
        "test_a_fresh_process_sees_the_same",
        "test_observing_twice_gives_the_same_in_the_same_order",
        "test_changes_applied_twice_are_applied_once",
        "test_changes_mean_the_same_without_the_texts_for_people",
    ),
    "manners": (
        "test_observing_writes_nothing",
        "test_the_optional_looks_write_nothing",
        "test_foreign_bytes_are_never_touched",
        "test_foreign_things_are_not_taken_for_ours",
        "test_a_foreign_twin_is_seen_adopted_and_released",
    ),
    "truth": (
        "test_tampering_is_seen",
        "test_an_unreadable_backend_is_not_an_empty_one",
        "test_a_stale_change_conflicts_and_writes_nothing",
        "test_creating_over_something_else_conflicts",
        "test_updating_what_is_gone_conflicts",
    ),
    "undo": (
        "test_every_change_can_be_undone_byte_for_byte",
        "test_what_somebody_changed_by_hand_comes_back_as_they_had_it",
    ),
    "faults": (
        "test_a_fault_while_observing_is_never_taken_for_absence",
        "test_after_a_fault_at_any_call_a_second_run_converges",
        "test_after_a_fault_at_any_call_it_can_be_undone",
    ),
    "hostile": ("test_a_hostile_text_is_kept_exactly_or_refused",),
}


def level_of(check: str) -> str | None:
    return next((level for level, checks in LEVELS.items() if check in checks), None)
