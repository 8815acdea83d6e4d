"""Promise 3 over every backend in one plan: killed at any boundary of a mixed rollout, nothing is lost or left over.

Cron, systemd, containers and the register of ports, all real. One host talks to one engine, so Docker and Podman take
a turn each; without either the web service is a unit. A sample of the boundaries; RECONCILER_TEST_FULL=1 for all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import zip_longest

import pytest

from reconciler.host.local import LocalHost
from reconciler.providers.container.api import Engine
from tests.container.conftest import alone, unavailable_or
from tests.e2e.boundary import run_to
from tests.e2e.machine import Machine
from tests.e2e.rack import Rack
from tests.ports import free_port
from tests.systemd.conftest import manager  # noqa: F401 - the fixture

pytestmark = [pytest.mark.cron, pytest.mark.systemd, pytest.mark.slow]

FULL = bool(os.environ.get("RECONCILER_TEST_FULL"))
SAMPLE = 2  # boundaries per scenario in the short run
APPLY = ("apply", "desired", "--yes")
Note = Callable[[str, object], None]


@pytest.fixture(params=["none", *(pytest.param(name, marks=pytest.mark.engines) for name in ("docker", "podman"))])
def rack(machine: Machine, manager: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Rack]:  # noqa: F811
    machine.environ |= {name: manager[name] for name in ("HOME", "XDG_RUNTIME_DIR")}
    if request.param == "none":
        machine.environ["DOCKER_HOST"] = "none://"  # whatever this machine has stays out of it
        yield from used(Rack(machine, None, free_port()))
        return
    socket = unavailable_or(request.param)
    machine.environ["DOCKER_HOST"] = f"unix://{socket}"
    with alone(socket):
        yield from used(Rack(machine, Engine(LocalHost(), socket), free_port()))


def used(rack: Rack) -> Iterator[Rack]:
    rack.set_up_theirs()
    rack.clear()
    yield rack
    rack.clear()
    rack.remove_theirs()


def sample(count: int) -> list[int]:
    """From the midst: at the first boundary and at the last one little can be lost."""
    if FULL or count <= SAMPLE:
        return list(range(1, count + 1))
    return [round(count * i / (SAMPLE + 1)) for i in range(1, SAMPLE + 1)]


def applied(rack: Rack, side: int) -> dict[str, object]:
    """What stands once a side was applied without any trouble."""
    rack.tree(side)
    done = rack.machine.apply()
    assert done.returncode == 0, done.stdout + done.stderr
    return rack.stands()


def killed_at(rack: Rack, number: int, theirs: dict[str, object]) -> str:
    """Kill an apply there, and look at what must hold even before anybody repairs it. Names the boundary."""
    _, came_to = run_to(rack.machine, number, *APPLY)
    where = f"boundary {number}: {came_to[-1]}"
    assert rack.theirs() == theirs, where
    return where


def converges(rack: Rack, where: str, theirs: dict[str, object], final: dict[str, object]) -> None:
    repaired = rack.machine.apply()
    assert repaired.returncode == 0, f"{where}\n{repaired.stdout}\n{repaired.stderr}"
    assert rack.stands() == final, where
    assert (rack.theirs(), rack.orphans()) == (theirs, []), where
    plan = rack.machine.run("plan", "desired", "--detailed-exitcode")
    assert plan.returncode == 0, f"{where}\n{plan.stdout}"


def is_restored(rack: Rack, where: str, theirs: dict[str, object], before: dict[str, object]) -> None:
    repaired = rack.machine.apply()
    assert repaired.returncode in (5, 7), f"{where}\n{repaired.stdout}\n{repaired.stderr}"
    assert rack.stands() == before, where
    assert (rack.theirs(), rack.orphans()) == (theirs, []), where
    assert rack.machine.apply().returncode == 5, where  # quarantined


class Matrix:
    """The kills of one scenario: all are tried, and then all that went wrong is told at once."""

    def __init__(self, request: pytest.FixtureRequest, what: str, *counts: int) -> None:
        self._title = f"kill matrix, mixed rollout ({request.node.callspec.id}), {what}"
        self._count = sum(counts)
        self._points = [
            (number, way) for turn in zip_longest(*map(sample, counts)) for way, number in enumerate(turn) if number
        ]

    def run(self, attempt: Callable[[int, int], None], note: Note) -> None:
        """`attempt` is given the number of a boundary and which of the rollouts that were counted it belongs to."""
        wrong: list[str] = []
        for number, way in self._points:
            try:
                attempt(number, way)
            except AssertionError as error:
                wrong.append(str(error)[:3000])
        assert not wrong, f"{len(wrong)} of {len(self._points)} kills:\n\n" + "\n\n".join(wrong)
        note("summary", f"{self._title}: {len(self._points)} of {self._count} boundaries")


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
