"""Releasing what was adopted: the very thing comes back where only its owner changed, else it stays as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.errors import ExitCode
from reconciler.model.intent import Request
from reconciler.model.resource import Resource
from reconciler.testing.harness import Harness
from reconciler.testing.stage import Pass, Stage
from tests.conformance.test_crontab import CrontabHarness
from tests.conformance.test_launchd import LaunchdHarness
from tests.conformance.test_memory import Memory
from tests.conformance.test_systemd import SystemdHarness


@pytest.fixture(params=[Memory, CrontabHarness, LaunchdHarness, SystemdHarness])
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Stage:
    harness: Harness = request.param()
    stage = Stage(harness, tmp_path)
    harness.add_twin(stage.host, versions(stage)[0])
    return stage


def versions(stage: Stage) -> tuple[Resource, Resource]:
    return next(iter(stage.harness.pairs()))


def play(stage: Stage, verb: str, request: Request, *wanted: Resource) -> Pass:
    done = stage.play(verb, lambda j: stage.app.plan(request, desired=stage.desired(wanted), journal=j))
    assert done.outcome is not None, done
    assert done.outcome.code is ExitCode.DONE
    return done


def adopt(stage: Stage) -> None:
    one = versions(stage)[0]
    play(stage, "adopt", Request(targets=frozenset({one.id}), adopt=frozenset({one.id})), one)


def release(stage: Stage) -> str:
    """The reason that its plan gave."""
    id_ = versions(stage)[0].id
    done = play(stage, "release", Request(targets=frozenset({id_}), release=frozenset({id_})))
    assert done.planned is not None
    return done.planned.plan.changes[0].reason


def roll_back(stage: Stage, target: int | None) -> None:
    done = stage.play("rollback", lambda j: stage.app.plan_rollback(target, j))
    assert done.outcome is not None, done
    assert done.outcome.code is ExitCode.DONE, done.outcome


def test_what_only_changed_hands_comes_back_as_it_was(stage: Stage) -> None:
    before = stage.content()
    adopt(stage)
    assert stage.content() != before
    assert release(stage) == "released: what you had before its adoption comes back, and is yours again"
    assert stage.content() == before
    adopt(stage)
    assert release(stage).startswith("released: what you had")
    assert stage.content() == before


def test_a_release_can_be_rolled_back(stage: Stage) -> None:
    adopt(stage)
    ours = stage.ours()
    release(stage)
    assert stage.ours() == {}
    roll_back(stage, None)
    assert stage.ours() == ours


@pytest.mark.parametrize("changed", [False, True])
def test_an_undone_release_does_not_lose_what_stood_before_the_adoption(stage: Stage, changed: bool) -> None:
    before = stage.content()
    adopt(stage)
    if changed:
        play(stage, "apply", Request(), versions(stage)[1])
    release(stage)
    roll_back(stage, None)
    roll_back(stage, 0)
    assert stage.content() == before


def test_what_was_changed_since_stays_as_it_stands(stage: Stage) -> None:
    adopt(stage)
    play(stage, "apply", Request(), versions(stage)[1])
    assert release(stage) == "released: it stays and is yours again"
