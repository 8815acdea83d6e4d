"""A host that looks and never touches: any other host, with whatever may change something refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from reconciler.host.limits import OUTPUT_LIMIT
from reconciler.host.protocol import READING_METHODS, Clock, Completed, FileStatus, Host, Listener, Response
from reconciler.model.errors import HostError
from reconciler.model.state import HostFacts

PATIENCE = 10.0  # seconds; a busy engine was seen to take one for its list
SILENCE = 2.0


class ReadOnlyHost:
    """Wraps a host. Reads pass through; writes raise HostError before anything happens.

    Somebody may be waiting for a look: a service that does not answer is given up after `patience` seconds, and
    `tell` hears a sentence about it after `silence` seconds.
    """

    def __init__(
        self,
        host: Host,
        tell: Callable[[str], None] | None = None,
        *,
        patience: float = PATIENCE,
        silence: float = SILENCE,
    ) -> None:
        self._host = host
        self.clock: Clock = host.clock
        self._tell, self._patience, self._silence = tell, patience, silence

    def facts(self) -> HostFacts:
        return self._host.facts()

    def which(self, program: str) -> str | None:
        return self._host.which(program)

    def query(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        return self._host.query(argv, timeout=timeout, stdin=stdin)

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:  # noqa: ARG002
        _refuse("run", " ".join(argv))

    def probe_command(
        self, argv: Sequence[str], *, timeout: float, directory: str | None, environment: Mapping[str, str]
    ) -> Completed:
        return self._host.probe_command(argv, timeout=timeout, directory=directory, environment=environment)

    def read(self, path: Path, *, limit: int = OUTPUT_LIMIT) -> bytes | None:
        return self._host.read(path, limit=limit)

    def write(
        self,
        path: Path,
        content: bytes,  # noqa: ARG002
        *,
        mode: int = 0o600,  # noqa: ARG002
        owner: str | None = None,  # noqa: ARG002
        group: str | None = None,  # noqa: ARG002
    ) -> None:
        _refuse("write", str(path))

    def remove(self, path: Path) -> None:
        _refuse("remove", str(path))

    def processes(self, names: frozenset[str]) -> tuple[int, ...]:
        return self._host.processes(names)

    def modified(self, path: Path) -> datetime | None:
        return self._host.modified(path)

    def connect(self, address: str, port: int, *, timeout: float) -> None:
        self._host.connect(address, port, timeout=timeout)

    def request(
        self,
        socket: Path,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = {},
        timeout: float,
        limit: int = OUTPUT_LIMIT,
        each: Callable[[bytes], None] | None = None,
    ) -> Response:
        if method not in READING_METHODS:
            _refuse(method, target)
        timeout = min(timeout, self._patience)
        with self._told(f"waiting for {socket} to answer, for at most {timeout:g} s"):
            return self._host.request(
                socket, method, target, body=body, headers=headers, timeout=timeout, limit=limit, each=each
            )

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Say what is waited for, once that has taken a while."""
        if self._tell is None:
            yield
            return
        import threading

        timer = threading.Timer(self._silence, self._tell, [what])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def status(self, path: Path) -> FileStatus | None:
        return self._host.status(path)

    def listeners(self) -> tuple[Listener, ...]:
        return self._host.listeners()

    def can_bind(self, address: str, port: int, protocol: str) -> str | None:
        return self._host.can_bind(address, port, protocol)

    def report(self, text: str) -> None:
        self._host.report(text)


def _refuse(verb: str, thing: str) -> NoReturn:
    raise HostError(f"cannot {verb} {thing}: this host is read-only")
