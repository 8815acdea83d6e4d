"""One plan over several backends: in order of need, verified, and all of it undone when its last gate fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.boundary import run_to
from tests.e2e.machine import Machine
from tests.e2e.matrix import APPLY, ENGINES, Matrix, Note, converges, is_restored, killed_at
from tests.e2e.rack import FALSE, HTTPD, IMAGE, Rack
from tests.e2e.test_real_cron import HOSTILE
from tests.systemd.conftest import manager  # noqa: F401 - the fixture

pytestmark = [pytest.mark.cron, pytest.mark.systemd]


@pytest.fixture
def mixed(machine: Machine, manager: dict[str, str]) -> Machine:  # noqa: F811
    """A machine whose reconcile also reaches a real user manager of systemd."""
    machine.environ |= {name: manager[name] for name in ("HOME", "XDG_RUNTIME_DIR")}
    (machine.folder / "reconciler.yaml").write_text("host: {name: rack, labels: {role: web}}\n")
    return machine


def systemctl(machine: Machine, *arguments: str) -> str:
    done = subprocess.run(
        ["systemctl", "--user", *arguments], env=machine.environment(), capture_output=True, text=True
    )
    return done.stdout.strip()


def units(machine: Machine) -> dict[str, bytes]:
    folder = Path(machine.environ["HOME"], ".config/systemd/user")
    return {p.name: p.read_bytes() for p in folder.glob("reconciler-*") if p.is_file()}


def write(machine: Machine, kind: str, name: str, **spec: object) -> None:
    document = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    (machine.tree / f"{kind.lower()}-{name}.yaml").write_text(json.dumps(document))


def first_tree(machine: Machine) -> None:
    machine.automation("report", "0 6 * * *", ["/bin/true"], dependsOn=["Automation/sweep"])
    write(
        machine,
        "Automation",
        "sweep",
        schedule="*/10 * * * *",
        command=["/bin/true"],
        scheduler="systemd",
        scope="user",
    )
    write(machine, "Service", "web", supervisor="systemd", scope="user", command=["/bin/sleep", "1000"])
    write(machine, "Service", "elsewhere", command=["/bin/false"], placement={"labels": {"role": "db"}})


def test_one_plan_over_two_backends_and_back_again(mixed: Machine) -> None:
    mixed.install(HOSTILE)
    first_tree(mixed)
    applied = mixed.apply()
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert "placed on other hosts" in applied.stdout
    assert b"Automation/report" in (mixed.table() or b"")
    web = next(name for name in units(mixed) if "web" in name)
    pid = systemctl(mixed, "show", "--property=MainPID", "--value", web)
    assert systemctl(mixed, "is-active", web) == "active"
    assert mixed.run("plan", "desired", "--detailed-exitcode").returncode == 0

    table, files = mixed.table(), units(mixed)
    mixed.automation(
        "report",
        "0 7 * * *",
        ["/bin/true"],
        dependsOn=["Automation/sweep"],
        verify={"within": "100ms", "probes": [{"exec": ["/bin/false"]}]},
    )
    write(
        mixed,
        "Automation",
        "sweep",
        schedule="*/20 * * * *",
        command=["/bin/true"],
        scheduler="systemd",
        scope="user",
    )
    write(mixed, "Service", "web", supervisor="systemd", scope="user", command=["/bin/sleep", "2000"])
    failed = mixed.apply()
    assert failed.returncode == 7, failed.stdout + failed.stderr
    assert (mixed.table(), units(mixed)) == (table, files)
    assert systemctl(mixed, "is-active", web) == "active"
    assert (
        b"sleep\0001000"
        in Path("/proc", systemctl(mixed, "show", "--property=MainPID", "--value", web), "cmdline").read_bytes()
    )
    assert pid != ""

    gone = mixed.run("rollback", "0", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert mixed.table() == HOSTILE
    assert units(mixed) == {}


def test_an_automation_moves_from_crontab_to_systemd(mixed: Machine) -> None:
    write(mixed, "Automation", "sweep", schedule="*/10 * * * *", command=["/bin/true"], user=mixed.user)
    assert mixed.apply().returncode == 0
    assert b"Automation/sweep" in (mixed.table() or b"")
    write(
        mixed,
        "Automation",
        "sweep",
        schedule="*/10 * * * *",
        command=["/bin/true"],
        scheduler="systemd",
        scope="user",
    )
    moved = mixed.apply()
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert mixed.table() is None
    assert len(units(mixed)) == 2
    assert mixed.run("rollback", "0", "--yes").returncode == 0
    assert units(mixed) == {}
    assert os.geteuid() == 0


WAYS = pytest.mark.parametrize("way", [("container", "systemd"), ("systemd", "container")], ids=" to ".join)
EITHER_ENGINE = pytest.mark.parametrize("rack", ENGINES[1:], indirect=True)


def serve(rack: Rack, supervisor: str, *, good: bool = True) -> None:
    """The whole tree: a service of that backend, and its port."""
    for path in rack.machine.tree.iterdir():
        path.unlink()
    rack.write("Port", "mix-http", port=rack.port, owner="Service/mix-web")
    spec: dict[str, object] = {"health": [{"http": {"url": f"http://127.0.0.1:{rack.port}/version"}}]}
    if supervisor == "container":
        spec |= {"image": IMAGE, "pull": "never", "stop": {"grace": "3s"}, "command": HTTPD}
        spec["ports"] = [{"host": rack.port, "target": 80}]
    else:
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(rack.port)]
        spec |= {"scope": "user", "command": command, "workingDirectory": str(rack.machine.folder / "served")}
    rack.write("Service", "mix-web", supervisor=supervisor, **spec, **({} if good else {"verify": FALSE}))


def served(rack: Rack, supervisor: str) -> dict[str, object]:
    """What stands once it was applied there."""
    serve(rack, supervisor)
    done = rack.machine.apply()
    assert done.returncode == 0, done.stdout + done.stderr
    return rack.stands()


@EITHER_ENGINE
@WAYS
def test_a_service_moves_with_its_port_and_back(rack: Rack, way: tuple[str, str]) -> None:
    old, new = way
    before, ids = served(rack, old), [row.id for row in rack.rows()]
    serve(rack, new, good=False)
    plan = rack.machine.run("plan", "desired")
    assert f"Service/mix-web is down while it moves from {old} to {new}" in plan.stdout, plan.stdout
    failed = rack.machine.apply()
    assert failed.returncode == 7, failed.stdout + failed.stderr
    assert (rack.stands(), [row.id for row in rack.rows()]) == (before, ids)  # the very same container
    assert rack.machine.run("release", "--quarantine", "all").returncode == 0

    assert served(rack, new) != before
    assert rack.orphans() == []
    assert rack.machine.run("plan", "desired", "--detailed-exitcode").returncode == 0
    back = rack.machine.run("rollback", "--yes")
    assert back.returncode == 0, back.stdout + back.stderr
    assert (rack.stands(), rack.orphans()) == (before, [])


@EITHER_ENGINE
@WAYS
@pytest.mark.slow
@pytest.mark.parametrize("good", [True, False], ids=["converged", "restored"])
def test_killed_in_a_move_with_a_port_nothing_is_lost(
    rack: Rack, way: tuple[str, str], good: bool, request: pytest.FixtureRequest, record_property: Note
) -> None:
    old, new = way
    theirs, before = rack.theirs(), served(rack, old)
    serve(rack, new, good=good)
    done, boundaries = run_to(rack.machine, 0, *APPLY)
    assert done.returncode == (0 if good else 7), done.stdout + done.stderr
    final = rack.stands()

    def attempt(number: int, _: int) -> None:
        rack.clear()
        assert served(rack, old) == before
        serve(rack, new, good=good)
        where = killed_at(rack, number, theirs)
        if good:
            converges(rack, where, theirs, final)
        else:
            is_restored(rack, where, theirs, before)

    Matrix(request, "move with a port", len(boundaries)).run(attempt, record_property)
