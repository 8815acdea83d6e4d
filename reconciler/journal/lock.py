"""One writer at a time: a kernel lock on `<state folder>/lock`, which names its holder.

The kernel lets go when the holder dies, so the file itself means nothing and is never removed.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.host.protocol import Clock
from reconciler.model.codec import decode, encode
from reconciler.model.errors import JournalError, LockBusy
from reconciler.model.frozen import dataclass

FILE = "lock"
_LONGEST = 4096  # bytes of a holder's line
_TRIES = 20  # while the file names nobody who lives: somebody is between locking and writing, or only looks
_PAUSE = 0.005
_HINT = "check who owns the folder and its mode, or name another one in RECONCILER_STATE_DIR"
_SPACE = "free some space there; nothing was changed"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_BUSY_CODES = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock, and since when (aware, UTC)."""

    pid: int
    host: str
    purpose: str
    started: datetime

    def __str__(self) -> str:
        return f"{self.purpose} (process {self.pid} on {self.host}) since {self.started:%Y-%m-%d %H:%M:%S} UTC"


class WriterLock:
    """The right to change the host. Held until `release`, the end of a `with` block, or the death of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, directory: Path, *, purpose: str, clock: Clock) -> WriterLock:
        """Take the lock or raise LockBusy at once. `purpose` is the command, as in "cannot apply"."""
        path = directory / FILE
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Not truncated: the line of a living holder must stay readable.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _lock(descriptor, path, purpose, clock)
                _write(descriptor, Holder(os.getpid(), os.uname().nodename, purpose, clock.now().astimezone(UTC)))
            except BaseException:
                os.close(descriptor)
                raise
        except OSError as error:
            cause, hint = error.strerror or str(error), _SPACE if error.errno in _FULL else _HINT
            raise JournalError(f"cannot take the lock: {cause}", where=str(path), hint=hint) from error
        return cls(descriptor)

    def release(self) -> None:
        """Let go; more than once is fine."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder(directory: Path) -> Holder | None:
    """Who holds the lock right now, or None. Changes nothing, and works on a folder that is only readable."""
    path = directory / FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        cause = error.strerror or str(error)
        raise JournalError(f"cannot see who holds the lock: {cause}", where=str(path), hint=_HINT) from error
    try:
        found = _read(descriptor)
        if found is None or _try(descriptor, fcntl.LOCK_SH):
            return None
        return _read(descriptor) or found
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, purpose: str, clock: Clock) -> None:
    """Lock, or raise LockBusy. Waits a moment only while no living holder is named."""
    found: Holder | None = None
    for _ in range(_TRIES):
        if _try(descriptor, fcntl.LOCK_EX):
            return
        found = _read(descriptor)
        if found is not None and _lives(found):
            break
        found = None
        clock.sleep(_PAUSE)
    raise LockBusy(
        f"cannot {purpose}: {_described(found)}", where=str(path), hint="wait until it has ended, or stop it"
    )


def _described(found: Holder | None) -> str:
    if found is None:
        return "another process holds the lock"
    since = found.started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"pid {found.pid} ({found.purpose}) on {found.host} has held the lock since {since}"


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY_CODES:
            return False
        raise
    return True


def _write(descriptor: int, holder: Holder) -> None:
    """One write of one line, the rest of an older line cut off after it: a reader never sees half of either."""
    line = json.dumps(encode(holder)).encode() + b"\n"
    os.pwrite(descriptor, line, 0)
    os.ftruncate(descriptor, len(line))


def _read(descriptor: int) -> Holder | None:
    """The holder that the file names; None where its first line is not one."""
    line, end, _ = os.pread(descriptor, _LONGEST, 0).partition(b"\n")
    if not end:
        return None
    try:
        return decode(Holder, json.loads(line))
    except ValueError:
        return None


def _lives(found: Holder) -> bool:
    """Whether that process exists; on another host (a container sharing the folder) it is taken for alive."""
    if found.host != os.uname().nodename:
        return True
    try:
        os.kill(found.pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
