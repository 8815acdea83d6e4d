"""The conformance suite again, on a real user manager. Faults are thrown at it in one scenario: each costs 0.2 s."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, cast

import pytest

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.resource import Resource
from reconciler.model.state import Observation
from reconciler.provider import Wanted
from reconciler.providers.systemd.provider import Systemd
from reconciler.providers.systemd.shape import spelled, without_mark
from reconciler.providers.systemd.units import id_of, is_marked, names
from reconciler.testing.bench import Scenario
from reconciler.testing.conformance import ProviderConformance
from tests.conformance.test_systemd import FOREIGN, Link, SystemdHarness, automation, service
from tests.systemd.machine import RealHost, clear, folder, lying, running, systemctl

pytestmark = pytest.mark.systemd

ROOT = Path(__file__).parents[2]
ELSEWHERE = """
import pickle, sys
import reconciler.testing.conformance
from reconciler.providers.systemd.provider import Systemd
from tests.systemd.machine import RealHost
seen = Systemd().observe(RealHost(), pickle.load(sys.stdin.buffer))
sys.stdout.buffer.write(pickle.dumps(seen))
"""


class RealHarness(SystemdHarness):
    gaps: ClassVar[dict[str, str]] = {
        "test_an_unreadable_backend_is_not_an_empty_one": "a real manager is not broken for a test; the stand-in is",
        "test_changes_mean_the_same_without_the_texts_for_people": "needs two hosts, and there is one manager",
        "test_a_fresh_process_sees_the_same": "the tests of the whole walk look from a process of their own",
    }

    def host(self) -> FakeHost:
        clear()
        return RealHost()

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        return (
            (automation("a", command=["/bin/echo", "one"]), automation("a", command="echo one | tee 'a b'")),
            (automation("c", environment={"B": "it's 5%"}), automation("c", schedule={"at": "boot"})),
            (automation("f", missed="latest"), automation("f", timezone="Europe/Berlin")),
            (service("g"), service("g", stop={"signal": "SIGINT", "grace": 2.5}, environment={"X": "y"})),
        )

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        path = folder() / names(id_)[-1]
        path.write_bytes(path.read_bytes().replace(b"[Install]", b"# by hand\n[Install]"))

    def add_foreign(self, host: FakeHost) -> None:
        _put({name: content for name, content in FOREIGN.items() if b"\0" not in content})

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:
        ours = without_mark(spelled(resource.id, Systemd().canonical(resource)))
        _put({name.replace("reconciler-", "my-"): content for name, content in ours.files.items()})
        twins = [place.rpartition("/")[2].replace("reconciler-", "my-") for place in ours.links]
        systemctl("enable", "--now", *twins)
        return True

    def content(self, host: FakeHost) -> bytes:
        return repr((lying(), running())).encode()

    def observe_elsewhere(self, host: FakeHost, wanted: Sequence[Wanted]) -> Observation | None:
        command = [sys.executable, "-c", ELSEWHERE]
        done = subprocess.run(command, input=pickle.dumps(list(wanted)), cwd=ROOT, capture_output=True, check=True)
        return cast(Observation, pickle.loads(done.stdout))

    def foreign_bytes(self, host: FakeHost) -> bytes:
        found = {name: content for name, content in lying().items() if not _ours(name)}
        return repr((found, [name for name in running() if id_of(name) is None])).encode()


def _ours(name: str) -> bool:
    id_ = id_of(name.rpartition("/")[2])
    return id_ is not None and ("/" in name or is_marked((folder() / name).read_bytes(), id_))


def _put(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder() / name
        path.parent.mkdir(exist_ok=True, parents=True)
        if isinstance(content, Link):
            path.symlink_to(os.fsdecode(bytes(content)))
        else:
            path.write_bytes(content)


class TestRealSystemd(ProviderConformance):
    row = "systemd (real user manager)"
    every = 1 if os.environ.get("RECONCILER_TEST_FULL") else 3
    thinned: ClassVar[dict[str, str]] = {"faults": f"at every {every}. call of one mixed apply"}
    harness = RealHarness()

    @pytest.fixture(autouse=True)
    def _on_a_real_manager(self, real: RealHost) -> Iterator[None]:
        yield
        shutil.rmtree(Path(folder()), ignore_errors=True)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return (Scenario("mixed", self.first, self.mixed),)
