"""One run from its claim to its record: lock, secrets, attempts, verdict. Starts the job as early as it may.

How each part is done stands in the files beside this one.
"""

from __future__ import annotations

import os
import time

from reconciler.runner import tree
from reconciler.runner.attempt import Attempt, Ended
from reconciler.runner.fresh import before
from reconciler.runner.job import Job, read, state_folder
from reconciler.runner.line import Line
from reconciler.runner.lock import Lock
from reconciler.runner.output import Kept, Log, Stream, flush
from reconciler.runner.record import Record
from reconciler.runner.signals import Signals, name
from reconciler.runner.start import NOT_RUN, NotStarted, Setting, start
from reconciler.runner.text import compact, instant, minute, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from reconciler.runner.record import Say


class Run:
    """One execution of an automation."""

    def __init__(self, line: Line, say: Say) -> None:
        self._line, self._tell = line, say
        self._notes: list[str] = list(line.notes)
        self._environment = dict(os.environ)
        self._state = state_folder(line.state, os.environ)
        self._job = read(self._state, line.name, line.digest) if line.digest and line.name else Job()
        for note in self._job.notes:
            self._say(note)
        self._asked = Signals()
        self._us = os.getpid()
        self._born = tree.created(self._us)
        self._record = Record(self._state, line.name, self._say)
        self._hidden: list[bytes] = []
        self._streams: list[Stream] = []
        self._tries = 0
        self._code: int | None = None  # once the job has ended
        self.started = 0  # the pid of the job, once there is one

    def carry_out(self) -> int:
        """The exit code for our caller."""
        line, at, began = self._line, time.time_ns(), time.monotonic_ns()
        scheduled = line.slot or minute(at)
        if not self._record.claim(self._id(at, scheduled), once=bool(line.slot)):
            self._tell(f"the slot {scheduled} of {line.name} has been run already, or is being run; nothing to do")
            return 0
        self._record.add(self._first_line(at, scheduled))
        if line.tell >= 0:
            self._record.tell(line.tell)
        runs = f"{self._state}/runs"
        log = Log(f"{runs}/logs/{line.name}/{self._record.id}.log" if self._record.kept else "",
                  self._job.max_size, self._tell)  # fmt: skip
        kept = Kept(log, self._job.tail)
        overlap = self._job.overlap if line.name else "allow"
        me = f"{self._us} {self._born} {self._record.id}"
        lock = Lock(f"{runs}/locks/{line.name}", overlap, me, began, self._say, self._job.longest)
        attempts, seconds = 0, 0.0
        if lock.take(self._asked, self._job.grace):
            free = time.monotonic()
            ended, attempts = self._attempts(lock, kept)
            seconds = time.monotonic() - free
            self._notes += [lock.waited] if lock.waited else []
        elif self._asked.stop:
            ended = Ended(128 + self._asked.stop, lock.refused, "stopped")
        else:
            ended = Ended(0, lock.refused, "skipped")
            self._tell(f"skipped: {lock.refused}")
        self._code = ended.code
        if ended.verdict == "stopped":
            ended.reason = lock.reason() or ended.reason
        self._finish(ended, attempts, kept, seconds)
        lock.free()
        flush(self._streams, lambda: bool(self._asked.stop))
        if line.cli and self._record.kept:
            from reconciler.runner.collect import collect_now_and_then

            collect_now_and_then(self._state, line.cli)
        return self._answer(ended)

    def _answer(self, ended: Ended) -> int:
        """Schedulers get the code of the job; whoever runs it by hand learns whether the run was good."""
        if self._line.trigger != "manual":
            return ended.code
        return 0 if ended.verdict in ("succeeded", "skipped") else ended.code or 1

    def _say(self, message: str) -> None:
        """Said on stderr, and in the record."""
        self._tell(message)
        if message not in self._notes:
            self._notes.append(message)

    def _id(self, at: int, scheduled: str) -> str:
        if self._line.trigger == "manual" and not self._line.slot:
            seconds = time.strftime("%Y%m%dT%H%M%S", time.gmtime(at // 1_000_000_000))
            return f"{seconds}.{at // 1_000_000 % 1000:03d}Z-manual"
        return compact(scheduled)

    def _first_line(self, at: int, scheduled: str) -> Mapping[str, Any]:
        line = self._line
        return {
            "v": 1,
            "id": self._record.id,
            "automation": line.name,
            "scheduled": scheduled,
            "started": instant(at),
            "trigger": line.trigger,
            "host": os.uname().nodename,
            "revision": self._revision(),
            "runner": {"pid": self._us, "created": self._born, "boot": tree.boot()},
            "job": line.digest,
            "command": [readable(os.fsencode(word)) for word in line.command],
        }

    def _revision(self) -> str:
        try:
            with open(f"{self._state}/revision", "rb") as file:
                return readable(file.read(200)).partition("\n")[0].strip()
        except OSError:
            return ""

    def _attempts(self, lock: Lock, kept: Kept) -> tuple[Ended, int]:
        number, cpu, peak = 0, 0.0, 0
        self._before = before(self._job.files, self._line.folder)
        while True:
            number += 1
            ended, tried = self._attempt(number, lock, kept)
            cpu, peak = cpu + ended.cpu, max(peak, ended.peak)
            again = tried and ended.verdict not in ("succeeded", "stopped") and number <= self._job.retries
            if again:
                self._tell(f"attempt {number} {ended.verdict}: {ended.reason}; again in {self._job.delay:g} s")
                until = time.monotonic() + self._job.delay
                while not self._asked.stop and (left := until - time.monotonic()) > 0:
                    self._asked.wait(left)
                if self._asked.stop:
                    ended.verdict = "stopped"
                    ended.reason = f"stopped by {name(self._asked.stop)} before attempt {number + 1}; {ended.reason}"
                    ended.code = 128 + self._asked.stop
                    again = False
            if not again:
                ended.cpu, ended.peak = cpu, peak
                return ended, self._tries

    def _attempt(self, number: int, lock: Lock, kept: Kept) -> tuple[Ended, bool]:
        """How it ended, and whether there was a job at all."""
        attempt = self._begin(number, lock, kept)
        if isinstance(attempt, Ended):
            return attempt, False
        job, rules = self._job, None
        if job.matches or job.rejects or job.schema is not None or job.files or job.least:
            from reconciler.runner.success import Rules

            rules = Rules(job, self._before, self._asked)
            kept.judges = [rules.hear] if rules.needs_output else []
        ended = attempt.wait()
        self._notes += ended.notes
        if ended.verdict in ("timed-out", "overran"):
            ended.code = 124
        elif ended.signal and not ended.verdict:
            ended.verdict, ended.reason = "failed", f"died of {name(ended.signal)}"
        elif ended.code not in job.exit_codes and not ended.verdict:
            ended.verdict, ended.reason = "failed", f"exit code {ended.code}"
        elif not ended.verdict:
            ended.reason = rules.broken(ended.seconds) if rules else job.lost
            ended.verdict = "rejected" if ended.reason else "succeeded"
            if rules and rules.interrupted:
                ended.verdict, ended.code = "stopped", 128 + self._asked.stop
        return ended, True

    def _begin(self, number: int, lock: Lock, kept: Kept) -> Attempt | Ended:
        """The job, or why there is none."""
        try:
            if number == 1 and self._job.secrets:
                self._resolve()
            if not self._asked.stop:
                return self._start(number, lock, kept)
        except NotStarted as error:
            if not self._asked.stop:
                self._tell(str(error))
                return Ended(error.code, str(error), "failed")
        return Ended(128 + self._asked.stop, f"stopped by {name(self._asked.stop)} before it began", "stopped")

    def _resolve(self) -> None:
        from reconciler.runner.redact import forms
        from reconciler.runner.secrets import Unresolved, resolve

        try:
            found = resolve(self._job.secrets, self._environment, self._job.longest, self._asked)
        except Unresolved as error:
            raise NotStarted(NOT_RUN, str(error)) from error
        self._environment |= found
        self._hidden = forms(map(os.fsencode, found.values()))

    def _start(self, number: int, lock: Lock, kept: Kept) -> Attempt:
        line, job = self._line, self._job
        mark = f"{self._us}.{self._born}"
        self._environment |= {tree.MARK: mark, "RECONCILER_RUN": f"{line.name}/{self._record.id}"}
        ours, other = os.fstat(1), os.fstat(2)
        together = (ours.st_dev, ours.st_ino) == (other.st_dev, other.st_ino) and job.schema is None
        pipes = [os.pipe()] if together else [os.pipe(), os.pipe()]
        stdin = -1
        born = ""

        def known(pid: int) -> None:
            """On disk before the program runs: a reader of the records always finds a job that outlives us."""
            nonlocal born
            born = tree.created(pid)
            lock.tell(pid, born)
            self._tries = number
            self._record.add({"attempt": number, "pid": pid, "created": born, "started": instant(time.time_ns())})

        try:
            stdin = self._stdin()
            setting = Setting(line.folder, job.umask, job.nice)
            pid, note = start(line.command, self._environment, setting, (stdin, pipes[0][1], pipes[-1][1]), known)
        except BaseException:
            for reading, _ in pipes:
                os.close(reading)
            raise
        finally:
            for end in ([] if stdin < 0 else [stdin]) + [writing for _, writing in pipes]:
                os.close(end)
        self.started = pid
        if note:
            self._say(note)
        unread = {stream.target: stream.pending for stream in self._streams}  # of the attempt before
        targets = zip((1, 2), pipes, strict=False)
        self._streams = [Stream(reading, target, kept, self._hidden) for target, (reading, _) in targets]
        for stream in self._streams:
            stream.pending = unread.get(stream.target, b"")
        return Attempt(pid, born, mark, job, self._streams, self._asked)

    def _stdin(self) -> int:
        """A descriptor with the input of the job."""
        if self._job.stdin is None and not self._job.stdin_file:
            return os.open(os.devnull, os.O_RDONLY)
        from reconciler.runner.held import source

        return source(self._job, self._line.folder, self._asked)

    def _finish(self, ended: Ended, attempts: int, kept: Kept, seconds: float) -> None:
        log = kept.log
        notes = [*self._notes, *([log.trouble] if log.trouble else [])]
        self._record.end(
            {
                "ended": instant(time.time_ns()),
                "exit": ended.code,
                "signal": ended.signal,
                "attempts": attempts,
                "seconds": round(seconds, 6),
                "cpu": round(ended.cpu, 6),
                "peak": ended.peak,
                "verdict": ended.verdict,
                "reason": "; ".join(filter(None, [ended.reason, *notes])),
                "tail": kept.tail(),
                "outputBytes": kept.bytes,
                "log": f"logs/{self._line.name}/{self._record.id}.log" if log.made else "",
            },
            log.give_up,
        )

    def wait_bare(self) -> int:
        """Only pass on and wait; for when something in here is broken."""
        flush(self._streams, lambda: False)
        if self._code is not None:
            return self._code
        import select

        poll, targets = select.poll(), {stream.source: stream.target for stream in self._streams if stream.open}
        for source in targets:
            poll.register(source, select.POLLIN)
        while targets:
            for source, _ in poll.poll():
                part = os.read(source, 65536)
                if not part:
                    poll.unregister(source)
                    del targets[source]
                    continue
                try:
                    os.write(targets[source], part)
                except OSError:
                    continue  # nobody listens any more; the job goes on
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(self.started, 0)[1])
        except ChildProcessError:
            return 1
        return 128 - code if code < 0 else code
