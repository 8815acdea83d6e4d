"""Runs without an end, and jobs that live on without their runner, which somebody killed. Writes nothing.

The supervisor asks, for the runs that it started; everybody else's are met by the next run, in `lock`.
"""

from __future__ import annotations

import os

from reconciler.runner import tree
from reconciler.runner.text import loads, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 65536  # bytes of a run file in which its last line begins


class Unfinished:
    """One run: its runner, its job, and the mark that all processes of the job carry."""

    __slots__ = ("born", "digest", "mark", "name", "pid", "run", "runner")

    def __init__(self, name: str, run: str, lines: list[dict[str, Any]]) -> None:
        self.name, self.run = name, run
        about, self.digest = lines[0]["runner"], str(lines[0].get("job", ""))
        self.runner = int(about["pid"]) if tree.same(about["pid"], about["created"]) else 0  # 0: it is no more
        self.mark = f"{about['pid']}.{about['created']}"
        attempts = [line for line in lines if "attempt" in line]  # none: the disk was full, and the mark must do
        self.pid, self.born = (int(attempts[-1]["pid"]), str(attempts[-1]["created"])) if attempts else (0, "")

    def family(self) -> tree.Family:
        """Everybody who is left of the job."""
        return tree.snapshot(self.pid, self.mark, {self.pid: self.born} if self.pid else {})


def unfinished(state: str, name: str) -> list[Unfinished]:
    """The runs of one automation that began in this boot and have no end on record."""
    folder = f"{state}/runs/spool/{name}"
    try:
        files = [file for file in os.listdir(folder) if file.endswith(".run")]
    except OSError:
        return []
    found = [_read(f"{folder}/{file}", name, file.removesuffix(".run")) for file in files]
    return [run for run in found if run is not None]


def _read(path: str, name: str, run: str) -> Unfinished | None:
    """None where the run has ended, or the file does not say."""
    try:
        with open(path, "rb") as file:
            lines = [loads(readable(line)) for line in file.read(_MOST).split(b"\n")[:-1]]
        over = "verdict" in lines[-1] or lines[0]["runner"]["boot"] != tree.boot()
        return None if over else Unfinished(name, run, lines)
    except (OSError, ValueError, LookupError, TypeError):
        return None
