"""Jobs of one crontab: nothing to do, one in a hundred changed, everything new; against the floor and other tools."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.manifests import changed, jobs, write
from benchmarks.measure import OURS, Rounds, Row, Say
from benchmarks.peers import Contest
from benchmarks.place import HERE, Failed, Place, Run

SIZES = (10, 100, 1_000, 3_000)
NOTHING, FEW, ALL = "no-op plan", "plan, 1 % changed", "apply from empty"
FLOOR = "floor"
WARM, COLD, EVICTED, IN_GIT = (
    OURS,
    "reconcile, cold",
    "reconcile, cold, evicted",
    "reconcile, warm, in git",
)
AIMS = {
    (10, NOTHING, WARM): 0.10,
    (1_000, NOTHING, WARM): 0.15,
    (1_000, NOTHING, COLD): 0.5,
    (1_000, ALL, WARM): 0.4,
}
MARK = b" : reconciler:Automation/"


class Course:
    """One size, set up: a tree that stands applied, a copy in which a few jobs change, and one under git."""

    def __init__(self, place: Place, count: int) -> None:
        self.place = place
        self.jobs = jobs(count)
        folder = place.fresh(f"cron-{count}")
        self.tree = write(folder / "tree", self.jobs)
        self.other = write(folder / "changed" / "tree", self.jobs)
        self.git = self._under_git(write(folder / "git" / "tree", self.jobs).parent)
        self.wanted = folder / "wanted"
        place.give(folder)
        os.sync()  # so that files can be evicted
        self._edition = 0
        place.fresh("cache")
        self.install()
        table = place.table()
        if table.count(MARK) != count:
            raise Failed(f"apply left {table.count(MARK)} of {count} lines")
        self.wanted.write_bytes(table)

    def _under_git(self, folder: Path) -> Path | None:
        if shutil.which("git") is None:
            return None
        self.place.give(folder)
        for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "manifests")):
            who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
            self.place.run(["git", "-C", folder, *who, *words])
        return folder / "tree"

    def install(self) -> Run:
        """Apply from nothing: no crontab, no journal."""
        self.place.empty_table()
        self.place.fresh("state")
        return self.place.reconcile("apply", self.tree, "--yes", "--accept", "missed-run")

    def plan(self, tree: Path, *, pending: bool = False) -> Run:
        words = ("plan", tree, "--detailed-exitcode", "--accept", "missed-run")
        return self.place.reconcile(*words, codes=(2 if pending else 0,))

    def change(self) -> None:
        """A new edition of one job in a hundred, in the copy."""
        self._edition += 1
        write(self.other, changed(self.jobs, self._edition))

    def evict(self) -> None:
        """Take our files out of the page cache (a request: the kernel may keep them; nothing on tmpfs)."""
        for folder in (self.tree, self.place.root / "state"):
            for path in filter(Path.is_file, folder.rglob("*")):
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def floor(self, *words: str, table: bytes | None = None) -> Run:
        """The floor script, with another table in place where one is given."""
        wanted = self.wanted
        if table is not None:
            wanted = wanted.with_name("wanted-other")
            wanted.write_bytes(table)
        return self.place.run([sys.executable, "-I", HERE / "floor.py", wanted, *words])


def ours(course: Course, rounds: Rounds) -> None:
    """One round of every case. Each warm run comes right after an unmeasured run on the same tree."""
    course.plan(course.tree)
    rounds.take(ALL, WARM, course.install())
    course.place.fresh("cache")
    rounds.take(ALL, COLD, course.install())

    rounds.take(NOTHING, WARM, course.plan(course.tree))
    course.place.fresh("cache")
    rounds.take(NOTHING, COLD, course.plan(course.tree))
    if hasattr(os, "posix_fadvise"):
        course.place.fresh("cache")
        course.evict()
        rounds.take(NOTHING, EVICTED, course.plan(course.tree))
    if course.git:
        course.plan(course.git)
        rounds.take(NOTHING, IN_GIT, course.plan(course.git))

    course.change()
    course.plan(course.other, pending=True)
    course.change()
    rounds.take(FEW, WARM, course.plan(course.other, pending=True))
    course.place.fresh("cache")
    rounds.take(FEW, COLD, course.plan(course.other, pending=True))


def floor(course: Course, rounds: Rounds) -> None:
    """The same three cases done by the floor script with the same table."""
    table = course.wanted.read_bytes()
    rounds.take(NOTHING, FLOOR, _telling(course.floor(), 0))
    few = len(changed(course.jobs, 1))
    lines = table.splitlines(keepends=True)
    other = b"".join(b"#" + line if number < few else line for number, line in enumerate(lines))
    rounds.take(FEW, FLOOR, _telling(course.floor("--plan", table=other), few))
    course.place.empty_table()
    rounds.take(ALL, FLOOR, course.floor())
    if course.place.table() != table:
        raise Failed("the floor installed another table")


def _telling(run: Run, count: int) -> Run:
    if int(run.out) != count:
        raise Failed(f"the floor found {run.out.decode().strip()} lines instead of {count}")
    return run


def measure(
    place: Place, sizes: Sequence[int], runs: Callable[[int], int], contest: Contest, say: Say
) -> Iterator[Row]:
    """Every size, with what the other tools could be brought to do."""
    for count in sizes:
        say(f"cron: {count} jobs")
        course, rounds = Course(place, count), Rounds()
        ours(course, Rounds())  # files just written are not trusted by a cache that goes by their times
        for _ in range(runs(count)):
            floor(course, rounds)
            ours(course, rounds)
        refusals = contest.run(place, course.jobs, rounds, say)
        place.empty_table()
        group = f"cron {count}"
        aims = {(case, who): aim for (size, case, who), aim in AIMS.items() if size == count}
        yield from sorted(rounds.rows(group, FLOOR, aims), key=lambda row: (NOTHING, FEW, ALL).index(row.case))
        yield from (Row(group, "all", who, note=why) for who, why in refusals)
        shutil.rmtree(place.root / f"cron-{count}")
