"""One private user manager per worker; every test starts with no unit of ours and none of the tests' own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.machine import RealHost, clear

ROOT = Path(__file__).parents[2]


def unavailable(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"a real systemd is missing, and this is CI: {why}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def analyzer() -> None:
    """`systemd-analyze`, which needs neither root nor a manager to judge a calendar."""
    if shutil.which("systemd-analyze") is None:
        unavailable("needs the program systemd-analyze")


@pytest.fixture(scope="session")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which `systemctl --user` reaches a real manager."""
    if os.geteuid() != 0 or shutil.which("systemctl") is None:
        unavailable("needs root and systemd, to start a private user manager")
    folder = tmp_path_factory.mktemp("systemd")
    done = subprocess.run(
        [ROOT / "script" / "start-systemd-user", folder], capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        unavailable(done.stderr)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    yield found
    os.kill(int(found["MANAGER"]), signal.SIGTERM)


@pytest.fixture
def real(manager: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[RealHost]:
    monkeypatch.setenv("HOME", manager["HOME"])
    monkeypatch.setenv("XDG_RUNTIME_DIR", manager["XDG_RUNTIME_DIR"])
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    clear()
    yield RealHost()
    clear()
