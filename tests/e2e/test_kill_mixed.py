"""Promise 3 over every backend in one plan: killed at any boundary of a mixed rollout, nothing is lost or left over.

Cron, systemd, containers and the register of ports, all real. One host talks to one engine, so Docker and Podman take
a turn each; without either the web service is a unit.
"""

from __future__ import annotations

import pytest

from tests.e2e.boundary import run_to
from tests.e2e.matrix import APPLY, Matrix, Note, applied, converges, is_restored, killed_at
from tests.e2e.rack import Rack

pytestmark = [pytest.mark.cron, pytest.mark.systemd, pytest.mark.slow]


def test_killed_in_a_first_rollout_the_next_apply_converges(
    rack: Rack, request: pytest.FixtureRequest, record_property: Note
) -> None:
    rack.tree(1)
    theirs = rack.theirs()
    done, boundaries = run_to(rack.machine, 0, *APPLY)
    assert done.returncode == 0, done.stdout + done.stderr
    final = rack.stands()

    def attempt(number: int, _: int) -> None:
        rack.clear()
        converges(rack, killed_at(rack, number, theirs), theirs, final)

    Matrix(request, "first create, converged", len(boundaries)).run(attempt, record_property)


def test_killed_in_a_first_rollout_that_fails_nothing_stays(
    rack: Rack, request: pytest.FixtureRequest, record_property: Note
) -> None:
    rack.tree(2, good=False)
    theirs, nothing, table = rack.theirs(), rack.stands(), rack.machine.table()
    done, boundaries = run_to(rack.machine, 0, *APPLY)
    assert done.returncode == 7, done.stdout + done.stderr
    assert rack.stands() == nothing

    def attempt(number: int, _: int) -> None:
        rack.clear()
        where = killed_at(rack, number, theirs)
        is_restored(rack, where, theirs, nothing)
        assert rack.machine.table() == table, where

    Matrix(request, "first create that fails, restored", len(boundaries)).run(attempt, record_property)


def test_killed_in_an_update_the_next_apply_converges(
    rack: Rack, request: pytest.FixtureRequest, record_property: Note
) -> None:
    """There and back in turn: the next kill starts from what the last repair has made."""
    theirs = rack.theirs()
    final = [applied(rack, side) for side in (1, 2)]
    counts = []
    for way in (0, 1):
        rack.tree(way + 1)
        done, boundaries = run_to(rack.machine, 0, *APPLY)
        assert done.returncode == 0, done.stdout + done.stderr
        assert rack.stands() == final[way]
        counts.append(len(boundaries))

    def attempt(number: int, way: int) -> None:
        if rack.stands() != final[1 - way]:
            rack.clear()
            applied(rack, 2 - way)
        rack.tree(way + 1)
        converges(rack, killed_at(rack, number, theirs), theirs, final[way])

    Matrix(request, "update there and back, converged", *counts).run(attempt, record_property)


def test_killed_in_an_update_that_fails_the_host_is_restored(
    rack: Rack, request: pytest.FixtureRequest, record_property: Note
) -> None:
    theirs, before, table = rack.theirs(), applied(rack, 1), rack.machine.table()
    rack.tree(2, good=False)
    done, boundaries = run_to(rack.machine, 0, *APPLY)
    assert done.returncode == 7, done.stdout + done.stderr
    assert rack.stands() == before

    def attempt(number: int, _: int) -> None:
        freed = rack.machine.run("release", "--quarantine", "all")
        if freed.returncode != 0 or rack.stands() != before:
            rack.clear()
            applied(rack, 1)
            rack.tree(2, good=False)
        ids = {row.name: row.id for row in rack.rows()}
        where = killed_at(rack, number, theirs)
        is_restored(rack, where, theirs, before)
        assert {row.name: row.id for row in rack.rows()} == ids, where  # the very same containers
        assert rack.machine.table() == table, where  # byte for byte

    Matrix(request, "update that fails, restored", len(boundaries)).run(attempt, record_property)
