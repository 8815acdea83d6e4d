"""What the job writes: passed through, kept in a bounded log and a bounded tail, shown to the rules of success.

Never in the job's way: a reader that has gone, a full disk or binary output end as a note.
"""

from __future__ import annotations

import os
import select
import stat
import time

from reconciler.runner.record import made
from reconciler.runner.redact import Redactor
from reconciler.runner.text import readable, why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.runner.record import Say

CHUNK = 65536
SURE = 4096  # bytes that a pipe takes without blocking when poll calls it writable
PATIENCE = 60.0  # seconds that a reader of ours may stand still after the job has ended


class Log:
    """The output on disk: at most `most` bytes in two files, the older of which is `.1`. Made with the first byte."""

    def __init__(self, path: str, most: int, say: Say) -> None:
        self.path, self.trouble = path, ""
        self._half = max(most // 2, 1)
        self._say = say
        self._descriptor = -1
        self._size = 0

    @property
    def made(self) -> bool:
        return self._descriptor >= 0

    def write(self, part: bytes) -> None:
        if self.trouble or not self.path:
            return
        view = memoryview(part)
        try:
            if not self.made:
                self._open()
            while view:
                if self._size >= self._half:
                    os.rename(self.path, f"{self.path}.1")
                    self._open()
                done = os.write(self._descriptor, view[: self._half - self._size])
                self._size += done
                view = view[done:]
        except OSError as error:
            self.trouble = f"the log is incomplete: {why(error)}"
            self._say(f"cannot go on writing {self.path}: {why(error)}; the job goes on")

    def _open(self) -> None:
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW
        try:
            fresh = os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            made(os.path.dirname(self.path), self._say)
            fresh = os.open(self.path, flags, 0o600)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._size = fresh, 0

    def give_up(self) -> None:
        """Free the room on a full disk."""
        for path in (self.path, f"{self.path}.1"):
            try:
                os.unlink(path)
            except OSError:
                continue
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self.trouble = "the log was given up: the disk is full"


class Kept:
    """Where the output of all attempts ends up."""

    def __init__(self, log: Log, tail: int) -> None:
        self.log, self.bytes = log, 0
        self._most = tail
        self._tail = bytearray()
        self.judges: list[Callable[[int, bytes], None]] = []

    def take(self, stream: int, part: bytes) -> None:
        if not part:
            return
        self.log.write(part)
        self._tail += part[-self._most :] if self._most else b""
        if len(self._tail) > 2 * self._most:
            del self._tail[: -self._most]
        for judge in self.judges:
            judge(stream, part)

    def tail(self) -> str:
        """The last bytes as text; a character that the cut goes through is left out."""
        last = bytes(self._tail[-self._most :]) if self._most else b""
        start = 0
        while start < min(3, len(last)) and last[start] & 0xC0 == 0x80:
            start += 1
        return readable(last[start:])


class Stream:
    """One pipe of the job and where its bytes go: to our own stdout or stderr, and to what is kept."""

    def __init__(self, source: int, target: int, kept: Kept, hidden: list[bytes]) -> None:
        self.source, self.target = source, target
        self.pending: bytes | memoryview = b""
        self._kept = kept
        self._redactor = Redactor(hidden)
        mode = os.fstat(target).st_mode
        self._at_once = not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)) or null(target)
        os.set_blocking(source, False)

    @property
    def open(self) -> bool:
        return self.source >= 0

    def read(self) -> bool:
        """Take one chunk; whether there was one."""
        try:
            part = os.read(self.source, CHUNK)
        except BlockingIOError:
            return False
        if not part:
            self.close()
            return False
        self._kept.bytes += len(part)
        self._give(self._redactor.feed(part))
        return True

    def close(self) -> None:
        if self.open:
            os.close(self.source)
            self.source = -1
            self._give(self._redactor.rest())

    def _give(self, part: bytes) -> None:
        self._kept.take(self.target, part)
        if self.target >= 0:
            self.pending = bytes(self.pending) + part if self.pending else memoryview(part)
            if self._at_once:
                self.pass_on()

    def pass_on(self) -> None:
        """Write what a poll has said will not block."""
        try:
            while self.pending and self.target >= 0:
                done = os.write(self.target, self.pending if self._at_once else self.pending[:SURE])
                self.pending = self.pending[done:]
                if not self._at_once and not _writable(self.target, 0):
                    return
        except OSError:  # nobody reads any more, or the disk behind it is full: not the job's business
            self.target, self.pending = -1, b""


def null(descriptor: int) -> bool:
    """Whether everything written there is thrown away."""
    ours, other = os.fstat(descriptor), os.stat(os.devnull)
    return stat.S_ISCHR(ours.st_mode) and ours.st_rdev == other.st_rdev


def _writable(descriptor: int, milliseconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(event & (select.POLLOUT | select.POLLERR | select.POLLHUP) for _, event in poll.poll(milliseconds))


def flush(streams: Sequence[Stream], stopped: Callable[[], bool]) -> None:
    """After the end: wait for slow readers as the job itself would have, but not for ever."""
    for stream in streams:
        until = time.monotonic() + PATIENCE
        while stream.pending and stream.target >= 0 and time.monotonic() < until and not stopped():
            if _writable(stream.target, 200):
                stream.pass_on()
                until = time.monotonic() + PATIENCE
