"""The embedded supervisor: what it takes while it has nothing to do, and how late runs start that are due at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import reconciler
from benchmarks.measure import MEBI, Row, Sample, Say
from benchmarks.place import Failed, Place
from reconciler.runner.launcher import launcher

SERVICES, AUTOMATIONS = 10, 100
RESIDENT, IDLE = 25 * MEBI, 0.002  # what the project allows itself: bytes, and share of one processor
PACKAGE = Path(reconciler.__file__).parent


def measure(place: Place, seconds: float, herd: int, say: Say) -> Iterator[Row]:
    """Idle with ten services and a hundred automations; then many automations with one slot."""
    say(f"supervisor: idle for {seconds:g} s")
    yield _idle(place.fresh("idle"), seconds)
    say(f"supervisor: {herd} due at once")
    yield from _herd(place.fresh("herd"), herd)


def _idle(folder: Path, seconds: float) -> Row:
    entries: dict[str, Mapping[str, Any]] = {
        **{f"Service/s{number}": {"command": ["sleep", "86400"]} for number in range(SERVICES)},
        **{f"Automation/a{number}": _job(folder, f"a{number}", "0 0 1 1 *") for number in range(AUTOMATIONS)},
    }
    pid = _start(folder, entries)
    try:
        time.sleep(2)
        before = _ticks(pid)
        time.sleep(seconds)
        used = (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / seconds
        resident = _resident(pid)
    finally:
        _control(folder, "stop")
    sample = Sample([used * seconds], resident)
    note = f"{used:.3%} of one processor, {resident / MEBI:.1f} MiB resident"
    case = f"{SERVICES} services and {AUTOMATIONS} automations, processor time in {seconds:g} s"
    if resident > RESIDENT:
        note += f" (more than {RESIDENT / MEBI:g} MiB)"
    return Row("supervisor", case, "embedded", sample, None, IDLE * seconds, note)


def _herd(folder: Path, count: int) -> Iterator[Row]:
    """Their only slot lies a few seconds ahead; each must have one whole record."""
    moment = time.time() + 5 + count / 500
    every = int(moment) // 2  # its second multiple is the moment, and the third is decades away
    entries = {f"Automation/h{number}": _job(folder, f"h{number}", {"every": every}) for number in range(count)}
    slot = every * 2
    _start(folder, entries)
    spool = folder / "runs" / "spool"
    try:
        deadline = time.monotonic() + 60 + count / 5
        ended: list[Mapping[str, Any]] = []
        while len(ended) < count and time.monotonic() < deadline:
            time.sleep(0.5)
            ended = [record for record in map(_record, spool.glob("*/*.run")) if "verdict" in record]
    finally:
        _control(folder, "stop")
    wrong = [record for record in ended if record["verdict"] != "succeeded"]
    if len(ended) != count or wrong:
        raise Failed(f"{len(ended)} of {count} runs have an end, {len(wrong)} of them did not succeed")
    late = sorted(_instant(record["started"]) - slot for record in ended)
    for share in (50, 99):
        value = late[min(count - 1, count * share // 100)]
        yield Row(
            "supervisor", f"{count} due at once, lateness p{share}", "embedded", Sample([value]), note="none lost"
        )


def _job(folder: Path, name: str, schedule: object) -> dict[str, Any]:
    call = [str(folder / "reconcile"), "exec", name, "--state", str(folder), "--", "/bin/true"]
    return {"command": call, "schedule": schedule}


def _start(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> int:
    launch = folder / "reconcile"
    launch.write_text(launcher(sys.executable, str(PACKAGE), "/bin/false"))
    launch.chmod(0o755)
    home = folder / "supervisor"
    home.mkdir(mode=0o700)
    found = {"v": 1, "entries": [{"id": id_, "state": state} for id_, state in entries.items()]}
    (home / "definitions.json").write_text(json.dumps(found))
    _control(folder, "start")
    return int((home / "lock").read_text().split()[0])


def _control(folder: Path, command: str) -> None:
    argv = [sys.executable, "-m", "reconciler.supervisor", command, "--state", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        argv, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise Failed(f"the supervisor did not {command}: {done.stdout}{done.stderr}")


def _ticks(pid: int) -> int:
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def _record(path: Path) -> dict[str, Any]:
    return {key: value for line in path.read_text().splitlines() for key, value in json.loads(line).items()}


def _instant(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
