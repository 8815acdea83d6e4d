"""A throw-away account with a real crontab, and the command line run as a user runs it.

Everything here is real: the program in its own process, Debian's crontab and cron, git.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

DAEMON_WAIT = 5.0  # seconds for cron to come up


def why_no_cron() -> str | None:
    """Why this machine cannot run tests with a real cron, or None where it can."""
    if os.geteuid() != 0:
        return "needs root, to make a throw-away account"
    for program in ("crontab", "cron", "useradd"):
        if shutil.which(program) is None and not Path("/usr/sbin", program).exists():
            return f"needs the program {program}"
    if not daemon_running():
        return "needs a running cron daemon"
    return None


def daemon_running() -> bool:
    return subprocess.run(["pgrep", "-x", "cron"], capture_output=True).returncode == 0


@dataclass
class Machine:
    """One account and one working folder. `run` is `reconcile …` as a new process."""

    user: str
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def tree(self) -> Path:
        return self.folder / "desired"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def home(self) -> Path:
        return Path(pwd.getpwnam(self.user).pw_dir)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RECONCILER_STATE_DIR": str(self.state),
            "RECONCILER_CACHE_DIR": str(self.folder / "cache"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **self.environ,
        }

    def argv(self, *arguments: object) -> list[str]:
        return [str(Path(sys.executable).parent / "reconcile"), *map(str, arguments)]

    def run(self, *arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def apply(self, *more: object) -> subprocess.CompletedProcess[str]:
        return self.run("apply", "desired", "--yes", *more)

    def automation(self, name: str, schedule: str, command: str | list[str], **spec: object) -> None:
        """Write a manifest for this account."""
        import json

        document = {
            "apiVersion": "reconciler/v1",
            "kind": "Automation",
            "metadata": {"name": name},
            "spec": {"schedule": schedule, "command": command, "user": self.user, **spec},
        }
        self.tree.mkdir(exist_ok=True)
        partial = self.folder / f".{name}.partial"
        partial.write_text(json.dumps(document))  # JSON is YAML
        partial.replace(self.tree / f"{name}.yaml")

    def table(self) -> bytes | None:
        """The installed crontab; None where there is none."""
        done = subprocess.run(["crontab", "-u", self.user, "-l"], capture_output=True)
        if done.returncode and b"no crontab for" in done.stderr:
            return None
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self, content: bytes) -> None:
        subprocess.run(["crontab", "-u", self.user, "-"], input=content, check=True)

    def clear(self) -> None:
        subprocess.run(["crontab", "-u", self.user, "-r"], capture_output=True)


def wait_until(condition: object, seconds: float, what: str) -> None:
    """Wait for a condition of the real world; fails with `what` when its time is over."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def add_user(name: str) -> None:
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True, capture_output=True)


def remove_user(name: str) -> None:
    subprocess.run(["crontab", "-u", name, "-r"], capture_output=True)
    subprocess.run(["userdel", "--remove", "--force", name], capture_output=True)
