"""A machine with cron, a user manager of systemd and, where one is given, a container engine: all of them real.

Holds the manifests of a mixed rollout, and the looks that tell whether anything was lost, changed or left behind.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from reconciler.providers.container.api import Engine
from reconciler.providers.container.rows import NEW, OLD, Row, row_of
from tests.e2e.machine import Machine
from tests.e2e.test_real_cron import HOSTILE, foreign

IMAGE = "localhost/reconciler-test:1"
THEIRS = "mix-theirs"
THEIR_UNIT = "my-own.service"
FALSE = {"within": "100ms", "probes": [{"exec": ["/bin/false"]}]}
OURS = re.compile("(^|/)reconciler-")  # a unit or a link to one, and no temporary file
HTTPD = "trap 'exit 0' TERM; httpd -f -p 80 -h /srv & wait"


@dataclass
class Rack:
    """One machine of that kind. `engine` is None where the web service is a unit instead of a container."""

    machine: Machine
    engine: Engine | None
    port: int

    # What is wanted

    def write(self, kind: str, name: str, **spec: object) -> None:
        document = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        (self.machine.tree / f"{kind.lower()}-{name}.yaml").write_text(json.dumps(document))

    def tree(self, side: int, *, good: bool = True) -> None:
        """One of two revisions that have every backend change: create, update and delete either way."""
        for path in self.machine.tree.iterdir():
            path.unlink()
        last = {} if good else {"verify": FALSE}
        user = {"user": self.machine.user, "scheduler": "crontab"}
        systemd = {"scope": "user", "scheduler": "systemd", "command": ["/bin/true"]}
        self.write("Automation", "sweep", schedule=f"*/{side}0 * * * *", **systemd)
        claim = {} if side == 1 else {"address": "127.0.0.1"}
        self.write("Port", "mix-http", port=self.port, owner="Service/mix-web", **claim)
        needs = ["Automation/sweep", "Port/mix-http"]
        self.write(
            "Automation", "report", schedule=f"0 {side} * * *", command="echo report", dependsOn=needs, **user, **last
        )
        unit = {"supervisor": "systemd", "scope": "user"}
        if side == 1:
            self.write("Automation", "old", schedule="@daily", command=["/bin/true"], **user)
        else:
            self.write("Service", "worker", command=["/bin/sleep", "1000"], **unit)
        health = [{"http": {"url": f"http://127.0.0.1:{self.port}/version"}}]
        environment = {"SIDE": str(side)}
        if self.engine is None:
            serve = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(self.port)]
            served = {"command": serve, "workingDirectory": str(self.machine.folder / "served"), **unit}
            self.write("Service", "mix-web", environment=environment, health=health, **served)
            return
        made = {"image": IMAGE, "pull": "never", "stop": {"grace": "3s"}}
        ports = [{"host": self.port, "target": 80}]
        self.write("Service", "mix-web", command=HTTPD, ports=ports, environment=environment, health=health, **made)
        if side == 1:
            loop = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
            self.write("Service", "mix-cache", command=loop, **made)

    # What is there

    def systemctl(self, *arguments: str) -> str:
        command = ["systemctl", "--user", *arguments]
        environment = self.machine.environment()
        return subprocess.run(command, env=environment, capture_output=True, text=True).stdout.strip()

    @property
    def folder(self) -> Path:
        return Path(self.machine.environ["HOME"], ".config/systemd/user")

    def lying(self) -> dict[str, bytes]:
        """Everything in the unit folder: files and links."""
        found = sorted(path for path in self.folder.rglob("*") if path.is_symlink() or path.is_file())
        return {
            str(p.relative_to(self.folder)): str(p.readlink()).encode() if p.is_symlink() else p.read_bytes()
            for p in found
        }

    def rows(self) -> list[Row]:
        found = [] if self.engine is None else map(row_of, self.engine.containers())
        return [row for row in found if row.name.startswith("mix-")]

    def theirs(self) -> dict[str, object]:
        """All that is not ours, as exactly as it can be told."""
        found: dict[str, object] = {
            "crontab": foreign(self.machine.table() or b""),
            "units": {name: content for name, content in self.lying().items() if "reconciler-" not in name},
            "unit runs as": self.systemctl("show", "--property=MainPID,ActiveState", THEIR_UNIT),
        }
        if self.engine is not None:
            about = self.engine.container(THEIRS) or {}
            found |= {name: about.get(name) for name in ("Id", "Name", "Config", "State", "RestartCount")}
        return found

    def stands(self) -> dict[str, object]:
        """All that is ours, where it can be told byte for byte; a container by what it was made from."""
        rows = json.loads(self.systemctl("list-units", "--all", "--output=json", "reconciler-*") or "[]")
        lasting = [
            row for row in rows if not (row["unit"].startswith("reconciler-automation") and ".s" in row["unit"])
        ]
        return {
            "crontab": sorted((self.machine.table() or b"").splitlines()),  # in which order depends on the way here
            "units": {name: content for name, content in self.lying().items() if OURS.search(name)},
            "up": sorted((row["unit"], row["active"]) for row in lasting),
            "containers": sorted((r.name, r.status, r.digest) for r in self.rows() if r.stands and r.name != THEIRS),
        }

    def orphans(self) -> list[str]:
        """What nobody will ever need: half-made containers, running or surplus predecessors, temporary files."""
        kept = [row for row in self.rows() if OLD in row.name]
        names = [row.name for row in self.rows() if NEW in row.name]
        names += [row.name for row in kept if row.runs]
        for owner in {row.owner for row in kept}:
            names += [row.name for row in kept if row.owner == owner][1:]
        folders = (self.folder, self.machine.folder, self.machine.state)
        return names + [str(path) for folder in folders for path in folder.rglob("*.tmp")]

    # From the beginning

    def clear(self) -> None:
        """Nothing but what is theirs: no crontab lines, units, containers or journal of ours."""
        self.machine.install(HOSTILE)
        for row in self.rows():
            if self.engine is not None and row.name != THEIRS:
                self.engine.remove(row.id)
        if ours := [name for name in self.lying() if "reconciler-" in name]:
            self.systemctl("stop", "reconciler-*")
            for name in ours:
                (self.folder / name).unlink()
            self.systemctl("daemon-reload")
            self.systemctl("reset-failed")
        shutil.rmtree(self.machine.state, ignore_errors=True)

    def set_up_theirs(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / THEIR_UNIT).write_text("[Service]\nExecStart=/bin/sleep 100000\n# mine\n")
        (self.folder / "my-own.timer").write_text("[Timer]\nOnCalendar=Mon *-*-1 04:00\n")
        self.systemctl("daemon-reload")
        self.systemctl("start", THEIR_UNIT)
        served = self.machine.folder / "served"
        served.mkdir()
        (served / "version").write_text("1\n")
        if self.engine is not None:
            for row in self.rows():  # where an earlier run was stopped
                self.engine.remove(row.id)
            body = {"Image": IMAGE, "Cmd": ["sh", "-c", "while :; do sleep 1; done"], "Labels": {"test": "yes"}}
            self.engine.start(self.engine.create(THEIRS, body))

    def remove_theirs(self) -> None:
        self.systemctl("stop", THEIR_UNIT)
        shutil.rmtree(self.folder)
        self.systemctl("daemon-reload")
        if self.engine is not None:
            self.engine.remove(THEIRS)
