"""`reconcile` that SIGKILL ends at a boundary: before or within a write. Before the next one is after the last one.

As a program: LOG NUMBER ARGUMENTS…  It notes every boundary in LOG, one line each, and dies at that number (from 1;
0: never). The product runs as it is; only its doors to the journal and to the host are told to count.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.machine import Machine


class Boundaries:
    """Counts boundaries, from any thread, and ends the process at one of them."""

    def __init__(self, log: Path, number: int) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._number = number
        self._count = 0
        self._turn = threading.Lock()
        self.writing = threading.local()

    def at(self, what: str) -> None:
        with self._turn:
            self._count += 1
            os.write(self._log, f"{what}\n".encode())
            if self._count == self._number:
                os.kill(os.getpid(), signal.SIGKILL)

    def within(self, what: str) -> None:
        """Between the two ends of something that writes; nothing where it only reads."""
        if getattr(self.writing, "now", False):
            self.at(f"within {what}")

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        self.at(f"before {what}")
        self.writing.now = True
        try:
            yield
        finally:
            self.writing.now = False


def install(counting: Boundaries) -> None:
    from reconciler.host import local, process, unix_http
    from reconciler.host.protocol import READING_METHODS
    from reconciler.journal import journal, schema

    _host(local.LocalHost, counting, READING_METHODS)
    _after(local, "_write_synced", lambda: counting.within("write: not yet in its place"))
    _after(process, "_start", lambda: counting.within("program: it runs"))
    _after(unix_http._Stream, "send", lambda: counting.within("request: it is sent"))
    original = journal.transaction

    def transaction(connection: Any) -> Any:
        counting.at("before journal")
        return original(connection)

    journal.transaction = schema.transaction = transaction


def _host(host: Any, counting: Boundaries, reading: frozenset[str]) -> None:
    execute, request, write, remove = host.execute, host.request, host.write, host.remove

    def counted_execute(self: Any, argv: Any, **more: Any) -> Any:
        with counting.around(" ".join(argv[:6])):
            return execute(self, argv, **more)

    def counted_request(self: Any, socket: Path, method: str, target: str, **more: Any) -> Any:
        if method in reading:
            return request(self, socket, method, target, **more)
        with counting.around(f"{method} {target}"):
            return request(self, socket, method, target, **more)

    def counted_write(self: Any, path: Path, *rest: Any, **more: Any) -> Any:
        with counting.around(f"write {path.name}"):
            return write(self, path, *rest, **more)

    def counted_remove(self: Any, path: Path) -> Any:
        with counting.around(f"remove {path.name}"):
            return remove(self, path)

    host.query = execute  # on this machine both run a program; only the other one may write
    host.execute, host.request, host.write, host.remove = (
        counted_execute,
        counted_request,
        counted_write,
        counted_remove,
    )


def _after(owner: Any, name: str, then: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **more: Any) -> Any:
        result = original(*arguments, **more)
        then()
        return result

    setattr(owner, name, wrapped)


def run_to(machine: Machine, number: int, *arguments: object) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a command that dies at boundary `number`, and the boundaries that it came to."""
    log = machine.folder / "boundaries.log"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.boundary", str(log), str(number), *map(str, arguments)],
        cwd=machine.folder,
        env={**machine.environment(), "PYTHONPATH": str(root)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done, log.read_text().splitlines()


if __name__ == "__main__":
    from reconciler.cli.main import main

    install(Boundaries(Path(sys.argv[1]), int(sys.argv[2])))
    sys.argv = ["reconcile", *sys.argv[3:]]
    sys.exit(main())
