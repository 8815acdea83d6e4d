"""Promise 3 for the way back: a `rollback`, or a `resume` of what was killed, is killed itself at any boundary.

Every backend in one plan, all real: on Docker, and with RECONCILER_TEST_FULL=1 also on Podman and without an engine.
"""

from __future__ import annotations

import json

import pytest

from tests.e2e.boundary import run_to
from tests.e2e.matrix import APPLY, ENGINES, FULL, Matrix, Note, applied, converges, killed_at
from tests.e2e.rack import Rack

pytestmark = [
    pytest.mark.cron,
    pytest.mark.systemd,
    pytest.mark.slow,
    pytest.mark.parametrize("rack", ENGINES if FULL else ENGINES[1:2], indirect=True),
]


def newest(rack: Rack) -> int:
    told = json.loads(rack.machine.run("history", "-o", "json").stdout)
    return max(int(one["number"]) for one in told["rollouts"])


def test_killed_in_a_rollback_the_host_stands_before_or_behind_it(
    rack: Rack, request: pytest.FixtureRequest, record_property: Note
) -> None:
    theirs = rack.theirs()

    def ready() -> tuple[dict[str, object], tuple[object, ...]]:
        """What stands before the last of two rollouts, and the command that goes back to it."""
        rack.clear()
        return applied(rack, 1), ("rollback", newest(rack), "--yes")

    before, back = ready()
    after = applied(rack, 2)
    done, boundaries = run_to(rack.machine, 0, *back)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rack.stands() == before

    def attempt(number: int, _: int) -> None:
        nonlocal back
        if rack.stands() != before:
            _, back = ready()
        rack.machine.run("release", "--quarantine", "all")  # what the rollback before this one took back
        assert applied(rack, 2) == after
        where = killed_at(rack, number, theirs, *back)
        resumed = rack.machine.run("resume")
        said = f"{where}\n{resumed.stdout}\n{resumed.stderr}"
        assert resumed.returncode in (0, 7), said
        assert rack.stands() in (before, after), said
        left = [name for name in rack.orphans() if not name.endswith(".tmp")]  # that goes with the next write there
        assert (rack.theirs(), left) == (theirs, []), said
        again = rack.machine.run(*back)
        assert again.returncode == 0, f"{said}\n{again.stdout}\n{again.stderr}"
        assert rack.stands() == before, where
        assert (rack.theirs(), rack.orphans()) == (theirs, []), where

    Matrix(request, "rollback, taken back or finished", len(boundaries)).run(attempt, record_property)


def test_killed_in_a_resume_the_next_apply_converges(
    rack: Rack, request: pytest.FixtureRequest, record_property: Note
) -> None:
    """What is resumed is an update that was killed in its midst, and one back whose last changes stood already."""
    theirs = rack.theirs()
    final = [applied(rack, side) for side in (1, 2)]

    def killed_update(way: int, number: int) -> str:
        if rack.stands() != final[1 - way]:
            rack.clear()
            assert applied(rack, 2 - way) == final[1 - way]
        rack.tree(way + 1)
        return killed_at(rack, number, theirs)

    midst, counts = [], []
    for way, share in enumerate((0.5, 0.9)):
        rack.tree(way + 1)
        _, boundaries = run_to(rack.machine, 0, *APPLY)
        midst.append(int(len(boundaries) * share))
        killed_update(way, midst[way])
        done, boundaries = run_to(rack.machine, 0, "resume")
        assert done.returncode in (0, 7), done.stdout + done.stderr
        counts.append(len(boundaries))

    def attempt(number: int, way: int) -> None:
        first = killed_update(way, midst[way])
        where = killed_at(rack, number, theirs, "resume")
        converges(rack, f"{first}, and in its resume {where}", theirs, final[way])

    Matrix(request, "resume of an update, converged", *counts).run(attempt, record_property)
