"""A host whose calls all end before one deadline: how the engine bounds the time of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from reconciler.host.protocol import Clock, Completed, FileStatus, Host, Listener, Response
from reconciler.model.errors import CommandTimeout, HostError
from reconciler.model.state import HostFacts


class DeadlineHost:
    """Wraps a host. `deadline` is on its monotonic clock; a call after it raises CommandTimeout and does nothing.

    Each report moves it to `more` seconds from then, up to `last`, and goes to `tell`. While `stopping` has a reason,
    an answer that comes part by part is not waited for.
    """

    def __init__(
        self,
        host: Host,
        deadline: float,
        *,
        more: float = 0.0,
        last: float = 0.0,
        tell: Callable[[str], None] | None = None,
        stopping: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._host = host
        self._deadline = deadline
        self._more = more
        self._last = last
        self._tell = tell or host.report
        self._stopping = stopping
        self.clock: Clock = host.clock

    def _left(self, what: str, timeout: float) -> float:
        left = self._deadline - self.clock.monotonic()
        if left <= 0:
            raise CommandTimeout(f"cannot {what}: the time for this step is used up")
        return min(left, timeout)

    def facts(self) -> HostFacts:
        return self._host.facts()

    def which(self, program: str) -> str | None:
        return self._host.which(program)

    def query(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        return self._host.query(argv, timeout=self._left(f"run {argv[0]}", timeout), stdin=stdin)

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        return self._host.execute(argv, timeout=self._left(f"run {argv[0]}", timeout), stdin=stdin)

    def probe_command(
        self, argv: Sequence[str], *, timeout: float, directory: str | None, environment: Mapping[str, str]
    ) -> Completed:
        left = self._left(f"run {argv[0]}", timeout)
        return self._host.probe_command(argv, timeout=left, directory=directory, environment=environment)

    def read(self, path: Path, *, limit: int = 16 * 2**20) -> bytes | None:
        return self._host.read(path, limit=limit)

    def write(
        self, path: Path, content: bytes, *, mode: int = 0o600, owner: str | None = None, group: str | None = None
    ) -> None:
        self._left(f"write {path}", 0.0)
        self._host.write(path, content, mode=mode, owner=owner, group=group)

    def remove(self, path: Path) -> None:
        self._left(f"remove {path}", 0.0)
        self._host.remove(path)

    def processes(self, names: frozenset[str]) -> tuple[int, ...]:
        return self._host.processes(names)

    def modified(self, path: Path) -> datetime | None:
        return self._host.modified(path)

    def connect(self, address: str, port: int, *, timeout: float) -> None:
        self._host.connect(address, port, timeout=self._left(f"connect to {address}:{port}", timeout))

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
        def in_time(part: bytes) -> None:
            self._left(f"hear {socket} out", 0.0)
            if (why := self._stopping()) is not None:
                raise HostError(f"cannot hear {socket} out: stopped by {why}")
            each(part)  # type: ignore[misc]

        left = self._left(f"ask {socket}", timeout)
        heard = in_time if each else None
        return self._host.request(
            socket, method, target, body=body, headers=headers, timeout=left, limit=limit, each=heard
        )

    def status(self, path: Path) -> FileStatus | None:
        return self._host.status(path)

    def listeners(self) -> tuple[Listener, ...]:
        return self._host.listeners()

    def can_bind(self, address: str, port: int, protocol: str) -> str | None:
        return self._host.can_bind(address, port, protocol)

    def report(self, text: str) -> None:
        self._deadline = max(self._deadline, min(self.clock.monotonic() + self._more, self._last))
        self._tell(text)
