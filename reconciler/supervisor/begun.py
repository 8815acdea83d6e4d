"""Runs that have begun and are not ours to reap: started by an earlier supervisor, or left without their runner.

A job is the supervisor's to bound. Where its runner was killed it is asked to end, and killed after its grace.
"""

from __future__ import annotations

import _signal
import os
from collections.abc import Container
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from reconciler.runner import tree
from reconciler.runner.job import Job, read
from reconciler.runner.left import Unfinished, unfinished
from reconciler.runner.text import why
from reconciler.supervisor.process import exit_of, release
from reconciler.supervisor.server import Loop


class World(Protocol):
    """What is needed of the rest."""

    loop: Loop

    def say(self, message: str) -> None: ...


class Begun:
    """Watches over such runs. `ours`: the pids of runners that are children of ours."""

    def __init__(self, state: str, world: World, ours: Container[int]) -> None:
        self._state, self._world, self._ours = state, world, ours
        self._tended: dict[str, str] = {}  # mark of a run: its automation

    def __len__(self) -> int:
        return len(self._tended)

    def has(self, name: str) -> bool:
        """Whether a run of this automation that is not ours goes on; its end wakes us."""
        self.look_after(name)
        return name in self._tended.values()

    def look_after(self, name: str) -> None:
        """See to the runs of one automation: wait for runners that live, end jobs that have none."""
        for run in unfinished(self._state, name):
            if run.runner in self._ours or run.mark in self._tended:
                continue
            try:
                if run.runner:
                    exit_ = exit_of(run.runner)
                    self._tended[run.mark] = run.name
                    self._world.loop.watch(exit_, partial(self._runner_gone, exit_, run))
            except ProcessLookupError:
                run.runner = 0
            except OSError as error:  # no descriptors: the next run of it looks
                self._world.say(f"{name}: cannot watch over run {run.run}: {why(error)}")
            if not run.runner and (family := run.family()):
                self._end(run, family)

    def _runner_gone(self, exit_: int, run: Unfinished) -> None:
        self._world.loop.unwatch(exit_)
        release(exit_)
        self._tended.pop(run.mark, None)
        self.look_after(run.name)

    def _end(self, run: Unfinished, family: tree.Family) -> None:
        """Ask the job to end, and kill it after its grace."""
        self._tended[run.mark] = run.name
        job = read(self._state, run.name, run.digest) if run.digest else Job()
        self._world.say(f"{run.name}: the runner of run {run.run} died; its job, pid {run.pid}, is ended")
        for number in (job.signal, _signal.SIGCONT):
            tree.signal_each(family, number)
        self._world.loop.after(job.grace, partial(self._kill, run, family))

    def _kill(self, run: Unfinished, family: tree.Family) -> None:
        self._tended.pop(run.mark, None)
        if stays := tree.end(run.pid, run.mark, family):
            self._world.say(f"{run.name}: processes {', '.join(map(str, sorted(stays)))} could not be killed")


def claimed(state: str, name: str, now: float) -> float:
    """The newest slot that was claimed, by its run file; 0: none. Those before it were started earlier."""
    try:
        names = [file for file in os.listdir(f"{state}/runs/spool/{name}") if file.endswith("Z.run")]
        slots = [datetime.strptime(file[:-5], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp() for file in names]
    except (OSError, ValueError):
        return 0.0
    return max((slot for slot in slots if slot <= now), default=0.0)
