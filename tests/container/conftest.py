"""Real engines, started once by script/start-engines; they are shared by all test processes and left running."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from reconciler.host.local import LocalHost
from reconciler.providers.container.api import Engine
from reconciler.providers.container.rows import row_of

ROOT = Path(__file__).parents[2]
LOCK = Path(os.environ.get("RECONCILER_ENGINES", "/var/tmp/reconciler-engines") + ".lock")  # as start-engines
OURS = ("rt-", "conf-", "hostile", "theirs")
NETWORKS = ("reconciler-test-net", "reconciler-test-net2", "conf-back", "conf-front", "conf-middle", "conf-theirs")


@cache
def sockets() -> dict[str, Path] | str:
    """Socket by engine, or why there are none."""
    if os.geteuid() != 0:
        return "starting container engines needs root"
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [str(ROOT / "script" / "start-engines")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        return f"script/start-engines failed: {done.stderr.strip()[-300:]}"
    return {name: Path(path) for name, path in (line.split() for line in done.stdout.splitlines())}


def unavailable_or(name: str) -> Path:
    """The socket of an engine; without one the test is skipped, or fails in CI."""
    found = sockets()
    if isinstance(found, dict) and name in found:
        return found[name]
    why = found if isinstance(found, str) else f"{name} does not run"
    if os.environ.get("CI"):
        pytest.fail(f"a real container engine is missing, and this is CI: {why}")
    pytest.skip(why)


@contextmanager
def alone(socket: Path) -> Iterator[None]:
    """No other test process uses this engine: ownership is by mark, and marks do not say whose test made them."""
    with LOCK.with_suffix(f".{socket.stem}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def real(name: str) -> Iterator[Engine]:
    """An engine that holds nothing of an earlier test, for one test at a time: a change tidies up after others."""
    socket = unavailable_or(name)
    with alone(socket):
        engine = Engine(LocalHost(), socket)
        clear(engine)
        yield engine
        clear(engine)


@pytest.fixture(params=["docker", "podman"])
def socket(request: pytest.FixtureRequest) -> Path:
    return unavailable_or(request.param)


@pytest.fixture
def engine(socket: Path) -> Iterator[Engine]:
    with real(socket.stem) as found:
        yield found


def clear(engine: Engine) -> None:
    for row in map(row_of, engine.containers()):
        if row.name.startswith(OURS):
            engine.remove(row.id)
    for name in NETWORKS:
        engine.remove_network(name)
