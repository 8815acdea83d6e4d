"""examples/home-server: its first plan is the published one, and on a real machine it does what its README says.

UPDATE_GOLDEN=1 writes the plan anew. The real run differs from the example in what a test machine must have
different: images (made here out of the tests' own, under other names), ports, whose crontab, which systemd manager.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.app import wire
from reconciler.cli.render.text import plan_text
from reconciler.host.fake import FakeClock, FakeHost
from reconciler.host.local import LocalHost
from reconciler.model.mask import Mask
from reconciler.model.resource import Revision
from reconciler.model.state import HostFacts
from reconciler.providers.container.api import Engine
from reconciler.providers.container.rows import row_of
from reconciler.testing.crontab import CrontabProgram
from reconciler.testing.engine_api import EngineApi
from reconciler.testing.systemd import SystemdPrograms
from tests.container.conftest import alone, unavailable_or
from tests.e2e.conftest import account, machine  # noqa: F401 - the fixtures
from tests.e2e.machine import Machine
from tests.e2e.rack import IMAGE
from tests.e2e.test_real_cron import HOSTILE, foreign
from tests.ports import free_port
from tests.systemd.conftest import manager  # noqa: F401 - the fixture

EXAMPLE = Path(__file__).parents[2] / "examples" / "home-server"
IMAGES = {"docker.io/library/postgres:17": "postgres", "docker.io/miniflux/miniflux:2.2.9": "miniflux"}


def test_the_first_plan_is_the_published_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    program, socket = CrontabProgram(user="ada"), "/var/run/docker.sock"
    host = FakeHost(
        programs=program.programs(),
        running={7: "cron"},
        files={"/run/crond.pid": b"7\n", socket: b"", "/var/lib/systemd/linger/ada": b""},
        services={socket: EngineApi()},
        facts=HostFacts("home-server", "linux", "ada", "Europe/Berlin"),
        clock=FakeClock(datetime(2026, 11, 21, 12, 0, tzinfo=UTC)),
    )
    SystemdPrograms(host)
    environ = {
        "HOME": "/home/ada",
        "RECONCILER_STATE_DIR": str(tmp_path / "state"),
        "RECONCILER_CACHE_DIR": str(tmp_path / "cache"),
    }
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    app = wire(Path("desired"), environ, root=False, host=host)
    planned = app.plan(app.request())
    plan = replace(planned.plan, revision=Revision("4ea11"))  # a commit would change the text with every commit
    text = plan_text(plan, taken=planned.snapshot.taken, mask=Mask("published"))
    golden = EXAMPLE / "plan.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()
    assert planned.plan.vetoes == ()


class Home:
    """The example on a real machine."""

    def __init__(self, machine: Machine, engine: Engine) -> None:  # noqa: F811
        self.machine = machine
        self.engine = engine
        self.folder = Path(machine.environ["HOME"], "home-server")
        for folder in (self.folder, machine.home / "home-server"):
            shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
        (self.folder / "secrets").mkdir(exist_ok=True)
        changes = {
            "scheduler: crontab": f"scheduler: crontab\n  user: {machine.user}",
            "scheduler: systemd": "scheduler: systemd\n  scope: user",
            "8085": str(free_port()),
            "15432": str(free_port()),
            **{image: f"localhost/home-server-{name}:1" for image, name in IMAGES.items()},
        }
        for path in (self.folder / "desired").iterdir():
            text = path.read_text()
            for old, new in changes.items():
                text = text.replace(old, new)
            path.write_text(text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.machine.argv(*arguments),
            cwd=self.folder,
            env=self.machine.environment(),
            capture_output=True,
            text=True,
            timeout=180,
        )

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / "desired" / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def names(self) -> dict[str, str]:
        """Containers that stand, with their ids."""
        rows = [row for row in map(row_of, self.engine.containers()) if row.owner is not None and row.stands]
        return {row.name: row.id for row in rows if row.runs}

    def units(self) -> list[str]:
        folder = Path(self.machine.environ["HOME"], ".config/systemd/user")
        return sorted(path.name for path in folder.glob("reconciler-*") if path.is_file())


def stand_in(engine: Engine, name: str, script: str) -> None:
    """An image of that name: the tests' own with a program to run."""
    dump = "printf '#!/bin/sh\\necho a dump of $2\\n' >/bin/pg_dump; /bin/busybox chmod +x /bin/pg_dump"
    command = ["sh", "-c", dump]
    engine.remove(f"home-server-build-{name}")  # where an earlier run was stopped
    made = engine.create(f"home-server-build-{name}", {"Image": IMAGE, "Cmd": command, "Labels": {"test": "yes"}})
    engine.start(made)
    LocalHost().request(engine.socket, "POST", f"/containers/{made}/wait", timeout=30)
    from json import dumps
    from urllib.parse import urlencode

    change = f"CMD {dumps(['sh', '-c', script])}"
    query = urlencode({"container": made, "repo": f"localhost/home-server-{name}", "tag": "1", "changes": change})
    done = LocalHost().request(engine.socket, "POST", f"/commit?{query}", body=b"{}", timeout=60)
    assert done.status == 201, done.body
    engine.remove(made)


