"""This machine as the conformance suite wants a host: every call counted and open to faults, then carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from reconciler.host.fake import FakeHost
from reconciler.host.limits import OUTPUT_LIMIT
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Completed, Response
from reconciler.model.state import HostFacts


class RealHost(FakeHost):
    def __init__(self, local: LocalHost | None = None) -> None:
        super().__init__()
        self.local = local or LocalHost()
        self.clock = self.local.clock

    def facts(self) -> HostFacts:
        return self._call("facts", "", self.local.facts)

    def which(self, program: str) -> str | None:
        return self._call("which", program, lambda: self.local.which(program))

    def processes(self, names: frozenset[str]) -> tuple[int, ...]:
        return self._call("processes", ",".join(sorted(names)), lambda: self.local.processes(names))

    def query(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        return self._call("query", " ".join(argv), lambda: self.local.query(argv, timeout=timeout, stdin=stdin))

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        return self._call("execute", " ".join(argv), lambda: self.local.execute(argv, timeout=timeout, stdin=stdin))

    def read(self, path: Path, *, limit: int = OUTPUT_LIMIT) -> bytes | None:
        return self._call("read", str(path), lambda: self.local.read(path, limit=limit))

    def write(
        self, path: Path, content: bytes, *, mode: int = 0o600, owner: str | None = None, group: str | None = None
    ) -> None:
        self._call("write", str(path), lambda: self.local.write(path, content, mode=mode, owner=owner, group=group))

    def remove(self, path: Path) -> None:
        self._call("remove", str(path), lambda: self.local.remove(path))

    def modified(self, path: Path) -> datetime | None:
        return self._call("modified", str(path), lambda: self.local.modified(path))

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
        def effect() -> Response:
            return self.local.request(
                socket, method, target, body=body, headers=headers, timeout=timeout, limit=limit, each=each
            )

        return self._call("request", f"{method} {target}", effect)
