"""From a manifest saved by renaming it into place to the installed crontab that holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.manifests import Job, jobs, write
from benchmarks.measure import Row, Sample, Say
from benchmarks.place import HERE, Failed, Place

PATIENCE = 20.0  # seconds until a change counts as never applied
PAUSE = 0.8  # seconds between two changes, so that the pass before has ended
AIM = 0.150


@dataclass(frozen=True, slots=True)
class Latency:
    """One change, seen in the crontab."""

    seconds: float
    peak: int = 0


def measure(place: Place, sizes: Sequence[int], runs: int, say: Say) -> Iterator[Row]:
    """One daemon per size; beside it a one-shot `apply` of the same change, and the floor's bare install."""
    for count in sizes:
        say(f"watch: {count} manifests")
        folder = place.fresh(f"watch-{count}")
        tree = write(folder / "tree", jobs(count))
        place.empty_table()
        place.fresh("state")
        place.reconcile("apply", tree, "--yes", "--accept", "missed-run")
        saved, floor = _daemon(place, tree, runs), Sample()
        for _ in range(runs):
            _floor(place, folder, floor)
        case = f"saved file to crontab, {count} manifests"
        yield Row("watch", case, "floor", floor, floor)
        yield Row("watch", case, "reconcile watch", saved, floor, AIM)
        place.empty_table()


def _daemon(place: Place, tree: Path, runs: int) -> Sample:
    """Start the daemon, change the first job again and again, stop the daemon."""
    log, sample = tree.parent / "log", Sample()
    program = Path(sys.executable).with_name("reconcile")
    process = place.start([program, "watch", tree, "--accept", "missed-run"], log)
    try:
        _until(lambda: b"watching" in log.read_bytes(), process, log)
        time.sleep(2)
        for edition in range(1, runs + 1):
            sample.add(Latency(_one(place, jobs(1)[0], edition, tree, process, log)))
            time.sleep(PAUSE + edition % 5 * 0.07)
        sample.peak = _peak(process.pid)
    finally:
        _stop(process)
    return sample


def _one(place: Place, job: Job, edition: int, tree: Path, process: subprocess.Popen[bytes], log: Path) -> float:
    """Seconds until the installed table holds the new edition; the new file is written outside of the tree."""
    fresh = Job(job.number, edition)
    draft = tree.parent / "draft"
    draft.write_text(fresh.manifest)
    sign = fresh.argv[-1].encode()
    spool = place.spool()
    before = spool.stat().st_ino, spool.stat().st_mtime_ns
    started = time.perf_counter()
    os.replace(draft, tree / f"{job.name}.yaml")  # noqa: PTH105  nothing of pathlib between the clock and the call

    def installed() -> bool:
        try:
            found = spool.stat()
            return (found.st_ino, found.st_mtime_ns) != before and sign in spool.read_bytes()
        except FileNotFoundError:
            return False

    _until(installed, process, log)
    return time.perf_counter() - started


def _until(true: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            ended = f"ended with {process.returncode}" if process.returncode is not None else "did nothing"
            raise Failed(f"watch {ended}: {log.read_text()[-600:]}")
        time.sleep(0.0005)


def _floor(place: Place, folder: Path, floor: Sample) -> None:
    """A new start of the floor script that installs a table with one line changed."""
    other = folder / "other"
    other.write_bytes(place.table() + f"# {len(floor.seconds)}\n".encode())
    floor.add(place.run([sys.executable, "-I", HERE / "floor.py", other]))


def _peak(pid: int) -> int:
    """Bytes, from Linux's account of the process; 0 elsewhere."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
