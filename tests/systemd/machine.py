"""A real manager as the conformance suite wants a host: this machine, with faults, and its unit folder as bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from reconciler.model.state import HostFacts
from tests import real_host


class RealHost(real_host.RealHost):
    def facts(self) -> HostFacts:
        """Not root: its default would be the manager of the machine, which a bare machine does not have."""
        return self._call("facts", "", lambda: replace(self.local.facts(), user="tester"))


def folder() -> Path:
    return Path(os.environ["HOME"], ".config/systemd/user")


def systemctl(*arguments: str) -> str:
    return subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True, check=False).stdout


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
