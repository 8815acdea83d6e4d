"""Bring what you have: import writes manifests, adopt takes over, the plan is empty, release gives back.

Crontab and systemd keep what runs running and change no more than the mark needs; a container must be made again,
and the plan says so before.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import socket  # noqa: F401 - the fixture
from tests.e2e.machine import Machine
from tests.systemd.conftest import manager  # noqa: F401 - the fixture

TABLE = b"""# my own
MAILTO=me@example.org
PATH=/usr/bin:/bin
0 6 * * * cd /tmp && /usr/bin/env > /dev/null
# a note
30 2 * * 1-5 /bin/echo backup
"""


def fine(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def plan_is_empty(machine: Machine, *targets: str) -> None:
    limits = [f"--target={target}" for target in targets]
    done = machine.run("plan", "desired", "--detailed-exitcode", *limits)
    assert done.returncode == 0, done.stdout + done.stderr


def manifests(machine: Machine) -> list[str]:
    return sorted(path.stem for path in machine.tree.glob("*.yaml"))


@pytest.mark.cron
def test_crontab(machine: Machine) -> None:
    machine.install(TABLE)
    fine(machine.run("import", "crontab", "--user", machine.user, "--out", "desired"))
    assert machine.table() == TABLE
    assert manifests(machine) == ["echo", "env"]
    refused = machine.run("plan", "desired", "--detailed-exitcode")
    assert refused.returncode == 5, refused.stdout
    assert "would run twice" in refused.stdout
    for name in ("env", "echo"):
        fine(machine.run("adopt", f"Automation/{name}", "desired", "--yes"))
    plan_is_empty(machine)
    table = machine.table() or b""
    theirs = [line for line in TABLE.splitlines() if line.startswith((b"#", b"MAILTO", b"PATH"))]
    assert [line for line in table.splitlines() if b": reconciler" not in line] == theirs
    for name in ("env", "echo"):
        fine(machine.run("release", f"Automation/{name}", "--yes"))
    table = machine.table() or b""
    assert b"reconciler" not in table
    assert sorted(line for line in table.splitlines() if line in theirs) == sorted(theirs)
    assert table.count(b"/bin/echo backup") == 1


@pytest.fixture
def units(machine: Machine, manager: dict[str, str]) -> Iterator[Machine]:  # noqa: F811
    machine.environ |= {name: manager[name] for name in ("HOME", "XDG_RUNTIME_DIR")}
    yield machine
    folder = unit_folder(machine)
    for path in [*folder.glob("mine*"), *folder.glob("reconciler-*")]:
        if path.is_file():
            systemctl(machine, "disable", "--now", path.name)
            path.unlink(missing_ok=True)
    systemctl(machine, "daemon-reload")


def unit_folder(machine: Machine) -> Path:
    return Path(machine.environ["HOME"], ".config/systemd/user")


def systemctl(machine: Machine, *arguments: str) -> str:
    done = subprocess.run(
        ["systemctl", "--user", *arguments], env=machine.environment(), capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.systemd
def test_systemd(units: Machine) -> None:
    folder = unit_folder(units)
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "mine-web.service": "[Service]\nExecStart=/bin/sleep 1234\nRestart=always\nNice=5\n"
        "[Install]\nWantedBy=default.target\n",
        "mine-sweep.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
        "mine-sweep.timer": "[Timer]\nOnCalendar=*-*-* 04:30:00\n[Install]\nWantedBy=timers.target\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    systemctl(units, "daemon-reload")
    systemctl(units, "enable", "--now", "mine-web.service", "mine-sweep.timer")
    before = systemctl(units, "show", "--property=MainPID", "mine-web.service")
    fine(units.run("import", "systemd", "--out", "desired"))
    assert {name: (folder / name).read_text() for name in files} == files
    assert manifests(units) == ["mine-sweep", "mine-web"]
    assert systemctl(units, "show", "--property=MainPID", "mine-web.service") == before
    refused = units.run("plan", "desired", "--detailed-exitcode")
    assert refused.returncode == 5, refused.stdout
    assert "is down while it is restarted" in fine_adopt(units, "Service/mine-web")
    fine_adopt(units, "Automation/mine-sweep")
    plan_is_empty(units)
    assert not any((folder / name).exists() for name in files)
    ours = {path.name: path.read_text() for path in folder.glob("reconciler-*") if path.is_file()}
    assert len(ours) == 3
    addresses = ("Service/mine-web", "Automation/mine-sweep")
    for address in addresses:
        fine(units.run("release", address, "--yes"))
    assert units.run("status").returncode == 0
    stand_as_before(units, files)
    for _ in addresses:
        fine(units.run("rollback", "--yes"))
    assert ours == {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    fine(units.run("rollback", "0", "--yes"))
    stand_as_before(units, files)


def stand_as_before(machine: Machine, files: dict[str, str]) -> None:
    folder = unit_folder(machine)
    assert {path.name: path.read_text() for path in folder.iterdir() if path.is_file()} == files
    for name in ("mine-web.service", "mine-sweep.timer"):
        assert (systemctl(machine, "is-active", name), systemctl(machine, "is-enabled", name)) == (
            "active",
            "enabled",
        )


def fine_adopt(machine: Machine, address: str) -> str:
    return fine(machine.run("adopt", address, "desired", "--yes"))


LOOP = "trap 'exit 0' TERM; while :; do sleep 0.1; done"


class Docker:
    """Containers of a person, under a name that nobody else has."""

    def __init__(self, machine: Machine, address: Path) -> None:
        self.machine = machine
        self.name = f"rec-{uuid.uuid4().hex[:8]}"
        self.socket = address
        machine.environ |= {"DOCKER_HOST": f"unix://{address}"}

    def ask(self, method: str, target: str, body: object = None) -> Any:
        from reconciler.host.local import LocalHost

        data = b"" if body is None else json.dumps(body).encode()
        done = LocalHost().request(self.socket, method, target, body=data, timeout=60)
        assert done.status < 400, done.body
        return json.loads(done.body) if done.body.startswith((b"{", b"[")) else None

    def run(self, **host: object) -> str:
        self.ask("POST", "/networks/create", {"Name": self.name})
        made = {
            "Image": "localhost/reconciler-test:1",
            "Cmd": ["sh", "-c", LOOP],
            "Entrypoint": ["/bin/busybox"],
            "User": "65534:65534",
            "Env": ["MODE=prod"],
            "Labels": {"test": "yes", "team": "atlas"},
            "HostConfig": {"NetworkMode": self.name, **host},
        }
        id_: str = self.ask("POST", f"/containers/create?name={self.name}", made)["Id"]
        self.ask("POST", f"/containers/{id_}/start")
        return id_

    def inspect(self) -> Any:
        return self.ask("GET", f"/containers/{self.name}/json")

    def names(self) -> list[str]:
        rows = self.ask("GET", "/containers/json?all=1")
        return sorted(row["Names"][0][1:] for row in rows if self.name in row["Names"][0])

    def clear(self) -> None:
        for row in self.ask("GET", "/containers/json?all=1"):
            if self.name in row["Names"][0]:
                self.ask("DELETE", f"/containers/{row['Id']}?force=1")
        self.ask("DELETE", f"/networks/{self.name}")


@pytest.fixture
def docker(tmp_path: Path, socket: Path) -> Iterator[Docker]:  # noqa: F811
    machine = Machine("", tmp_path)
    machine.tree.mkdir()
    made = Docker(machine, socket)
    yield made
    made.clear()


def only(docker: Docker) -> None:
    """Keep the one manifest that is this test's: the engine is everybody's."""
    for path in docker.machine.tree.glob("*.yaml"):
        if path.stem != docker.name:
            path.unlink()


@pytest.mark.engines
def test_container(docker: Docker) -> None:
    machine, address = docker.machine, f"Service/{docker.name}"
    id_ = docker.run(Memory=2**26)
    fine(machine.run("import", "container", "--out", "desired"))
    only(docker)
    assert "a memory limit cannot be carried over" in (machine.tree / f"{docker.name}.yaml").read_text()
    refused = machine.run("plan", "desired", "--detailed-exitcode")
    assert refused.returncode == 5, refused.stdout
    assert f"a container of somebody else is called {docker.name}" in refused.stdout
    assert docker.inspect()["Id"] == id_
    said = fine(machine.run("adopt", address, "desired", "--yes"))
    assert "no engine can put a mark on a container that is there" in " ".join(said.split())
    assert 'lost: ["a memory limit cannot be carried over"]' in said
    assert "it runs as before" not in said
    plan_is_empty(machine, address)
    assert docker.inspect()["Id"] != id_
    fine(machine.run("rollback", "--yes"))
    assert (docker.inspect()["Id"], docker.inspect()["State"]["Running"]) == (id_, True)
    fine_adopt(machine, address)
    ours = docker.inspect()
    assert ours["Config"]["Labels"] | {"team": "atlas", "test": "yes"} == ours["Config"]["Labels"]
    assert (ours["Config"]["Entrypoint"], ours["Config"]["User"]) == (["/bin/busybox"], "65534:65534")
    said = fine(machine.run("release", address, "--yes"))
    assert f"{address} is down while the container that you had before takes its place again" in " ".join(
        said.split()
    )
    released = docker.inspect()
    assert (released["Id"], released["State"]["Running"]) == (id_, True)  # with all that no manifest says
    assert released["HostConfig"]["Memory"] == 2**26
    assert docker.names() == [docker.name]
    said = fine(machine.run("rollback", "0", "--yes"))
    assert f"{address}: already as it was before" in said


@pytest.mark.engines
def test_a_container_that_removes_itself_is_not_taken_over(docker: Docker) -> None:
    id_ = docker.run(AutoRemove=True)
    done = docker.machine.run("import", "container", "--out", "desired")
    assert f"container {docker.name}: it was started with --rm" in done.stderr
    manifest = {"image": "localhost/reconciler-test:1", "supervisor": "container"}
    document = {"apiVersion": "reconciler/v1", "kind": "Service", "metadata": {"name": docker.name}, "spec": manifest}
    for path in docker.machine.tree.glob("*.yaml"):
        path.unlink()
    (docker.machine.tree / "mine.yaml").write_text(json.dumps(document))
    refused = docker.machine.run("adopt", f"Service/{docker.name}", "desired", "--yes")
    assert refused.returncode == 5, refused.stdout + refused.stderr
    assert "was started with --rm" in refused.stdout
    assert docker.inspect()["Id"] == id_


@pytest.mark.engines
def test_a_compose_file_becomes_containers_that_run(docker: Docker) -> None:
    machine = docker.machine
    docker.ask("POST", "/networks/create", {"Name": docker.name})
    (machine.folder / "compose.yaml").write_text(f"""\
