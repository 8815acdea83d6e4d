"""A state folder with a supervisor of its own, as tests drive it: real processes, a real socket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reconciler.host.unix_http import request
from reconciler.model.errors import HostError
from reconciler.runner import tree

ROOT = Path(__file__).parents[2]


class Site:
    """One state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.folder = state / "supervisor"
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def define(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        found = {"v": 1, "entries": [{"id": id_, "state": state} for id_, state in entries.items()]}
        self.write(json.dumps(found))

    def write(self, text: str) -> None:
        partial = self.folder / "definitions.partial"
        partial.write_text(text)
        partial.rename(self.folder / "definitions.json")

    def popen(self, command: str, *options: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "reconciler.supervisor", command, "--state", str(self.state), *options]
        return subprocess.Popen(
            argv,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self) -> int:
        process = self.popen("start")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        return self.pid

    @property
    def pid(self) -> int:
        """Of the process that holds the lock; 0 in the moment before it has written who it is."""
        return int(((self.folder / "lock").read_text().split() or ["0"])[0])

    def ask(self, method: str, target: str) -> dict[str, Any]:
        answer = request(self.folder / "socket", method, target, headers={}, body=b"", timeout=60, limit=1 << 24)
        assert answer.status == 200, answer
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def status(self) -> dict[str, Any]:
        return self.ask("GET", "/status")

    def service(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.status()["services"].get(f"Service/{name}", {"state": "gone"})
        return found

    def reaches(self, name: str, state: str) -> dict[str, Any]:
        until(lambda: self.service(name)["state"] == state, lambda: f"{name}: {self.service(name)}")
        return self.service(name)

    def kill(self) -> None:
        """SIGKILL, and gone."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists() or not tree.same(pid, tree.created(pid)))

    def log(self, name: str) -> str:
        parts = sorted((self.folder / "logs").glob(f"{name}.log*"), key=lambda path: path.name, reverse=True)
        return "".join(path.read_text() for path in parts)

    def diary(self) -> str:
        return (self.folder / "supervisor.log").read_text()

    def members(self) -> list[int]:
        """Everybody whom this supervisor's services started, and runs of its automations."""
        word = str(self.state).encode()
        found = []
        for process in tree.everybody():
            try:
                told = (
                    Path(f"/proc/{process.pid}/environ").read_bytes()
                    + Path(f"/proc/{process.pid}/cmdline").read_bytes()
                )
            except OSError:
                continue
            if word in told and process.pid != os.getpid() and not process.dead:
                found.append(process.pid)
        return found

    def end(self) -> None:
        try:
            self.ask("POST", "/stop")
        except (HostError, AssertionError):
            self.define({})
            self.start()
        until(lambda: not (self.folder / "socket").exists())


def until(true: Callable[[], bool], what: Callable[[], str] = lambda: "", seconds: float = 30.0) -> None:
    """Wait for it; a failure says what stood instead."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)


@contextmanager
def site() -> Iterator[Site]:
    """In a short path, because the paths of sockets are. Leaves nothing running behind."""
    folder = Path(tempfile.mkdtemp(prefix="rs-", dir="/tmp"))
    here = Site(folder)
    try:
        yield here
    finally:
        if here.folder.exists():
            here.end()
        for pid in here.members():  # runs that go on
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for each in (folder, folder.with_name(f"{folder.name}-bin")):
            shutil.rmtree(each, ignore_errors=True)
