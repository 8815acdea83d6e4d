"""Run files written by hand, as the runner writes them, and a judge of who lives."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ALIVE, DEAD = 1, 2  # pids of runners, for `alive`


def alive(runner: tuple[int, str, str]) -> str | None:
    return None if runner[0] == ALIVE else "its runner died"


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def lines(name: str, at: datetime, *, id_: str = "", took: float | None = 1.0, pid: int = ALIVE, **end: Any) -> bytes:
    """The content of a run file. `took=None`: it has not ended."""
    start = {
        "v": 1,
        "id": id_ or f"{at:%Y%m%dT%H%M%SZ}",
        "automation": name,
        "scheduled": f"{at:%Y-%m-%dT%H:%M:00Z}",
        "started": text(at),
        "trigger": end.pop("trigger", "schedule"),
        "host": "h",
        "revision": "tree 12345678",
        "runner": {"pid": pid, "created": "1", "boot": "b"},
        "job": "",
        "command": end.pop("command", ["true"]),
    }
    told: list[dict[str, Any]] = [start, {"attempt": 1, "pid": 9, "created": "1", "started": text(at)}]
    if took is not None:
        known = {"exit": 0, "signal": None, "verdict": "succeeded", "reason": "", "tail": "done\n", "outputBytes": 5}
        told.append({"ended": text(at + timedelta(seconds=took)), "attempts": 1, "log": "", **known, **end})
    return b"".join(json.dumps(line).encode() + b"\n" for line in told)


def spool(state: Path, name: str, at: datetime, *, id_: str = "", **more: Any) -> Path:
    """A run file in the spool, last written at its start."""
    id_ = id_ or f"{at:%Y%m%dT%H%M%SZ}"
    return put(state, name, id_, lines(name, at, id_=id_, **more), at)


def put(state: Path, name: str, id_: str, content: bytes, written: datetime = NOON) -> Path:
    path = state / "runs/spool" / name / f"{id_}.run"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (written.timestamp(), written.timestamp()))
    return path


def log(state: Path, name: str, id_: str, content: bytes, written: datetime, *, part: str = ".log") -> Path:
    path = state / "runs/logs" / name / f"{id_}{part}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (written.timestamp(), written.timestamp()))
    return path


def files(state: Path) -> list[str]:
    """Run files in the spool, relative."""
    root = state / "runs/spool"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
