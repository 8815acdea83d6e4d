"""A state folder of one test, and the runner started in it as schedulers start it. Real processes only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import reconciler

MAIN = Path(reconciler.__file__).parent / "runner" / "__main__.py"
PATIENCE = 60.0


class Place:
    """The state folder and the way in."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"

    def argv(
        self, command: Sequence[str], job: object = None, name: str = "demo", options: Sequence[str] = ()
    ) -> list[str]:
        digest = f"@{self.job(job, name)}" if job is not None else ""
        words = [sys.executable, "-IS", str(MAIN), "exec", f"{name}{digest}", "--state", str(self.state)]
        return [*words, *options, "--", *command]

    def job(self, document: object, name: str = "demo") -> str:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        digest = sha256(raw).hexdigest()[:12]
        path = self.state / "jobs" / f"{name}-{digest}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        return digest

    def run(
        self, *command: str, job: object = None, name: str = "demo", options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        return subprocess.run(
            self.argv(command, job, name, options), capture_output=True, text=True, errors="replace",
            env={**os.environ, **(env or {})}, timeout=PATIENCE, cwd=self.folder,
        )  # fmt: skip

    def start(
        self, *command: str, job: object = None, options: Sequence[str] = (), **more: Any
    ) -> subprocess.Popen[bytes]:
        more.setdefault("stdout", subprocess.DEVNULL)
        more.setdefault("stderr", subprocess.DEVNULL)
        return subprocess.Popen(self.argv(command, job, options=options), cwd=self.folder, **more)

    def files(self, name: str = "demo") -> list[Path]:
        return sorted(
            (self.state / "runs" / "spool" / name).glob("*.run"), key=lambda path: (len(path.name), path.name)
        )

    def lines(self, name: str = "demo", number: int = -1) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files(name)[number].read_text().splitlines()]

    def end(self, name: str = "demo") -> dict[str, Any]:
        """The last line of the only run."""
        (path,) = self.files(name)
        return dict(json.loads(path.read_text().splitlines()[-1]))


def until(true: Callable[[], object], what: str = "", seconds: float = 20.0) -> None:
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:g} s: {what or true}")
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether the process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def number_in(path: Path) -> int:
    """The pid that a job writes into a file, once it is there."""
    until(lambda: path.exists() and path.read_text().strip(), f"a pid in {path}")
    return int(path.read_text())
