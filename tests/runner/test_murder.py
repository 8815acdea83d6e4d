"""SIGKILL to the runner at any instant: what was written stays readable, and nobody is left in the dark."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.runner import tree
from tests.runner.place import Place, gone

FULL = bool(os.environ.get("RECONCILER_TEST_FULL"))
ROUNDS, SECONDS = (500, 400.0) if FULL else (40, 25.0)


def test_killed_at_any_instant(place: Place, record_property: Callable[[str, object], None]) -> None:
    chance = random.Random(4)
    ended = orphans = unrecorded = 0
    until = time.monotonic() + SECONDS
    rounds = 0
    while rounds < ROUNDS and time.monotonic() < until:
        rounds += 1
        name = f"slot-{rounds}"
        mark = place.folder / name
        slot = f"2026-11-21T{rounds // 60:02d}:{rounds % 60:02d}:00Z"
        command = ["sh", "-c", f"echo $$ >> {mark}; echo word; sleep 0.15; echo done >> {mark}"]
        process = place.start(*command, options=["--slot", slot])
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.wait()
        path = place.state / "runs/spool/demo" / f"{slot.replace('-', '').replace(':', '')}.run"
        lines = whole_lines(path)
        job = next((line for line in lines if "attempt" in line), None)
        if lines and "verdict" in lines[-1]:
            ended += 1
            assert lines[-1]["verdict"] in ("succeeded", "skipped")
        elif job is not None and tree.same(job["pid"], job["created"]):
            orphans += 1  # still running, and the record says which process it is
            os.kill(job["pid"], signal.SIGKILL)
            wait_for(lambda pid=job["pid"]: gone(pid))
        elif lines:
            assert not tree.same(lines[0]["runner"]["pid"], lines[0]["runner"]["created"])
        else:
            unrecorded += 1
            time.sleep(0.02)
            assert not mark.exists()  # no line, no job
        if mark.exists():
            written = mark.read_text().split()
            assert job is not None
            assert written[0] == str(job["pid"])
        again = place.run("sh", "-c", f"echo again >> {mark}", options=["--slot", slot])
        assert again.returncode == 0
        if path.stat().st_size and lines:
            assert "has been run already" in again.stderr
            assert not mark.exists() or "again" not in mark.read_text()
    assert rounds >= min(10, ROUNDS)
    assert place.run("echo", "free").stdout == "free\n"  # the lock is nobody's
    record_property(
        "summary", f"runner killed {rounds} times: {ended} ended, {orphans} jobs lived on, {unrecorded} had not begun"
    )


def whole_lines(path: Path) -> list[dict[str, object]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not true():
        if time.monotonic() > until:
            pytest.fail("the job would not die")
        time.sleep(0.005)


def test_a_job_whose_runner_dies_before_it_is_recorded_never_starts(place: Place) -> None:
    """The child waits for a word of its parent; silence is an end."""
    from reconciler.runner.start import Setting, start

    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    middle = os.fork()
    if middle == 0:
        start(
            ["touch", str(place.folder / "ran")], os.environ, Setting(), (null, null, null),
            lambda pid: (os.write(writing, b"%d" % pid), os.kill(os.getpid(), signal.SIGKILL))[0],  # type: ignore[arg-type,return-value]
        )  # fmt: skip
    os.close(writing)
    os.waitpid(middle, 0)
    child = int(os.read(reading, 20))
    os.close(reading)
    os.close(null)
    wait_for(lambda: gone(child))
    assert not (place.folder / "ran").exists()
