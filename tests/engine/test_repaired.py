"""Rolling back past a rollout that only put back what somebody had changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.address import Place, ResourceId
from reconciler.model.errors import ExitCode
from reconciler.model.intent import Request
from reconciler.model.resource import Resource
from reconciler.testing.memory import MemoryProvider
from reconciler.testing.stage import MEMOS, Stage
from tests.conformance.test_memory import Memory

NOTE, MEMO = Place("memory", ResourceId("Note", "a")), Place("memos", ResourceId("Memo", "m"))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(Memory(), tmp_path)


def apply(stage: Stage, *resources: Resource) -> int:
    result = stage.play("apply", lambda j: stage.app.plan(Request(), desired=stage.desired(resources), journal=j))
    assert result.outcome is not None, result
    assert result.outcome.code is ExitCode.DONE
    return result.outcome.rollout


def roll_back(stage: Stage, number: int | None) -> list[str]:
    """What it left alone, with the reasons."""
    result = stage.play("rollback", lambda j: stage.app.plan_rollback(number, j))
    assert result.outcome is not None, result
    assert result.outcome.code is ExitCode.DONE
    assert result.planned is not None
    return [f"{skip.id}: {skip.reason}" for skip in result.planned.plan.skipped]


def stop(stage: Stage) -> None:
    """Somebody changes the memo, as one who kills a service does."""
    stage.host.files[MEMOS] = stage.host.files[MEMOS].replace(b'"one"', b'"killed"')


def test_without_a_number_it_goes_back_before_the_last_change_and_not_to_what_was_repaired(stage: Stage) -> None:
    (note, other), (memo, _) = stage.resources()["Note/a"], stage.resources()["Memo/m"]
    states = MemoryProvider().canonical
    apply(stage, note, memo)
    apply(stage, other, memo)
    stop(stage)
    assert apply(stage, other, memo) == 3
    assert roll_back(stage, None) == [
        "Memo/m: only put back as it had been applied, which somebody had changed: that stays"
    ]
    assert stage.ours() == {NOTE: states(note), MEMO: states(memo)}


def test_what_was_repaired_is_as_it_was_after_any_earlier_rollout(stage: Stage) -> None:
    (memo, _) = stage.resources()["Memo/m"]
    assert apply(stage, memo) == 1
    stop(stage)
    apply(stage, memo)
    roll_back(stage, 1)
    assert stage.ours() == {MEMO: MemoryProvider().canonical(memo)}


def test_what_was_changed_after_its_repair_goes_back_to_the_repaired_state(stage: Stage) -> None:
    (memo, other) = stage.resources()["Memo/m"]
    apply(stage, memo)
    stop(stage)
    apply(stage, memo)
    apply(stage, other)
    roll_back(stage, 1)
    assert stage.ours() == {MEMO: MemoryProvider().canonical(memo)}


def test_repairs_alone_are_nothing_to_go_back_before_but_the_first_rollout(stage: Stage) -> None:
    (memo, _) = stage.resources()["Memo/m"]
    apply(stage, memo)
    for _ in range(2):
        stop(stage)
        apply(stage, memo)
    roll_back(stage, None)
    assert stage.ours() == {}
