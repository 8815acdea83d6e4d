"""Records of runs: run files collected into the database, and commands that read a large one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measure import Rounds, Row, Say
from benchmarks.place import HERE, Place

AIMS = {("runs", "reconcile"): 0.15, ("stats of one", "reconcile"): 0.3}
_OF_EACH = 1_000  # runs of one automation, one a minute


def measure(place: Place, files: int, records: int, runs: int, say: Say) -> Iterator[Row]:
    """Collecting is set against reading the same files; reading against a bare start of Python."""
    say(f"records: collect {files} run files")
    rounds = Rounds()
    case = f"collect {files:,}"
    for number in range(runs + 1):
        spool = _fill(place, files)
        floor = place.run([sys.executable, "-I", HERE / "floor_read.py", spool])
        ours = place.reconcile("runs", "--collect")
        if number:
            rounds.take(case, "floor", floor)
            rounds.take(case, "reconcile", ours)
    yield from rounds.rows("records", "floor")
    say(f"records: read {records} of them")
    _fill(place, records)
    place.reconcile("runs", "--collect")
    rounds = Rounds()
    commands = {
        "runs": ("runs",),
        "runs --failed": ("runs", "--failed"),
        "stats of one": ("stats", "a0"),
        "status": ("status",),
    }
    for number in range(runs + 1):
        for name, words in commands.items():
            bare, ours = place.run([sys.executable, "-c", "pass"]), place.reconcile(*words)
            if number:
                rounds.take(name, "bare Python", bare)
                rounds.take(name, "reconcile", ours)
    place.fresh("state")
    yield from rounds.rows(f"records {records:,}", "bare Python", AIMS)


def _fill(place: Place, count: int) -> Path:
    """A fresh state folder with run files as the runner leaves them."""
    state = place.fresh("state")
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    for number in range(count):
        name, at = f"a{number // _OF_EACH}", start - timedelta(minutes=number % _OF_EACH)
        path = state / "runs/spool" / name / f"{at:%Y%m%dT%H%M%SZ}.run"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_run(name, path.stem, at, failed=number % 50 == 0))
    place.give(state)
    return state / "runs/spool"


def _run(name: str, id_: str, at: datetime, *, failed: bool) -> str:
    begin = {
        "v": 1, "id": id_, "automation": name, "scheduled": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "started": f"{at:%Y-%m-%dT%H:%M:%S}.012345Z", "trigger": "schedule", "host": "bench", "revision": "0badcafe",
        "runner": {"pid": 1, "created": "1", "boot": ""}, "job": "", "command": ["/bin/true"],
    }  # fmt: skip
    end = {
        "ended": f"{at:%Y-%m-%dT%H:%M:%S}.512345Z", "exit": int(failed), "signal": None, "attempts": 1, "cpu": 0.01,
        "peak": 10_485_760, "verdict": "failed" if failed else "succeeded",
        "reason": "exit code 1" if failed else "", "tail": "a line of output\n" * 5, "outputBytes": 85, "log": "",
    }  # fmt: skip
    return f"{json.dumps(begin)}\n{json.dumps(end)}\n"