@pytest.fixture(params=["docker", "podman"])
def home(request: pytest.FixtureRequest, machine: Machine, manager: dict[str, str]) -> Iterator[Home]:  # noqa: F811
    socket = unavailable_or(request.param)
    machine.environ |= {name: manager[name] for name in ("HOME", "XDG_RUNTIME_DIR")}
    machine.environ["DOCKER_HOST"] = f"unix://{socket}"
    with alone(socket):
        engine = Engine(LocalHost(), socket)
        listen = "trap 'exit 0' TERM INT; /bin/busybox mkdir -p /www; echo OK >/www/healthcheck; httpd -f -h /www -p "
        stand_in(engine, "postgres", f"{listen} 5432 & wait")
        stand_in(engine, "miniflux", f"{listen} 8080 & wait")
        yield Home(machine, engine)
        for row in map(row_of, engine.containers()):
            if row.owner is not None or row.name.startswith("home-server-build-"):
                engine.remove(row.id)
        engine.remove_network("home")
        folder = Path(machine.environ["HOME"])
        environment = machine.environment()
        subprocess.run(["systemctl", "--user", "stop", "reconciler-*"], env=environment, capture_output=True)
        shutil.rmtree(folder / ".config", ignore_errors=True)
        shutil.rmtree(folder / "home-server")
        subprocess.run(["systemctl", "--user", "daemon-reload"], env=environment, check=True)


@pytest.mark.cron
@pytest.mark.systemd
@pytest.mark.engines
@pytest.mark.slow
def test_it_runs_fails_well_and_goes(home: Home) -> None:
    home.machine.install(HOSTILE)
    applied = home.run("apply", "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert set(home.names()) == {"postgres", "miniflux"}
    assert len(home.units()) == 2
    assert b"Automation/backup" in (home.machine.table() or b"")
    assert home.run("plan", "--detailed-exitcode").returncode == 0
    status = home.run("status")
    assert status.returncode == 0, status.stderr
    assert "miniflux" in home.run("ports").stdout

    # Its two programs do their work.
    environment = home.machine.environment()
    backup = subprocess.run(["tools/backup.sh"], cwd=home.folder, env=environment, capture_output=True, text=True)
    assert backup.returncode == 0, backup.stderr
    assert [path.suffix for path in (home.folder / "backups").iterdir()] == [".gz"]
    service = next(name for name in home.units() if name.endswith(".service"))
    started = subprocess.run(["systemctl", "--user", "start", service], env=environment, capture_output=True)
    assert started.returncode == 0, started.stderr

    # A change that breaks it comes back whole: the reader asks for a page that is not there.
    before, table, units = home.names(), home.machine.table(), home.units()
    home.edit("reader.yaml", "/healthcheck", "/nowhere")
    home.edit("reader.yaml", "ADMIN_USERNAME: admin", "ADMIN_USERNAME: root")
    home.edit("reader.yaml", "within: 60s", "within: 2s")
    home.edit("backup.yaml", "30 2 * * *", "45 3 * * *")
    failed = home.run("apply", "--yes")
    assert failed.returncode == 7, failed.stdout + failed.stderr
    assert (home.names(), home.machine.table(), home.units()) == (before, table, units)
    assert home.run("apply", "--yes").returncode == 5  # quarantined

    # Taken out of the folder, it goes; the database is protected, and stays.
    for name in ("reader.yaml", "backup.yaml", "disk.yaml"):
        (home.folder / "desired" / name).unlink()
    removed = home.run("apply", "--yes", "--accept", "prune")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert home.names() == {"postgres": before["postgres"]}
    assert home.units() == []
    assert home.machine.table() == foreign(table or b"") == HOSTILE
