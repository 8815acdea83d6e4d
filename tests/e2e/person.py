"""A throw-away account that runs the command line itself, as an ordinary user with its own crontab and state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.machine import Machine

ROOT = Path(__file__).parents[2]
LIBRARIES = [path for path in sys.path if path.endswith("site-packages")]


class Person(Machine):
    """The account itself, in its home folder, where its tree and state are, too."""

    python = sys.executable

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("LANG", "TZ") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home),
            "LOGNAME": self.user,
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join([str(ROOT), *LIBRARIES]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RECONCILER_STATE_DIR": str(self.state),
            "RECONCILER_CACHE_DIR": str(self.folder / "cache"),
            **self.environ,
        }

    def run(self, *arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-m", "reconciler", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            user=self.user,
            group=self.user,
            extra_groups=[],
        )

    def can_run(self, python: str) -> bool:
        """Whether the account may use that interpreter with our libraries, which may be those of another one."""
        try:
            self.python = python
            return self.run("schema").returncode == 0
        except PermissionError:
            return False

    def status(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.run("self", "status", "-o", "json").stdout)
        return found

    def automation(self, name: str, schedule: str, command: str | list[str], **spec: object) -> None:
        super().automation(name, schedule, command, **{"user": self.user, "scheduler": "crontab", **spec})
