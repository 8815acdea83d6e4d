"""Where the supervisor keeps what it has: names in its folder, files replaced whole, the lock of the one instance."""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import Any

from reconciler.runner import tree

LOG_SIZE = 1 << 20  # bytes of the supervisor's own log before it starts anew; one older part is kept


class Place:
    """The folder `supervisor` of a state folder."""

    __slots__ = ("folder", "state")

    def __init__(self, state: str) -> None:
        self.state = os.path.abspath(state)
        self.folder = f"{self.state}/supervisor"

    def __getattr__(self, name: str) -> str:
        return f"{self.folder}/{_NAMES[name]}"

    def prepare(self) -> None:
        """Make the folders, for nobody else to read."""
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        for folder in (self.folder, self.logs, self.pipes):
            os.makedirs(folder, mode=0o700, exist_ok=True)


_NAMES = {
    "definitions": "definitions.json",  # what is wanted; written by the provider
    "accepted": "accepted.json",  # the last definitions that could be understood
    "children": "children.json",  # processes of services
    "handled": "handled.json",  # up to where the slots of each automation are done
    "socket": "socket",
    "lock": "lock",
    "log": "supervisor.log",
    "logs": "logs",
    "pipes": "pipes",
}


def read(path: str) -> bytes | None:
    """The content of a file, or None where there is none. Raises OSError for any other trouble."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def replace(path: str, content: bytes) -> None:
    """Replace a file as a whole. A process that dies leaves the old or the new one; so does ours."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
        os.rename(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def remembered(path: str) -> dict[str, Any]:
    """A JSON object of our own making; anything else counts as nothing."""
    try:
        found = json.loads(read(path) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class Lock:
    """The kernel lock of the one instance. It goes with its holder; the file only names that."""

    def __init__(self, place: Place) -> None:
        self._descriptor = os.open(place.lock, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self) -> bool:
        """Whether it is ours now."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._sign()
        return True

    def wait(self) -> None:
        """Sleep until it is ours."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._sign()

    def _sign(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()} {tree.created(os.getpid())}\n".encode(), 0)

    @property
    def holder(self) -> str:
        """The pid of whoever holds it, as the file says."""
        return os.pread(self._descriptor, 100, 0).decode("ascii", "replace").partition(" ")[0] or "unknown"

    def close(self) -> None:
        os.close(self._descriptor)


class Diary:
    """The supervisor's own log. Trouble with it troubles nothing else."""

    def __init__(self, path: str, also: int = -1) -> None:
        self._path, self._also = path, also

    def __call__(self, message: str) -> None:
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {message}\n".encode(errors="backslashreplace")
        try:
            if self._also >= 0:
                os.write(self._also, line)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                if (written := os.write(descriptor, line)) < len(line):
                    os.ftruncate(descriptor, size)  # a disk that is full takes a whole line or none
                size += written
            finally:
                os.close(descriptor)
            if size > LOG_SIZE:
                os.rename(self._path, f"{self._path}.1")
        except OSError:
            return
