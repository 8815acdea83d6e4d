"""One attempt: from the start of the job to its end, whatever comes first. The loop in which everything happens.

Waits for output, signals and deadlines at once; the end of a job is its process, never the end of its pipes.
"""

from __future__ import annotations

import _signal
import os
import select
import time

from reconciler.runner import signals, tree
from reconciler.runner.job import Job
from reconciler.runner.limits import Watch
from reconciler.runner.output import Stream
from reconciler.runner.text import size

DRAIN = 0.5  # seconds that output may still come after the job has ended, from processes that it left behind
DRAIN_MOST = 8 * 1024 * 1024  # bytes of it
UNKILLABLE = 5.0  # seconds after SIGKILL that its end is waited for
LOOK = 0.05  # seconds between two looks at a dying tree


class Ended:
    """How an attempt ended."""

    __slots__ = ("code", "cpu", "notes", "peak", "reason", "seconds", "signal", "verdict")

    def __init__(self, code: int, reason: str = "", verdict: str = "") -> None:
        self.code, self.reason, self.verdict = code, reason, verdict  # verdict: empty where the rules decide
        self.signal: int | None = None
        self.cpu = self.seconds = 0.0
        self.peak = 0
        self.notes: list[str] = []


class Attempt:
    """A started job."""

    def __init__(
        self, pid: int, born: str, mark: str, job: Job, streams: list[Stream], asked: signals.Signals
    ) -> None:
        self._pid, self._mark, self._job = pid, mark, job
        self._streams, self._asked = streams, asked
        self._started = time.monotonic()
        self._watch = Watch(pid, born, self._started, job.memory, job.cpu)
        self._ended = Ended(0)
        self._exited = False
        self._stopping = self._killing = False
        self._dying: tree.Family = {}
        self._kill_at = self._look_at = 0.0

    def wait(self) -> Ended:
        """Until the job has ended and its output is read."""
        while not self._exited or self._dying:
            self._poll(self._timeout())
            self._reap()
            now = time.monotonic()
            if not self._stopping and not self._exited:
                self._decide(now)
            elif self._stopping and (now >= self._look_at or self._exited):
                self._see_it_die(now)
        self._watch.go_on()
        self._ended.seconds = time.monotonic() - self._started
        self._drain()
        self._ended.peak = max(self._ended.peak, self._watch.peak)
        return self._ended

    def _timeout(self) -> float:
        if self._stopping:
            return self._look_at
        limits = [limit for limit in (self._job.timeout, self._job.kill_after) if limit]
        return min([self._watch.due, *(self._started + limit for limit in limits)])

    def _poll(self, until: float) -> None:
        """Wait for something to happen, and move bytes."""
        poll = select.poll()
        poll.register(self._asked.descriptor, select.POLLIN)
        for stream in self._streams:
            if stream.pending and stream.target >= 0:
                poll.register(stream.target, select.POLLOUT)
            elif stream.open:
                poll.register(stream.source, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(max(0.0, until - time.monotonic()) * 1000 + 0.5)}
        if self._asked.descriptor in ready:
            self._asked.drain()
        for stream in self._streams:
            if stream.pending and stream.target in ready:
                stream.pass_on()
            elif stream.open and stream.source in ready:
                stream.read()

    def _reap(self) -> None:
        if self._exited:
            return
        done, status, usage = os.wait4(self._pid, os.WNOHANG)
        if not done:
            return
        self._exited = True
        ended = self._ended
        code = os.waitstatus_to_exitcode(status)
        ended.signal = -code if code < 0 else None
        ended.code = 128 - code if code < 0 else code
        ended.cpu = usage.ru_utime + usage.ru_stime
        ended.peak = usage.ru_maxrss * (1024 if tree.LINUX else 1)

    def _decide(self, now: float) -> None:
        """Whether the job must end now, and why."""
        job, past = self._job, now - self._started
        if self._asked.stop:
            self._stop("stopped", f"stopped by {signals.name(self._asked.stop)} to its runner")
        elif job.timeout and past >= job.timeout:
            self._stop("timed-out", f"ran longer than its timeout of {job.timeout:g} s and was ended")
        elif job.kill_after and past >= job.kill_after:
            self._stop("overran", f"ran longer than runtime.killAfter, {job.kill_after:g} s, and was ended")
        elif now >= self._watch.due:
            reason = self._watch.look(now)
            if reason:
                self._stop("failed", f"{reason}, and was ended")

    def _stop(self, verdict: str, reason: str) -> None:
        """Ask everybody to end. Who belongs to the job is written down before the first signal scatters them."""
        self._ended.verdict, self._ended.reason = verdict, reason
        self._stopping = True
        now = time.monotonic()
        self._dying = tree.snapshot(self._pid, self._mark, self._watch.family)
        self._dying.setdefault(self._pid, self._watch.family[self._pid])
        self._kill_at, self._look_at = now + self._job.grace, now + LOOK / 10
        group = self._job.signal, _signal.SIGCONT  # a stopped process hears nothing before it goes on
        for number in group:
            try:
                os.killpg(self._pid, number)
            except (ProcessLookupError, PermissionError):
                continue
        apart = {pid: born for pid, born in self._dying.items() if not _in_group(pid, self._pid)}
        for number in group:
            tree.signal_each(apart, number)

    def _see_it_die(self, now: float) -> None:
        self._look_at = now + LOOK
        alive = {pid: born for pid, born in self._dying.items() if tree.same(pid, born)}
        if now < self._kill_at and (alive or not self._exited):
            return
        if alive or not self._exited:
            if not self._killing:
                count = max(len(alive), 1)
                self._ended.reason += f"; {count} process{'es' if count > 1 else ''} had to be killed"
                self._killing = True
            if not self._exited:
                self._killpg()
        left = tree.end(self._pid, self._mark, {**self._watch.family, **alive})
        if left:
            self._ended.notes.append(f"processes {', '.join(map(str, sorted(left)))} could not be killed")
        self._dying = {}
        if not self._exited and now > self._kill_at + UNKILLABLE:
            self._exited = True  # in the kernel's hands for now, and not ours to wait for
            self._ended.code, self._ended.signal = 137, 9

    def _killpg(self) -> None:
        try:
            os.killpg(self._pid, _signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def _drain(self) -> None:
        """What is in the pipes, and what comes within a moment; a process left behind may hold them for ever."""
        until, most = time.monotonic() + DRAIN, DRAIN_MOST
        before = time.monotonic()
        while any(stream.open for stream in self._streams) and time.monotonic() < until and most > 0:
            poll = select.poll()
            for stream in self._streams:
                if stream.open:
                    poll.register(stream.source, select.POLLIN)
            poll.poll(max(0.0, until - time.monotonic()) * 1000)
            for stream in self._streams:
                while stream.open and most > 0 and stream.read():
                    most -= 65536
        if any(stream.open for stream in self._streams):
            self._ended.notes.append(
                "a process that it left behind still holds its output, which is read no further"
                if time.monotonic() - before >= DRAIN
                else f"more than {size(DRAIN_MOST)} of output came after its end"
            )
        for stream in self._streams:
            stream.close()


def _in_group(pid: int, group: int) -> bool:
    process = tree.look(pid)
    return process is not None and process.group == group
