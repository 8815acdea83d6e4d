"""The same suite on the launchd of a real Mac. Written where there is none: it has not run there yet.

It puts agents named `conf-…` into one's own LaunchAgents, for the time of each check, and removes them.
"""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.limits import OUTPUT_LIMIT
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Completed
from reconciler.model.address import ResourceId
from reconciler.model.resource import Resource
from reconciler.model.state import HostFacts
from reconciler.providers.launchd.definition import label_of
from reconciler.testing.conformance import ProviderConformance
from tests.conformance.test_launchd import LaunchdHarness, is_ours
from tests.conformance_table import REAL_LAUNCHD

FOREIGN = "com.example.reconciler-conformance"
FAULTS = "every host call is a launchctl that really waits: hours; the stand-in runs these"


def why_not() -> str | None:
    if sys.platform != "darwin":
        return "needs a Mac"
    done = subprocess.run(["launchctl", "print", f"gui/{os.getuid()}"], capture_output=True)
    return "needs somebody logged in at the screen" if done.returncode or os.getuid() == 0 else None


class RealHost(FakeHost):
    """This machine, with the call log and the faults of a fake one."""

    def __init__(self) -> None:
        super().__init__()
        self.local = LocalHost()
        self.clock = self.local.clock
        self.agents = Path.home() / "Library" / "LaunchAgents"

    def facts(self) -> HostFacts:
        return self._call("facts", "", self.local.facts)

    def which(self, program: str) -> str | None:
        return self._call("which", program, lambda: self.local.which(program))

    def query(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        return self._call("query", " ".join(argv), lambda: self.local.query(argv, timeout=timeout, stdin=stdin))

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        return self._call("execute", " ".join(argv), lambda: self.local.execute(argv, timeout=timeout, stdin=stdin))

    def read(self, path: Path, *, limit: int = OUTPUT_LIMIT) -> bytes | None:
        return self._call("read", str(path), lambda: self.local.read(path, limit=limit))

    def write(self, path: Path, content: bytes, *, mode: int = 0o600) -> None:
        self._call("write", str(path), lambda: self.local.write(path, content, mode=mode))

    def remove(self, path: Path) -> None:
        self._call("remove", str(path), lambda: self.local.remove(path))

    def modified(self, path: Path) -> datetime | None:
        return self._call("modified", str(path), lambda: self.local.modified(path))


def launchctl(*arguments: str) -> int:
    return subprocess.run(["launchctl", *arguments], capture_output=True).returncode


def load(path: Path, label: str) -> None:
    """As a patient person would: unload, wait until it is gone, load."""
    import time

    target = f"gui/{os.getuid()}"
    launchctl("bootout", f"{target}/{label}")
    for _ in range(100):
        if launchctl("print", f"{target}/{label}") != 0 and launchctl("bootstrap", target, str(path)) == 0:
            return
        time.sleep(0.3)
    pytest.fail(f"launchd did not load {path}")


class RealHarness(LaunchdHarness):
    gaps: ClassVar[Mapping[str, str]] = {
        "test_it_says_whether_it_can_be_used": "a fake host without programs finds none",
        "test_an_unreadable_backend_is_not_an_empty_one": "a real launchctl cannot be made to fail on demand",
        "test_a_fault_while_observing_is_never_taken_for_absence": FAULTS,
        "test_after_a_fault_at_any_call_a_second_run_converges": FAULTS,
        "test_after_a_fault_at_any_call_it_can_be_undone": FAULTS,
    }

    def host(self) -> FakeHost:
        clean()
        return RealHost()

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        assert isinstance(host, RealHost)
        path = host.agents / f"{label_of(id_)}.plist"
        edited = plistlib.loads(path.read_bytes()) | {"ProgramArguments": ["/bin/echo", "by hand"], "Nice": 5}
        path.write_bytes(plistlib.dumps(edited))
        load(path, label_of(id_))

    def add_foreign(self, host: FakeHost) -> None:
        assert isinstance(host, RealHost)
        host.agents.mkdir(parents=True, exist_ok=True)
        path = host.agents / f"{FOREIGN}.plist"
        path.write_bytes(plistlib.dumps({"Label": FOREIGN, "Program": "/usr/bin/true", "StartInterval": 86400}))
        load(path, FOREIGN)

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:
        return False

    def content(self, host: FakeHost) -> bytes:
        return self._held(host, ours=True)

    def foreign_bytes(self, host: FakeHost) -> bytes:
        return self._held(host, ours=False)

    def _held(self, host: FakeHost, *, ours: bool) -> bytes:
        assert isinstance(host, RealHost)
        parts = []
        for path in sorted(host.agents.glob("*.plist")):
            content = path.read_bytes()
            if ours or not is_ours(content):
                loaded = launchctl("print", f"gui/{os.getuid()}/{path.stem}") == 0
                parts.append(b"%s %d %s" % (path.name.encode(), loaded, content))
        return b"\n".join(parts)

    def break_reading(self, host: FakeHost) -> None:
        raise AssertionError("a gap")


def clean() -> None:
    for path in (Path.home() / "Library" / "LaunchAgents").glob("*.plist"):
        if path.name == f"{FOREIGN}.plist" or (".conf-" in path.name and is_ours(path.read_bytes())):
            launchctl("bootout", f"gui/{os.getuid()}/{path.stem}")
            path.unlink()


@pytest.mark.launchd
class TestRealLaunchd(ProviderConformance):
    row = REAL_LAUNCHD
    harness = RealHarness()

    @pytest.fixture(autouse=True)
    def _real(self) -> Iterator[None]:
        why = why_not()
        if why is not None:
            if os.environ.get("CI") and sys.platform == "darwin":
                pytest.fail(f"there is no launchd to test on, and this is CI: {why}")
            pytest.skip(why)
        yield
        clean()
