"""Releasing what was adopted: the very thing comes back where only its owner changed, else it stays as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.address import ResourceId
from reconciler.model.errors import ExitCode
from reconciler.model.intent import Request
from reconciler.model.resource import Resource
from reconciler.testing.stage import Pass, Stage
from tests.conformance.test_memory import Memory

ID = ResourceId("Note", "a")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(Memory(), tmp_path)
    stage.harness.add_twin(stage.host, stage.resources()["Note/a"][0])
    return stage


def play(stage: Stage, verb: str, request: Request, *wanted: Resource) -> Pass:
    done = stage.play(verb, lambda j: stage.app.plan(request, desired=stage.desired(wanted), journal=j))
    assert done.outcome is not None, done
    assert done.outcome.code is ExitCode.DONE
    return done


def adopt(stage: Stage, one: Resource) -> None:
    play(stage, "adopt", Request(targets=frozenset({ID}), adopt=frozenset({ID})), one)


def release(stage: Stage) -> str:
    """The reason that its plan gave."""
    done = play(stage, "release", Request(targets=frozenset({ID}), release=frozenset({ID})))
    assert done.planned is not None
    return done.planned.plan.changes[0].reason


def test_what_only_changed_hands_comes_back_as_it_was(stage: Stage) -> None:
    before = stage.content()
    adopt(stage, stage.resources()["Note/a"][0])
    assert stage.content() != before
    assert release(stage) == "released: what you had before its adoption comes back, and is yours again"
    assert stage.content() == before
    play(stage, "adopt", Request(targets=frozenset({ID}), adopt=frozenset({ID})), stage.resources()["Note/a"][0])
    assert release(stage).startswith("released: what you had")
    assert stage.content() == before


def test_a_release_can_be_rolled_back(stage: Stage) -> None:
    adopt(stage, stage.resources()["Note/a"][0])
    ours = stage.ours()
    release(stage)
    assert stage.ours() == {}
    done = stage.play("rollback", lambda j: stage.app.plan_rollback(None, j))
    assert done.outcome is not None, done
    assert stage.ours() == ours


def test_what_was_changed_since_stays_as_it_stands(stage: Stage) -> None:
    old, new = stage.resources()["Note/a"]
    adopt(stage, old)
    play(stage, "apply", Request(), new)
    assert release(stage) == "released: it stays and is yours again"
