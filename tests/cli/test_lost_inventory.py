"""A lost journal: what carries our mark is owned again from the next apply on, also where that has nothing to do."""

from __future__ import annotations

import json
import re
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


def test_an_apply_that_failed_does_not_end_the_time_without_pruning(workplace: Workplace) -> None:
    gone, kept = workplace.manifest("gone"), workplace.manifest("kept")
    good = kept.read_text()
    assert workplace.run("apply", "--yes", *ACCEPT).code == 0
    shutil.rmtree(workplace.state)
    gone.unlink()
    bad = 'schedule: "30 6 * * *"\n  verify: {within: 1s, probes: [{exec: ["false"]}]}'
    kept.write_text(re.sub("schedule: .*", lambda _: bad, good))
    assert workplace.run("apply", "--yes", *ACCEPT).code == 7
    assert json.loads(workplace.run("plan", "-o", "json", *ACCEPT).out)["counts"]["delete"] == 0
    kept.write_text(good)
    assert workplace.run("apply", "--yes", *ACCEPT).code == 0
    assert json.loads(workplace.run("plan", "-o", "json", *ACCEPT).out)["counts"]["delete"] == 1
