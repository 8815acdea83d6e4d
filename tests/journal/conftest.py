"""A clock that stands still, a state folder that does not exist yet, and a real disk of a few kilobytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from tests.journal.story import NOON


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def journal(folder: Path, clock: FakeClock) -> Iterator[Journal]:
    with Journal.open(folder, clock=clock) as opened:
        yield opened


@dataclass(frozen=True)
class Disk:
    """A mounted file system in memory."""

    path: Path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)

    def fill(self, leave: int) -> Path:
        """Take all space but `leave` bytes; delete the returned file to give it back."""
        ballast = self.path / "ballast"
        free = shutil.disk_usage(self.path).free - leave
        ballast.write_bytes(bytes(max(free, 0)))
        return ballast


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(path)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", str(path)], check=True)
