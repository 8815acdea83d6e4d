"""Timers of a real private user manager: nothing to do, one changed, all new; beside systemctl used well and singly.

Needs root and systemd: `script/start-systemd-user` starts the manager, which ends with the measurement.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.manifests import Job, jobs
from benchmarks.measure import OURS, Rounds, Row, Say
from benchmarks.place import HERE, Failed, Place, Run

SIZES = (1, 10, 100)
NOTHING, INSIDE, ONE, ALL = "no-op", "no-op inside watch", "change 1, verified", "create all, verified"
TOGETHER, SINGLY = "systemctl, all in one call", "systemctl, one by one"
PASS, LOOK = "reconcile, whole pass", "reconcile, look at the manager"
AIMS = {(100, NOTHING, OURS): 0.1}
TIMES = 1.5  # of the floor: what making all of them may cost


@dataclass(frozen=True, slots=True)
class Passed:
    """One pass, or one look, inside a process that goes on."""

    seconds: float
    peak: int = 0


class Course:
    """One size on one manager: a tree, and the units that it leads to."""

    def __init__(self, place: Place, manager: dict[str, str], count: int) -> None:
        self.count = count
        self.place = replace(place, user="", prefix=(), env=place.env | manager | {"USER": "root", "LOGNAME": "root"})
        self.units = Path(manager["HOME"], ".config", "systemd", "user")
        folder = self.place.fresh(f"timers-{count}")
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.wanted = folder / "units"
        self.edition = 0

    def write(self, wanted: Sequence[Job]) -> None:
        for job in wanted:
            text = job.manifest.replace("spec:\n", "spec:\n  scheduler: systemd\n  scope: user\n")
            (self.tree / f"{job.name}.yaml").write_text(text.replace("  workingDirectory: ~/queues\n", ""))

    def apply(self) -> Run:
        return self.place.reconcile("apply", self.tree, "--yes", "--accept", "missed-run")

    def plan(self) -> Run:
        return self.place.reconcile("plan", self.tree, "--detailed-exitcode", "--accept", "missed-run")

    def floor(self, how: str) -> Run:
        return self.place.run([sys.executable, "-I", HERE / "floor_timers.py", how, self.wanted, self.units])

    def clear(self) -> None:
        """No unit of ours and no journal."""
        self._systemctl("stop", "reconciler-*.timer")
        shutil.rmtree(self.units, ignore_errors=True)
        self._systemctl("daemon-reload")
        self.place.fresh("state")

    def settled(self) -> None:
        """Raises Failed unless every timer waits; the first time, keeps their units for the floor."""
        rows = json.loads(self._systemctl("list-units", "--output=json", "reconciler-*.timer"))
        waiting = [row for row in rows if row["sub"] == "waiting"]
        if len(waiting) != self.count:
            raise Failed(f"{len(waiting)} of {self.count} timers wait")
        if not self.wanted.exists():
            shutil.copytree(self.units, self.wanted, ignore=shutil.ignore_patterns("*.wants"))

    def _systemctl(self, *words: str) -> bytes:
        command = ["systemctl", "--user", *words]
        return subprocess.run(command, env=self.place.env, capture_output=True, check=False).stdout


def measure(place: Place, sizes: Sequence[int], runs: int, say: Say) -> Iterator[Row]:
    """Every size on one manager; where none can be started, a row that says why."""
    folder = place.fresh("manager")
    with _manager(folder) as (manager, why):
        if why:
            yield Row("timers", "all", "all", note=f"left out: {why}")
            return
        for count in sizes:
            say(f"timers: {count}")
            course = Course(place, manager, count)
            course.clear()
            try:
                yield from _rows(course, runs)
            finally:
                course.clear()


@contextlib.contextmanager
def _manager(folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    """What reaches a manager of our own, or why there is none."""
    script = HERE.parent / "script" / "start-systemd-user"
    done = subprocess.run([script, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        yield {}, done.stderr.strip()
        return
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    process = int(found.pop("MANAGER"))
    try:
        yield found, ""
    finally:
        os.kill(process, signal.SIGTERM)


def _rows(course: Course, runs: int) -> Iterator[Row]:
    rounds = Rounds()
    for number in range(runs + 1):
        _round(course, rounds if number else Rounds(), singly=number == 1 or course.count < 100)
    told = json.loads(course.place.run([sys.executable, HERE / "inside.py", course.tree, str(4 * runs)]).out)
    for who, seconds in ((PASS, told["passes"]), (LOOK, told["looks"])):
        for each in seconds:
            rounds.take(INSIDE, who, Passed(each))
    aims = {(case, who): aim for (size, case, who), aim in AIMS.items() if size == course.count}
    aims[ALL, OURS] = rounds.samples[ALL, TOGETHER].middle * TIMES
    order = (NOTHING, INSIDE, ONE, ALL)
    for row in sorted(rounds.rows(f"timers {course.count}", TOGETHER, aims), key=lambda row: order.index(row.case)):
        yield replace(row, note=f"asks: {', '.join(told['asked'])}" if row.who == PASS else row.note)


def _round(course: Course, taken: Rounds, *, singly: bool) -> None:
    """All new, nothing to do, one changed; then the same by systemctl. Each outcome is looked at."""
    wanted = jobs(course.count)
    course.clear()
    course.write(wanted)
    taken.take(ALL, OURS, course.apply())
    course.settled()
    course.plan()
    taken.take(NOTHING, OURS, course.plan())
    taken.take(NOTHING, TOGETHER, course.floor("look"))
    course.edition += 1
    course.write([Job(0, course.edition)])
    taken.take(ONE, OURS, course.apply())
    course.settled()
    for how, who in (("together", TOGETHER), ("singly", SINGLY)):
        if how == "together" or singly:
            course.clear()
            taken.take(ALL, who, course.floor(how))
            course.settled()
    course.clear()
    course.write(wanted)
    course.apply()
