"""A host in memory for tests: files, programs and processes as plain data, its own time, and faults.

Deterministic. Nothing here touches the machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias, TypeVar

from reconciler.host.fake_calls import Call, Crash, Fault
from reconciler.host.fake_clock import START, FakeClock
from reconciler.host.limits import OUTPUT_LIMIT, PROBE_TAIL, NoService, TooLong
from reconciler.host.protocol import Clock, Completed, FileStatus, Listener, Response
from reconciler.model.errors import CommandTimeout, HostError
from reconciler.model.state import HostFacts

__all__ = ["FACTS", "START", "Call", "Crash", "FakeClock", "FakeHost", "Fault", "Program"]

T = TypeVar("T")

Program: TypeAlias = Callable[[Sequence[str], bytes], Completed]
"""A program of a fake host: whole argument list (its own name first) and standard input -> result."""

Service: TypeAlias = Callable[[str, str, bytes], Response]
"""A service on a Unix socket of a fake host: method, target and body -> response. It may raise HostError."""

FACTS = HostFacts(name="fake", platform="linux", user="tester", timezone="Europe/Berlin")


class FakeHost:
    """`programs` maps a name (`crontab`) to its behaviour; `running` a process id to its command name.

    `denied` holds paths that cannot be read or written; `services` maps the path of a Unix socket to what
    answers there; `listening` holds the open TCP ports; `sockets` listeners with
    their processes (a port of either can be connected to); `unbindable` says why a port cannot be taken although
    nobody is seen there, by (address, port, protocol); `time` is its clock.
    """

    def __init__(
        self,
        *,
        files: Mapping[str, bytes] | None = None,
        programs: Mapping[str, Program] | None = None,
        running: Mapping[int, str] | None = None,
        services: Mapping[str, Service] | None = None,
        listening: Iterable[tuple[str, int]] = (),
        facts: HostFacts = FACTS,
        clock: FakeClock | None = None,
    ) -> None:
        self.time = clock or FakeClock()
        self.clock: Clock = self.time
        self.files: dict[str, bytes] = dict(files or {})
        self.modes: dict[str, int] = {}
        self.times: dict[str, datetime] = {}
        self.programs: dict[str, Program] = dict(programs or {})
        self.running: dict[int, str] = dict(running or {})
        self.services: dict[str, Service] = dict(services or {})
        self.listening: set[tuple[str, int]] = set(listening)
        self.sockets: list[Listener] = []
        self.unbindable: dict[tuple[str, int, str], str] = {}
        self.owners: dict[str, tuple[str, str]] = {}
        self.folders: set[str] = set()  # besides those that files stand in
        self.links, self.denied = set[str](), set[str]()
        self.headers: dict[str, str] = {}  # of the last request
        self.host_facts = facts
        self.log: list[Call] = []
        self.said: list[str] = []  # what was reported
        self.pace = 0.0  # seconds between two lines of an answer that is handed over part by part
        self._faults: dict[int, Fault] = {}
        self._hooks: list[Callable[[Call], None]] = []
        self._in_hook = False
        self._lock = threading.RLock()

    @property
    def calls(self) -> int:
        """Host calls so far."""
        return len(self.log)

    def fail_at(
        self, number: int, error: HostError | str = "a fault put there by a test", *, before: bool = True
    ) -> None:
        """Make the `number`-th call from now (1 is the next) raise, before it takes effect (or just after)."""
        cause = error if isinstance(error, HostError) else HostError(f"cannot reach the host: {error}")
        self._faults[self.calls + number] = Fault(cause, before)

    def crash_at(self, number: int, *, before: bool = True) -> None:
        """Make the process die at the `number`-th call from now, before or just after its effect."""
        self._faults[self.calls + number] = Fault(Crash(f"at call {number}"), before)

    def on_call(self, hook: Callable[[Call], None]) -> None:
        """Call `hook` before each call takes effect; calls that it makes itself do not reach it again."""
        self._hooks.append(hook)

    def heal(self) -> None:
        """Drop every fault and hook, and give all paths back."""
        self._faults.clear()
        self._hooks.clear()
        self.denied.clear()

    def _call(self, method: str, target: str, effect: Callable[[], T]) -> T:
        with self._lock:
            call = Call(len(self.log) + 1, method, target)
            self.log.append(call)
            if not self._in_hook:
                self._run_hooks(call)
            fault = self._faults.pop(call.number, None)
            if fault and fault.before:
                raise fault.error
            result = effect()
            if fault:
                raise fault.error
            return result

    def _run_hooks(self, call: Call) -> None:
        self._in_hook = True
        try:
            for hook in tuple(self._hooks):
                hook(call)
        finally:
            self._in_hook = False

    def facts(self) -> HostFacts:
        return self._call("facts", "", lambda: self.host_facts)

    def which(self, program: str) -> str | None:
        return self._call("which", program, lambda: f"/usr/bin/{program}" if program in self.programs else None)

    def query(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:  # noqa: ARG002
        return self._call("query", " ".join(argv), lambda: self._start(argv, stdin))

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:  # noqa: ARG002
        return self._call("execute", " ".join(argv), lambda: self._start(argv, stdin))

    def probe_command(
        self,
        argv: Sequence[str],
        *,
        timeout: float,  # noqa: ARG002
        directory: str | None,  # noqa: ARG002
        environment: Mapping[str, str],  # noqa: ARG002
    ) -> Completed:
        done = self._call("probe_command", " ".join(argv), lambda: self._start(argv, b""))
        return Completed(done.code, (done.stdout + done.stderr)[-PROBE_TAIL:], b"")

    def _start(self, argv: Sequence[str], stdin: bytes) -> Completed:
        program = self.programs.get(argv[0].rsplit("/", 1)[-1])
        if program is None:
            raise HostError(f"cannot run {argv[0]}: there is no such program", hint=f"install {argv[0]}")
        return program(tuple(argv), stdin)

    def read(self, path: Path, *, limit: int = OUTPUT_LIMIT) -> bytes | None:
        def effect() -> bytes | None:
            self._permit("read", path)
            content = self.files.get(str(path))
            if content is not None and len(content) > limit:
                raise TooLong(f"cannot read {path}: it is longer than {limit} bytes")
            return content

        return self._call("read", str(path), effect)

    def write(
        self, path: Path, content: bytes, *, mode: int = 0o600, owner: str | None = None, group: str | None = None
    ) -> None:
        def effect() -> None:
            self._permit("write", path)
            self.links.discard(str(path))
            mine = self.host_facts.user
            self.owners[str(path)] = (owner or mine, group or mine)
            self.files[str(path)] = bytes(content)
            self.modes[str(path)] = mode
            self.times[str(path)] = self.clock.now()

        self._call("write", str(path), effect)

    def remove(self, path: Path) -> None:
        def effect() -> None:
            self._permit("remove", path)
            self.files.pop(str(path), None)
            self.modes.pop(str(path), None)
            self.times.pop(str(path), None)
            self.owners.pop(str(path), None)
            self.links.discard(str(path))

        self._call("remove", str(path), effect)

    def _permit(self, verb: str, path: Path) -> None:
        if str(path) in self.denied:
            raise HostError(f"cannot {verb} {path}: permission denied")

    def processes(self, names: frozenset[str]) -> tuple[int, ...]:
        return self._call(
            "processes",
            ",".join(sorted(names)),
            lambda: tuple(sorted(pid for pid, name in self.running.items() if name in names)),
        )

    def modified(self, path: Path) -> datetime | None:
        def effect() -> datetime | None:
            there = str(path) in self.files or str(path) in self.services
            return self.times.get(str(path), START) if there else None

        return self._call("modified", str(path), effect)

    def connect(self, address: str, port: int, *, timeout: float) -> None:  # noqa: ARG002
        def effect() -> None:
            if (address, port) not in self.listening and not any(
                one.port == port and one.protocol == "tcp" and one.address in (address, "0.0.0.0", "::")  # noqa: S104
                for one in self.sockets
            ):
                raise HostError(f"cannot connect to {address}:{port}: connection refused")

        self._call("connect", f"{address}:{port}", effect)

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
            self._permit("talk to", socket)
            service = self.services.get(str(socket))
            if service is None:
                raise NoService(f"cannot talk to {socket}: there is no such socket")
            self.headers = dict(headers)
            response = service(method, target, body)
            if len(response.body) > limit:
                raise HostError(f"cannot talk to {socket}: its answer is longer than {limit} bytes")
            return response

        response = self._call("request", f"{method} {target}", effect)
        if each is None or not 200 <= response.status < 300:
            return response
        for line in response.body.splitlines(keepends=True):
            self.time.advance(min(self.pace, timeout))
            if self.pace > timeout:
                raise CommandTimeout(f"cannot talk to {socket}: nothing came for {timeout:g} s")
            each(line)
        return replace(response, body=b"")

    def status(self, path: Path) -> FileStatus | None:
        def effect() -> FileStatus | None:
            self._permit("look at", path)
            text, mine = str(path), self.host_facts.user
            owner, group = self.owners.get(text, (mine, mine))
            if text in self.links:
                return FileStatus("link", 0o777, owner, group)
            if text in self.files:
                return FileStatus("file", self.modes.get(text, 0o644), owner, group)
            inside = text == "/" or any(name.startswith(f"{text}/") for name in (*self.files, *self.folders))
            return FileStatus("folder", 0o755, owner, group) if inside or text in self.folders else None

        return self._call("status", str(path), effect)

    def listeners(self) -> tuple[Listener, ...]:
        def effect() -> tuple[Listener, ...]:
            self._permit("list", Path("listeners"))
            plain = (Listener("tcp", port, address) for address, port in self.listening)
            return tuple(sorted((*plain, *self.sockets), key=lambda one: (one.port, one.protocol, one.address)))

        return self._call("listeners", "", effect)

    def can_bind(self, address: str, port: int, protocol: str) -> str | None:
        def effect() -> str | None:
            taken = {(a, p, "tcp") for a, p in self.listening} | {
                (s.address, s.port, s.protocol) for s in self.sockets
            }
            everywhere = {"", "0.0.0.0", "::"}  # noqa: S104
            for a, p, kind in taken:
                if (p, kind) == (port, protocol) and (a == address or a in everywhere or address in everywhere):
                    return "it is in use"
            return self.unbindable.get((address, port, protocol))

        return self._call("can_bind", f"{protocol} {address}:{port}", effect)

    def report(self, text: str) -> None:
        self.said.append(text)
