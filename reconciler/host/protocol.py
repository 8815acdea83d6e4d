"""What a host can do, and the clock. Implementations: `local`, `readonly`, `fake`.

`query` promises to change nothing; `execute` may. A read-only host refuses `execute`, `write` and `remove`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from reconciler.model.frozen import dataclass
from reconciler.model.state import HostFacts


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended. `code` is its exit status, or minus the signal that killed it."""

    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What a service on a Unix socket answered. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


READING_METHODS = frozenset({"GET", "HEAD"})  # of HTTP: whatever else may change something


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits for others. The process is known only where the system allows; never its arguments."""

    protocol: str  # "tcp" | "udp"
    port: int
    address: str  # numeric; 0.0.0.0 or :: for all
    pid: int | None = None
    program: str | None = None


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What a path is, without following a link that it may be."""

    type: str  # "file" | "folder" | "link" | "other"
    mode: int  # the permission bits
    owner: str
    group: str


class Clock(Protocol):
    """Time as an argument: `now` is aware UTC, `monotonic` seconds for intervals."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Host(Protocol):
    """One machine. Every method raises HostError (or CommandTimeout) and nothing else for outside trouble."""

    clock: Clock

    def facts(self) -> HostFacts:
        """Name, platform, user and time zone."""
        ...

    def which(self, program: str) -> str | None:
        """Absolute path of a program on PATH, or None."""
        ...

    def query(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        """Run a program that only reads. A missing program raises HostError. Runs with LC_ALL=C."""
        ...

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        """Run a program that may change the host. On timeout its whole process group is killed. LC_ALL=C."""
        ...

    def probe_command(
        self, argv: Sequence[str], *, timeout: float, directory: str | None, environment: Mapping[str, str]
    ) -> Completed:
        """Run a health probe that a person wrote, in the user's own locale; combined output is bounded to 64 KiB."""
        ...

    def read(self, path: Path, *, limit: int = 16 * 2**20) -> bytes | None:
        """Content of a file, or None where there is no such file. Longer than `limit` bytes raises."""
        ...

    def write(
        self, path: Path, content: bytes, *, mode: int = 0o600, owner: str | None = None, group: str | None = None
    ) -> None:
        """Replace a file atomically: temporary file beside it, fsync, rename, fsync of the folder.

        It belongs to whom this process runs as, unless an owner or group is named.
        """
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; an absent one is fine."""
        ...

    def processes(self, names: frozenset[str]) -> tuple[int, ...]:
        """Ids of running processes with one of these command names, ascending."""
        ...

    def modified(self, path: Path) -> datetime | None:
        """When a file was last modified (aware UTC), or None where there is none."""
        ...

    def connect(self, address: str, port: int, *, timeout: float) -> None:
        """Open and close a TCP connection; raises HostError where it is refused or late."""
        ...

    def request(
        self,
        socket: Path,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = {},
        timeout: float,
        limit: int = 16 * 2**20,
        each: Callable[[bytes], None] | None = None,
    ) -> Response:
        """One HTTP exchange with a service on a Unix socket; a `body` is JSON. Any status is an answer.

        `headers` may hold secrets: they are sent, and never get into a message.

        GET and HEAD only read. Where nothing listens it raises NoService; a longer answer than `limit` raises.
        With `each`, the body of a success is handed over part by part as it comes, any number of bytes at a time, and
        is not in the response; `timeout` and `limit` then count from the last part.
        """
        ...

    def status(self, path: Path) -> FileStatus | None:
        """What stands at a path, or None where nothing does."""
        ...

    def listeners(self) -> tuple[Listener, ...]:
        """Every listening TCP socket and unconnected UDP socket, by port."""
        ...

    def can_bind(self, address: str, port: int, protocol: str) -> str | None:
        """Why nobody could start to listen there now, or None; found out by trying. "" is every address."""
        ...

    def report(self, text: str) -> None:
        """Say how far a long piece of work is, in a few words. While a step is applied, each report earns it time."""
        ...
