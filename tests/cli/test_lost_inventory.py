"""A lost journal: what carries our mark is owned again from the next apply on, also where that has nothing to do."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.cli.workplace import Workplace

ACCEPT = ("--accept", "missed-run")


@pytest.mark.parametrize("more", [False, True])
def test_what_the_marks_say_is_kept_by_an_apply(workplace: Workplace, more: bool) -> None:
    gone = workplace.manifest("gone")
    workplace.manifest("kept")
    assert workplace.run("apply", "--yes", *ACCEPT).code == 0
    shutil.rmtree(workplace.state)
    if more:
        workplace.manifest("more")
    assert workplace.run("apply", "--yes", *ACCEPT).code == 0
    gone.unlink()
    planned = json.loads(workplace.run("plan", "-o", "json", *ACCEPT).out)
    assert planned["counts"]["delete"] == 1
    assert planned["counts"]["unchanged"] == (2 if more else 1)
