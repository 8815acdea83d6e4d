"""One run of an automation at a time: a kernel lock, and in its file who holds it and which process is the job.

The kernel frees the lock with our death; what stands in the file then still finds a job that lives on without us.
"""

from __future__ import annotations

import _signal
import errno
import fcntl
import os
import time

from reconciler.runner import tree
from reconciler.runner.record import made
from reconciler.runner.signals import Signals
from reconciler.runner.text import why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reconciler.runner.record import Say

SHORTEST, LONGEST = 0.02, 0.5  # seconds between two tries to get the lock


class Holder:
    """Who the lock file names."""

    __slots__ = ("at", "born", "job", "job_born", "pid", "run")

    def __init__(self, text: str) -> None:
        words = text.partition("\n")[0].split(" ")
        if len(words) != 6 or not (words[0].isdigit() and words[3].isdigit() and words[5].isdigit()):
            words = ["0", "", "", "0", "", "0"]
        self.pid, self.born, self.run = int(words[0]), words[1], words[2]
        self.job, self.job_born = int(words[3]), words[4]
        self.at = int(words[5])  # nanoseconds since the boot: when the run began

    @property
    def lives(self) -> bool:
        return tree.same(self.pid, self.born)

    @property
    def left_job(self) -> bool:
        """Whether the job lives and its runner does not."""
        return not self.lives and tree.same(self.job, self.job_born)

    def __str__(self) -> str:
        if not self.run:
            return "another run"
        return f"run {self.run}" if self.lives else f"the job (pid {self.job}) of run {self.run}, whose runner died,"


class Lock:
    """The lock of one automation. `refused` says why a run must not start, `waited` how long it had to wait."""

    def __init__(self, path: str, overlap: str, me: str, at: int, say: Say, longest: float = 0.0) -> None:
        self._path, self._overlap, self._me, self._say = path, overlap, me, say
        self._longest = longest  # seconds that a job may run; 0: without end
        self._at = at  # nanoseconds of the monotonic clock: when this run began
        self._descriptor = -1
        self._ours = False
        self.refused = self.waited = ""

    def take(self, asked: Signals, grace: float) -> bool:
        """Whether the run may start. Without a place for the lock it may, and says that nothing guards it."""
        if self._overlap == "allow" or not self._open():
            return True
        pause, asked_of, hurry, before = SHORTEST, 0, 0.0, ""
        while not asked.stop:
            held = self._free()
            if held is None:
                return self._took(before)
            before = before or str(held)
            if self._late(held):
                self.refused = f"it gave way to the newer run {held.run} (overlap: kill)"
                return False
            if self._overdue(held):
                self._say(f"{held} has run for longer than {self._longest:g} s and was ended")
                self._longest = 0.0  # one that cannot be killed is met once
                self._end(held)
            elif self._overlap == "skip":
                self.refused = f"{held} is still running (overlap: skip)"
                return False
            try:
                if self._overlap == "kill" and held.pid != asked_of and self._end(held):
                    asked_of, hurry = held.pid, time.monotonic() + grace + 5
                elif self._overlap == "kill" and held.pid == asked_of and time.monotonic() > hurry and held.lives:
                    os.kill(held.pid, _signal.SIGKILL)
                    asked_of = 0  # its job is ended as an abandoned one, next time round
            except PermissionError:
                self.refused = f"{held} is still running and may not be stopped by this user (overlap: kill)"
                return False
            asked.wait(pause)
            pause = min(pause * 1.5, LONGEST)
        self.refused = f"stopped while it waited for {self._holder()} to end"
        return False

    def _open(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        try:
            try:
                self._descriptor = os.open(self._path, flags, 0o600)
            except FileNotFoundError:
                made(os.path.dirname(self._path), self._say)
                self._descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            self._say(f"overlapping runs are not prevented: cannot open {self._path}: {why(error)}")
            return False
        return True

    def _free(self) -> Holder | None:
        """Take the lock where nobody holds it and nobody's job was left behind; else who is in the way."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return self._holder()
            self._say(f"overlapping runs are not prevented: cannot lock {self._path}: {why(error)}")
            return None
        holder = self._holder()
        if holder.left_job or self._late(holder):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            if holder.left_job:
                _wake(holder.job)
            return holder
        self.tell(0, "")
        return None

    def _took(self, before: str) -> bool:
        self._ours = True
        if before:
            self.waited = f"waited {(time.monotonic_ns() - self._at) / 1e9:.1f} s for {before} to end"
        return True

    def _holder(self) -> Holder:
        return Holder(os.pread(self._descriptor, 4096, 0).decode("ascii", "replace"))

    def _late(self, held: Holder) -> bool:
        """Whether a run that began after us has the lock, or had it: where runs end older ones, the newest wins."""
        return self._overlap == "kill" and self._at < held.at < time.monotonic_ns()

    def _overdue(self, held: Holder) -> bool:
        """Whether a job has lost the runner that would have ended it by now. The file was written as it started."""
        age = time.time() - os.fstat(self._descriptor).st_mtime
        return held.left_job and 0 < self._longest < age

    def _end(self, held: Holder) -> bool:
        """Ask the older run to stop; false where it has not said yet who it is."""
        if held.left_job:
            tree.end(held.job, f"{held.pid}.{held.born}", {held.job: held.job_born})
            return False
        if not held.lives:
            return False
        written = f"\nstopped by the newer run {self._me.split(' ')[2]} (overlap: kill)\n".encode()
        try:
            os.pwrite(self._descriptor, written, len(os.pread(self._descriptor, 4096, 0).partition(b"\n")[0]))
        except OSError as error:
            self._say(f"cannot tell {held} why it ends: {why(error)}")
        try:
            os.kill(held.pid, _signal.SIGTERM)
        except ProcessLookupError:
            return False
        return True

    def tell(self, job: int, born: str) -> None:
        """Write down which process is the job."""
        if self._descriptor < 0:
            return
        try:
            os.pwrite(self._descriptor, f"{self._me} {job} {born} {self._at}\n".ljust(200).encode(), 0)
        except OSError as error:
            self._say(f"a later run would not know this one: cannot write {self._path}: {why(error)}")

    def reason(self) -> str:
        """Why we were stopped, where a newer run said so."""
        if self._descriptor < 0:
            return ""
        said = os.pread(self._descriptor, 4096, 0).decode("ascii", "replace").split("\n")
        return next((line for line in said[1:] if line.startswith("stopped by the newer run")), "").strip()

    def free(self) -> None:
        """The run has ended in order; the file stays, because unlinking it would let two hold it.

        What stands in it is the holder's, and after its end tells an older run that it comes too late: a run that
        was refused leaves it alone.
        """
        if self._descriptor < 0:
            return
        if self._ours:
            self.tell(0, "")
        os.close(self._descriptor)
        self._descriptor = -1


def _wake(job: int) -> None:
    """A job that its runner held still for limits.cpu when it died would stand still for ever."""
    try:
        os.killpg(job, _signal.SIGCONT)
    except (ProcessLookupError, PermissionError):
        return
