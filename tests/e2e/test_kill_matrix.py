"""Promise 3: killed right before any write, the next apply finishes or undoes, and nothing is lost.

Runs a sample of the points; RECONCILER_TEST_FULL=1 runs every one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.kill import KillPoint, kill_points, run_killed, why_no_strace
from tests.e2e.machine import Machine
from tests.e2e.test_real_cron import HOSTILE, foreign

pytestmark = [pytest.mark.cron, pytest.mark.slow]

FULL = bool(os.environ.get("RECONCILER_TEST_FULL"))
SAMPLE = 12  # points per scenario in the short run


def good_tree(machine: Machine) -> None:
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    machine.automation("b", "@daily", "echo b | cat")


def next_tree(machine: Machine) -> None:
    machine.automation("a", "*/7 * * * *", ["/bin/true"])
    machine.automation("c", "0 3 * * *", ["/bin/echo", "50%"], environment={"X": "1"})
    (machine.tree / "b.yaml").unlink()


def failing_tree(machine: Machine) -> None:
    next_tree(machine)
    probe = {"within": "100ms", "probes": [{"exec": ["/bin/false"]}]}
    machine.automation("c", "0 3 * * *", ["/bin/echo", "50%"], verify=probe)


class Start:
    """A host with foreign lines and one stable rollout, to go back to before every kill."""

    def __init__(self, machine: Machine, tree: Callable[[Machine], None]) -> None:
        self.machine = machine
        machine.install(HOSTILE)
        good_tree(machine)
        assert machine.apply().returncode == 0
        self.table = machine.table() or b""
        self.saved = machine.folder / "saved-state"
        shutil.copytree(machine.state, self.saved)
        tree(machine)

    def again(self) -> None:
        shutil.rmtree(self.machine.state)
        shutil.copytree(self.saved, self.machine.state)
        self.machine.install(self.table)


def sample(points: list[KillPoint]) -> list[KillPoint]:
    if FULL or len(points) <= SAMPLE:
        return points
    return [points[round(i * (len(points) - 1) / (SAMPLE - 1))] for i in range(SAMPLE)]


@pytest.fixture
def traced(machine: Machine, tmp_path: Path) -> Machine:
    why = why_no_strace(tmp_path)
    if why is not None:
        if os.environ.get("CI"):
            pytest.fail(f"system calls cannot be traced, and this is CI: {why}")
        pytest.skip(why)
    return machine


def test_killed_at_any_write_the_next_apply_converges(
    traced: Machine, record_property: Callable[[str, object], None]
) -> None:
    start = Start(traced, next_tree)
    points = kill_points(traced, "apply", "desired", "--yes")
    final = traced.table() or b""
    assert final != start.table
    killed = 0
    for point in sample(points):
        start.again()
        done = run_killed(traced, point, "apply", "desired", "--yes")
        killed += done.returncode != 0
        assert foreign(traced.table() or b"") == HOSTILE, point
        seen = traced.run("status", "desired")  # reading alone must do after any kill
        assert seen.returncode == 0, (point, seen.stderr)
        repaired = traced.apply()
        assert repaired.returncode == 0, (point, repaired.stdout, repaired.stderr)
        assert "set aside" not in repaired.stdout + repaired.stderr, point
        assert traced.table() == final, point
        assert traced.run("plan", "desired", "--detailed-exitcode").returncode == 0, point
    assert killed > len(sample(points)) // 2  # the last points come after the work is done
    record_property(
        "summary", f"kill matrix, apply: {len(sample(points))} of {len(points)} kill points, all converged"
    )


def test_killed_at_any_write_of_a_failing_apply_the_host_is_restored(
    traced: Machine, record_property: Callable[[str, object], None]
) -> None:
    start = Start(traced, failing_tree)
    points = kill_points(traced, "apply", "desired", "--yes")
    assert traced.table() == start.table
    for point in sample(points):
        start.again()
        run_killed(traced, point, "apply", "desired", "--yes")
        assert foreign(traced.table() or b"") == HOSTILE, point
        repaired = traced.apply()
        assert repaired.returncode in (5, 7), (point, repaired.stdout, repaired.stderr)
        assert traced.table() == start.table, point
        assert traced.apply().returncode == 5, point
    record_property(
        "summary", f"kill matrix, rollback: {len(sample(points))} of {len(points)} kill points, all restored"
    )


def test_a_crontab_program_killed_at_any_write_loses_nothing(
    traced: Machine, record_property: Callable[[str, object], None]
) -> None:
    start = Start(traced, next_tree)
    shims = traced.folder / "bin"
    shims.mkdir()
    log = traced.folder / "install.log"
    shim = shims / "crontab"
    traced.environ["PATH"] = f"{shims}:{traced.environment()['PATH']}"
    calls = "write,rename,unlink,fsync,fchmod,chmod,fchown,chown,link"

    def trace(options: str) -> None:
        shim.write_text(
            '#!/bin/sh\ncase "$*" in *-l*|*-n*) exec /usr/bin/crontab "$@";; esac\n'
            f'exec strace {options} /usr/bin/crontab "$@"\n'
        )
        shim.chmod(0o755)

    trace(f"-o {log} -e trace={calls}")
    assert traced.apply().returncode == 0
    final = traced.table()
    names = [line.split("(")[0] for line in log.read_text().splitlines() if "(" in line]
    points = [KillPoint(name, names[: i + 1].count(name)) for i, name in enumerate(names)]
    for point in points:
        start.again()
        trace(f"-o /dev/null -e trace={point.call} -e inject={point.call}:signal=SIGKILL:when={point.occurrence}")
        traced.apply()
        assert foreign(traced.table() or b"") == HOSTILE, point
        trace("-o /dev/null -e trace=none")
        repaired = traced.apply()
        if repaired.returncode == 5:  # the crontab program was to blame, but the revision failed all the same
            assert traced.run("release", "--quarantine", "all").returncode == 0
            repaired = traced.apply()
        assert repaired.returncode == 0, (point, repaired.stdout, repaired.stderr)
        assert traced.table() == final, point
    record_property(
        "summary", f"kill matrix, crontab program: {len(points)} of {len(points)} kill points, nothing lost"
    )
