"""The embedded provider keeps every promise, with the real supervisor as its backend: files, socket and processes."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from reconciler.host.fake import FACTS, FakeHost
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Completed, Response
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import HostError
from reconciler.model.resource import Resource
from reconciler.model.state import Observation
from reconciler.provider import Provider, Wanted
from reconciler.providers.embedded.provider import Embedded
from reconciler.testing.builders import resource
from reconciler.testing.conformance import Harness, ProviderConformance
from tests.supervisor.place import until

ROOT = Path(__file__).parents[2]
_FOLDERS: list[Path] = []


class _Disk(MutableMapping[str, bytes]):
    """The files of a fake host, as they are on the disk under one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __getitem__(self, path: str) -> bytes:
        if not Path(path).is_file():
            raise KeyError(path)
        return Path(path).read_bytes()

    def __setitem__(self, path: str, content: bytes) -> None:
        LocalHost().write(Path(path), content)

    def __delitem__(self, path: str) -> None:
        Path(path).unlink()

    def __iter__(self) -> Iterator[str]:
        return (str(path) for path in self._root.rglob("*"))

    def __len__(self) -> int:
        return len(list(iter(self)))


class _Real(FakeHost):
    """Faults and the log of a fake host; files, programs and the socket are real."""

    def __init__(self, state: Path) -> None:
        super().__init__(facts=replace(FACTS, state=str(state)))
        self.state = state
        self.files = _Disk(state)  # type: ignore[assignment]
        self.programs = {"mkdir": self._run, Path(sys.executable).name: self._run}
        self.services = {str(state / "supervisor/socket"): self._ask}

    def _run(self, argv: Sequence[str], stdin: bytes) -> Completed:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(argv, input=stdin, capture_output=True, env=environment, timeout=60)
        return Completed(done.returncode, done.stdout, done.stderr)

    def _ask(self, method: str, target: str, body: bytes) -> Response:
        return LocalHost().request(self.state / "supervisor/socket", method, target, body=body, timeout=60)


def service(name: str, **spec: Json) -> Resource:
    filled: dict[str, Json] = {
        "command": ["sleep", "3600"],
        "environment": {},
        "ports": [],
        "restart": {"policy": "always"},
        "stop": {"signal": "SIGTERM", "grace": 10},
        **spec,
    }
    return resource(f"Service/conf-{name}", source="services.yaml", line=1, **filled)


def automation(name: str, **spec: Json) -> Resource:
    filled: dict[str, Json] = {
        "schedule": "0 6 1 1 *",
        "command": ["true"],
        "environment": {},
        "runner": "on",
        **spec,
    }
    return resource(f"Automation/conf-{name}", source="jobs.yaml", line=1, **filled)


class EmbeddedHarness(Harness):
    gaps: ClassVar[Mapping[str, str]] = {
        "test_a_foreign_twin_is_seen_adopted_and_released": "every definition of the supervisor is ours"
    }

    def provider(self) -> Provider:
        return Embedded()

    def host(self) -> FakeHost:
        state = Path(tempfile.mkdtemp(prefix="rc-", dir="/tmp"))
        _FOLDERS.append(state)
        return _Real(state)

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        budget: Json = {"policy": "on-failure", "budget": {"limit": 5, "within": 600}}
        after = replace(
            service("b", stop={"signal": "SIGINT", "grace": 2}), depends_on=(ResourceId("Service", "conf-a"),)
        )
        return (
            (service("a"), service("a", command="exec sleep 3601", workingDirectory="/tmp", restart=budget)),
            (service("b", environment={"A": "1"}), after),
            (automation("c"), automation("c", schedule={"every": 86400}, missed="all", environment={"B": "ü"})),
            (
                automation("d", schedule={"at": "boot"}),
                automation("d", timezone="Europe/Berlin", workingDirectory="~/x"),
            ),
        )

    def hostile(self, text: str) -> Resource:
        return automation(
            "hostile", command=["printf", text], environment={"TEXT": text}, workingDirectory=text or "/"
        )

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        path = _definitions(host)
        found = json.loads(path.read_bytes())
        for entry in found["entries"]:
            if entry["id"] == str(id_):
                entry["state"]["environment"] = {"BY": "hand"}
        from reconciler.providers.embedded.table import parse, spell

        path.write_bytes(spell(parse(json.dumps(found).encode())) or b"")

    def add_foreign(self, host: FakeHost) -> None:
        folder = _definitions(host).parent
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "notes.txt").write_text("somebody's notes\n")
        (folder / "definitions.json.orig").write_text('{"v":1,"entries":[')

    def content(self, host: FakeHost) -> bytes:
        path = _definitions(host)
        return self.foreign_bytes(host) + (path.read_bytes() if path.exists() else b"nothing")

    def foreign_bytes(self, host: FakeHost) -> bytes:
        folder = _definitions(host).parent
        names = ("notes.txt", "definitions.json.orig")
        return b"".join((folder / name).read_bytes() for name in names if (folder / name).exists())

    def observe_elsewhere(self, host: FakeHost, wanted: Sequence[Wanted]) -> Observation | None:
        code = (
            "import pickle, sys\n"
            "from reconciler.host.local import LocalHost\n"
            "from reconciler.providers.embedded.provider import Embedded\n"
            "found = Embedded().observe(LocalHost(state=sys.argv[1]), pickle.load(sys.stdin.buffer))\n"
            "sys.stdout.buffer.write(pickle.dumps(found))"
        )
        argv = [sys.executable, "-c", code, host.facts().state]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            argv, input=pickle.dumps(list(wanted)), capture_output=True, env=environment, check=True
        )
        found: Observation = pickle.loads(done.stdout)
        return found

    def break_reading(self, host: FakeHost) -> None:
        path = _definitions(host)
        path.write_bytes(path.read_bytes()[:-20])
        path.with_name("accepted.json").unlink()  # or that would do in its place


def _definitions(host: FakeHost) -> Path:
    return Path(host.facts().state) / "supervisor/definitions.json"


def end(state: Path) -> None:
    """Stop the supervisor of a folder, where one runs."""
    with suppress(HostError):
        LocalHost().request(state / "supervisor/socket", "POST", "/stop", timeout=30)
        until(lambda: not (state / "supervisor/socket").exists())  # it writes into the folder until then
    shutil.rmtree(state, ignore_errors=True)


class TestEmbedded(ProviderConformance):
    row = "embedded (real supervisor)"
    every = 1 if os.environ.get("RECONCILER_TEST_FULL") else 3
    thinned: ClassVar[dict[str, str]] = {"faults": f"at every {every}. call"}
    harness = EmbeddedHarness()

    @pytest.fixture(autouse=True)
    def _leaves_nothing_running(self) -> Iterator[None]:
        yield
        while _FOLDERS:
            end(_FOLDERS.pop())
