"""What every test that kills mixed rollouts shares: the rack, engine by engine, which boundaries, and what must hold.

A sample of the boundaries; RECONCILER_TEST_FULL=1 for all.
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

FULL = bool(os.environ.get("RECONCILER_TEST_FULL"))
SAMPLE = 2  # boundaries per scenario in the short run
ENGINES = ["none", *(pytest.param(name, marks=pytest.mark.engines) for name in ("docker", "podman"))]
APPLY = ("apply", "desired", "--yes")
Note = Callable[[str, object], None]


@pytest.fixture(params=ENGINES)
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


def killed_at(rack: Rack, number: int, theirs: dict[str, object], *command: object) -> str:
    """Kill an apply, or that command, there, and look at what must hold even unrepaired. Names the boundary."""
    _, came_to = run_to(rack.machine, number, *(command or APPLY))
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