networks: {{default: {{name: {docker.name}}}}}
x-all: &all {{image: "localhost/reconciler-test:${{TAG:-2}}", command: ["sh", "-c", "{LOOP}"], restart: always}}
services:
  db: {{<<: *all, container_name: {docker.name}-db}}
  web:
    <<: *all
    container_name: {docker.name}-web
    depends_on: {{db: {{condition: service_healthy}}}}
    environment: {{DB: "${{DB_HOST}}"}}
    env_file: web.env
    privileged: true
""")
    (machine.folder / "web.env").write_text("LEVEL='all of it'\n")
    machine.environ |= {"DB_HOST": f"{docker.name}-db", "TAG": "1"}
    said = fine(machine.run("import", "compose.yaml", "--out", "desired"))
    assert "docker compose -f compose.yaml down" in said
    text = (machine.tree / f"{docker.name}-web.yaml").read_text()
    assert "privileged cannot be carried over (compose.yaml:11)" in text
    targets = [f"Service/{docker.name}-{part}" for part in ("db", "web")]
    fine(machine.apply(*(f"--target={target}" for target in targets)))  # the engine is everybody's
    plan_is_empty(machine, *targets)
    about = docker.ask("GET", f"/containers/{docker.name}-web/json")
    assert {"LEVEL=all of it", f"DB={docker.name}-db"} <= set(about["Config"]["Env"])
    assert docker.name in about["NetworkSettings"]["Networks"]
    assert os.geteuid() == 0
