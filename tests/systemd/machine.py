"""A real manager as the conformance suite wants a host: this machine, with faults, and its unit folder as bytes.

It is the user manager that the environment leads to, or the system manager in the namespaces of process MANAGER.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reconciler.host.local import LocalHost
from reconciler.host.protocol import Completed
from reconciler.model.state import HostFacts
from tests import real_host

MANAGER = "RECONCILER_TEST_SYSTEM_MANAGER"


def inside() -> str | None:
    """The process whose namespaces hold the system manager; None where a user manager is meant."""
    return os.environ.get(MANAGER)


def entering() -> list[str]:
    """What a command starts with, to run where the manager is."""
    process = inside()
    return ["nsenter", "--target", process, "--all", "--"] if process else []


def place(path: Path) -> Path:
    """Where a path of the manager's file system is seen from here."""
    process = inside()
    return Path(f"/proc/{process}/root{path}") if process else path


class NearHost(LocalHost):
    """The machine as the manager sees it."""

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        return super().execute([*entering(), *argv], timeout=timeout, stdin=stdin)

    def read(self, path: Path, *, limit: int = 2**24) -> bytes | None:
        return super().read(place(path), limit=limit)

    def write(
        self, path: Path, content: bytes, *, mode: int = 0o600, owner: str | None = None, group: str | None = None
    ) -> None:
        super().write(place(path), content, mode=mode, owner=owner, group=group)

    def remove(self, path: Path) -> None:
        super().remove(place(path))

    def modified(self, path: Path) -> datetime | None:
        return super().modified(place(path))


class RealHost(real_host.RealHost):
    def __init__(self) -> None:
        super().__init__()
        self.local = NearHost()

    def facts(self) -> HostFacts:
        """Root's default is the system manager: who is to have a user manager must not be root."""
        user = "root" if inside() else "tester"
        return self._call("facts", "", lambda: replace(self.local.facts(), user=user))


def folder() -> Path:
    return place(Path("/etc/systemd/system")) if inside() else Path(os.environ["HOME"], ".config/systemd/user")


def systemctl(*arguments: str) -> str:
    command = [*entering(), "systemctl", "--system" if inside() else "--user", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def clear() -> None:
    """Nothing but what a manager has by itself."""
    rows = json.loads(systemctl("list-units", "--all", "--output=json") or "[]")
    mine = [row["unit"] for row in rows if row["unit"].startswith(("reconciler-", "my-", "backup"))]
    if mine:
        systemctl("stop", *mine)
    systemctl("reset-failed")
    shutil.rmtree(folder(), ignore_errors=True)
    folder().mkdir(parents=True)
    systemctl("daemon-reload")


def lying() -> dict[str, bytes]:
    """Files and links in the unit folder, by path inside it."""
    found: dict[str, bytes] = {}
    for path in sorted(folder().rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder()))] = b"-> " + os.fsencode(path.readlink())
        elif path.is_file():
            found[str(path.relative_to(folder()))] = path.read_bytes()
    return found


def running() -> list[str]:
    """Units of ours and of the tests' that are up."""
    rows = json.loads(systemctl("list-units", "--all", "--output=json"))
    up = [row["unit"] for row in rows if row["active"] in ("active", "activating")]
    # What a timer starts comes and goes by the clock: the timer is what counts.
    lasting = (unit for unit in up if not (unit.startswith("reconciler-automation-") and unit.endswith(".service")))
    return sorted(unit for unit in lasting if unit.startswith(("reconciler-", "my-", "backup")))
