"""Kill a process right before one of its system calls that write, and count those calls."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.machine import Machine

WRITES = (
    "write,pwrite64,writev,pwritev,pwritev2,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,"
    "fsync,fdatasync,ftruncate,fallocate,mkdir,mkdirat,chmod,fchmod,fchmodat,vfork,clone,clone3,fork,kill"
)
_CALL = re.compile(r"^(?:\d+ +)?([a-z0-9_]+)\(")


@dataclass(frozen=True)
class KillPoint:
    """Right before the `occurrence`-th call (from 1) of `call`."""

    call: str
    occurrence: int

    def __str__(self) -> str:
        return f"{self.call}#{self.occurrence}"


def kill_points(machine: Machine, *arguments: object) -> list[KillPoint]:
    """Every writing system call that a command makes in its own process, in order. Runs the command."""
    log = machine.folder / "calls.log"
    _strace(machine, ["-o", str(log), "-e", f"trace={WRITES}"], arguments)
    seen: Counter[str] = Counter()
    points: list[KillPoint] = []
    for line in log.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match:
            seen[match[1]] += 1
            points.append(KillPoint(match[1], seen[match[1]]))
    return points


def run_killed(machine: Machine, point: KillPoint, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command that SIGKILL ends at `point`."""
    inject = f"inject={point.call}:signal=SIGKILL:when={point.occurrence}"
    return _strace(machine, ["-o", "/dev/null", "-e", f"trace={point.call}", "-e", inject], arguments)


def _strace(
    machine: Machine, options: list[str], arguments: tuple[object, ...]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["strace", *options, *machine.argv(*arguments)],
        cwd=machine.folder,
        env=machine.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )


def why_no_strace(folder: Path) -> str | None:
    """Why system calls cannot be traced here, or None where they can."""
    try:
        done = subprocess.run(["strace", "-o", str(folder / "try.log"), "true"], capture_output=True)
    except OSError:
        return "needs the program strace"
    return None if done.returncode == 0 else "strace may not trace here"
