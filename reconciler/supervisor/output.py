"""The output of one service: from a named pipe, which outlives us, into a log that is rotated.

On Linux the bytes go from pipe to file inside the kernel, so that our death between two steps loses none.
A log that cannot be written never stops a service: what does not fit is dropped, counted and said.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time

from reconciler.runner.text import why

CAPACITY = 1 << 20  # bytes that the pipe holds while nobody reads
CHUNK = 1 << 18
LONGEST = 1 << 16  # bytes of a line for whose end a rotation waits
TAIL = 4096


class Output:
    """One pipe and its log. `limit` is the size at which a new file is begun, `keep` how many old ones stay."""

    def __init__(self, pipe: str, log: str, limit: int = 10 << 20, keep: int = 5) -> None:
        self._pipe, self._log, self._limit, self._keep = pipe, log, limit, keep
        self._splices = hasattr(os, "splice")
        self._file, self._size, self._lost = -1, 0, 0
        self.trouble = ""  # why there is no pipe, or why output was lost
        self.descriptor = -1  # our end; negative where the pipe could not be made
        try:
            self.descriptor = _opened(pipe)
        except OSError as error:
            self.trouble = why(error)

    def writer(self) -> int:
        """An end for the service. Opened to read as well: its writes never fail for want of a reader.

        Where there is no pipe, its output goes nowhere: a service is worth more than its log.
        """
        try:
            return os.open(self._pipe if self.descriptor >= 0 else os.devnull, os.O_RDWR)
        except OSError as error:
            self.trouble = why(error)
            return os.open(os.devnull, os.O_RDWR)

    def drain(self, most: int = 16 * CHUNK) -> None:
        """Move what is there, at most so much: others want to be served too."""
        while most > 0:
            moved = self._move(CHUNK)
            if moved <= 0:
                return
            most -= moved
            if self._size >= self._limit and self._at_line_end():
                self._rotate()

    def close(self) -> None:
        if self.descriptor >= 0:
            self.drain()
        for descriptor in (self.descriptor, self._file):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptor = self._file = -1

    def forget(self) -> None:
        """The service is no more: the pipe goes, its logs stay."""
        self.close()
        try:
            os.unlink(self._pipe)
        except OSError:
            return

    def tail(self, lines: int = 10) -> list[str]:
        """The last lines of the log."""
        try:
            with open(self._log, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
                return file.read().decode("utf-8", "replace").splitlines()[-lines:]
        except OSError:
            return []

    def _move(self, count: int) -> int:
        """Bytes moved from the pipe into the log; 0 where there is nothing to move."""
        try:
            if self._file < 0:
                self._open()
            if self._lost:
                self._confess()
            moved = self._carry(count)
        except BlockingIOError:
            return 0
        except OSError as error:
            return self._drop(error)
        self._size += moved
        return moved

    def _carry(self, count: int) -> int:
        if self._splices:
            try:
                return os.splice(self.descriptor, self._file, count, offset_dst=self._size)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._splices = False  # a file system that does not know how
        data = os.read(self.descriptor, count)
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._size + written)
        except OSError as error:
            self._lost += len(data) - written
            self.trouble = why(error)
        return written

    def _drop(self, error: OSError) -> int:
        """Take the output anyway, or the service would wait for a disk that is full."""
        try:
            gone = len(os.read(self.descriptor, CHUNK))
        except OSError:
            return 0
        self._lost += gone
        self.trouble = why(error)
        return gone

    def _confess(self) -> None:
        note = f"[reconciler: {self._lost} bytes of output are not here: {self.trouble}]\n".encode()
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            note = b"\n" + note
        if os.pwrite(self._file, note, self._size) == len(note):
            self._size += len(note)
            self._lost = 0

    def _open(self) -> None:
        self._file = os.open(self._log, os.O_RDWR | os.O_CREAT, 0o600)
        self._size = os.fstat(self._file).st_size

    def _at_line_end(self) -> bool:
        """Go on byte by byte to the end of the line, so that no file ends within one. One that never ends is cut."""
        for _ in range(LONGEST):
            if self._file < 0 or os.pread(self._file, 1, self._size - 1) == b"\n":
                return self._file >= 0
            if self._move(1) <= 0:
                return False  # the rest of the line is still to come
        return True

    def _rotate(self) -> None:
        """The log becomes LOG.1, and so on. Whatever fails leaves a log that is too long, and nothing worse."""
        try:
            for number in range(self._keep, 0, -1):
                older = f"{self._log}.{number - 1}" if number > 1 else self._log
                if os.path.exists(older):
                    os.rename(older, f"{self._log}.{number}")
        except OSError:
            return
        os.close(self._file)
        self._file = -1


def _opened(path: str) -> int:
    """Our end of the named pipe, made where it is missing. Held to write as well, so that it never reports an end."""
    try:
        if not stat.S_ISFIFO(os.lstat(path).st_mode):
            os.rename(path, f"{path}.{time.time_ns()}")
            os.mkfifo(path, 0o600)
    except FileNotFoundError:
        os.mkfifo(path, 0o600)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, CAPACITY)
        except OSError:
            return descriptor  # it holds 64 KiB then
    return descriptor
