"""A home folder with an example in it, on Python alone: the real command line, supervisor, runner and processes.

No other backend is found on its PATH, so `auto` takes the embedded one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.supervisor.place import ROOT, Site, until

SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # where the supervisor's programs look


T = TypeVar("T", bound="Home")


class Home:
    """`reconcile` as its owner types it, in the folder of the example."""

    def __init__(self, here: Site, folder: Path, example: Path) -> None:
        self.here, self.folder, self.example = here, folder, example
        (folder / "bin").mkdir()
        for program in ("python3", "sh", "id", "ls", "mkdir", "printenv", "cat"):
            (folder / "bin" / program).symlink_to(shutil.which(program, path=SYSTEM) or program)
        self.environment = {
            "HOME": str(folder),
            "PATH": str(folder / "bin"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RECONCILER_STATE_DIR": str(here.state),
            "RECONCILER_CACHE_DIR": str(here.state / "cache"),
        }

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.example / "desired" / f"{name}.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def tool(self, name: str, text: str) -> None:
        (self.example / "tools" / name).write_text(text)

    def reconcile(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "reconciler", *words]
        return subprocess.run(
            argv, env=self.environment, cwd=self.example, capture_output=True, text=True, timeout=120, check=False
        )

    def good(self, *words: str) -> str:
        done = self.reconcile(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def runs(self, name: str) -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = json.loads(self.good("runs", name, "-o", "json"))["runs"]
        return found


@contextmanager
def lent(make: Callable[[Site, Path], T]) -> Iterator[T]:
    """One that leaves nothing running behind."""
    if shutil.which("python3", path=SYSTEM) is None:
        if os.environ.get("CI"):
            pytest.fail("needs python3 where schedulers look for it")
        pytest.skip("needs python3 where schedulers look for it")
    folder = Path(tempfile.mkdtemp(prefix="ra-", dir="/tmp"))  # paths of sockets are short
    here = Site(folder / "state")
    here.state.mkdir()
    try:
        yield make(here, folder)
    finally:
        if here.folder.exists():
            here.end()
            until(lambda: here.members() == [], lambda: str(here.members()))
        shutil.rmtree(folder)
