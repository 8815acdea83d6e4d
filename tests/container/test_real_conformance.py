"""The conformance suite on a real Docker and a real Podman. A bench costs a second there: some levels are thinned."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, cast

import pytest

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.resource import Resource
from reconciler.model.state import Observation
from reconciler.provider import Provider, Wanted
from reconciler.providers.container.api import Engine
from reconciler.providers.container.provider import Container
from reconciler.providers.container.rows import Row, row_of
from reconciler.providers.container.spec import ID, NETWORK, body, canonical
from reconciler.testing.bench import Scenario
from reconciler.testing.conformance import Harness, ProviderConformance
from reconciler.testing.harness import HOSTILE_TEXTS
from tests.container.conftest import NETWORKS, OURS, clear, real
from tests.container.test_engines import IMAGE, LOOP, OTHER, ports
from tests.container.world import service
from tests.ports import free_port
from tests.real_host import RealHost

pytestmark = pytest.mark.engines

PORT = free_port()
SLEEPER: Mapping[str, Json] = {"Image": IMAGE, "Cmd": ["sh", "-c", LOOP], "StopTimeout": 1}


def web(name: str, **spec: Json) -> Resource:
    stop: Json = {"signal": "SIGTERM", "grace": 1}
    return service(name, **{"image": IMAGE, "command": LOOP, "stop": stop, **spec})


ELSEWHERE = """
import pickle, sys
from reconciler.host.local import LocalHost
provider, wanted = pickle.load(sys.stdin.buffer)
pickle.dump(provider.observe(LocalHost(), wanted), sys.stdout.buffer)
"""


class RealHarness(Harness):
    """`engine` is set for the time of a test."""

    engine: Engine | None = None
    gaps: ClassVar[Mapping[str, str]] = {
        "test_an_unreadable_backend_is_not_an_empty_one": "a real engine is not broken for a test; the stand-in is",
        "test_changes_mean_the_same_without_the_texts_for_people": "needs two hosts at once, and there is one engine",
    }

    @property
    def _engine(self) -> Engine:
        assert self.engine is not None
        return self.engine

    def provider(self) -> Provider:
        socket = self.engine.socket if self.engine else "/nowhere"
        return Container({"DOCKER_HOST": f"unix://{socket}", "HOME": "/root"})

    def host(self) -> FakeHost:
        """Cleared, and waited for: Podman gives back a removed container's port a little later."""
        clear(self._engine)
        host = RealHost()
        for _ in range(100):
            if host.local.can_bind("127.0.0.1", PORT, "tcp") is None:
                break
            host.clock.sleep(0.05)
        return host

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        more: dict[str, Json] = {"hostname": "c", "user": "nobody", "volumes": ["/srv:/s:ro"]}
        return (
            (web("conf-a"), web("conf-a", command=f"echo 'a b'; {LOOP}", image=OTHER, environment={"A": "1"})),
            (web("conf-b", ports=ports(PORT)), web("conf-b", ports=ports(PORT), restart={"policy": "no"})),
            (web("conf-c", networks=["conf-back"]), web("conf-c", networks=["conf-front", "conf-middle"], **more)),
        )

    def hostile(self, text: str) -> Resource:
        one = web("hostile", command=["sh", "-c", LOOP, text], environment={"TEXT": text})
        return service(one.id.name, **{**one.spec, "restart": {"policy": "no"}})

    def observe_elsewhere(self, host: FakeHost, wanted: Sequence[Wanted]) -> Observation | None:
        asked = pickle.dumps((self.provider(), wanted))
        return cast(
            Observation, pickle.loads(subprocess.check_output([sys.executable, "-c", ELSEWHERE], input=asked))
        )

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        (found,) = [row for row in self._rows() if row.name == id_.name]
        self._engine.pause(found.id)

    def add_foreign(self, host: FakeHost) -> None:
        for name, labels in (
            ("theirs", {"com.docker.compose.project": "x"}),
            ("conf-a.reconciler-old-theirs", {}),
            ("conf-b-twin", {ID: "not an address"}),
        ):
            self._engine.create(name, {**SLEEPER, "Labels": labels})
        self._engine.make_network("conf-theirs", {"a": "b"})

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:
        state = canonical(resource)
        wanted = [str(name) for name in state.attributes.get("networks", ())]  # type: ignore[union-attr]
        for network in wanted:
            self._engine.make_network(network, {})
        made = self._engine.create(resource.id.name, body(state, {"mine": "yes"}, "/root"))
        for network in wanted[1:]:
            self._engine.connect(network, made)
        self._engine.start(made)
        return True

    def content(self, host: FakeHost) -> bytes:
        return self._held(ours=True)

    def foreign_bytes(self, host: FakeHost) -> bytes:
        return self._held(ours=False)

    def break_reading(self, host: FakeHost) -> None:
        raise AssertionError("a gap")

    def _rows(self) -> list[Row]:
        return [row for row in map(row_of, self._engine.containers()) if row.name.startswith(OURS)]

    def _held(self, *, ours: bool) -> bytes:
        """Each container itself, where and how it stands, and the networks with their labels."""
        rows = [
            (row.id, row.name, "ended" if not row.runs else row.status, dict(row.labels), sorted(row.networks))
            for row in self._rows()
            if ours or row.owner is None
        ]
        networks = {}
        for name in NETWORKS:
            labels = (self._engine.network(name) or {}).get("Labels")
            if isinstance(labels, dict) and (ours or NETWORK not in labels):
                networks[name] = labels
        return json.dumps([sorted(rows), networks], sort_keys=True).encode()


class RealConformance(ProviderConformance):
    thinned: ClassVar[Mapping[str, str]] = {
        "faults": "the process dies after every fifth host call of one apply",
        "hostile": "every third text",
    }
    every = 5
    name: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _on_a_real_engine(self, _gap: None) -> Iterator[None]:
        with real(self.name) as engine:
            self.harness.engine = engine  # type: ignore[attr-defined]
            yield

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return (Scenario("mixed", self.first, self.mixed),)

    @pytest.mark.parametrize("fault", ["crash after"])
    def test_after_a_fault_at_any_call_a_second_run_converges(self, fault: str) -> None:
        super().test_after_a_fault_at_any_call_a_second_run_converges(fault)

    @pytest.mark.parametrize("fault", ["crash after"])
    def test_after_a_fault_at_any_call_it_can_be_undone(self, fault: str) -> None:
        super().test_after_a_fault_at_any_call_it_can_be_undone(fault)

    @pytest.mark.parametrize("text", HOSTILE_TEXTS[::3], ids=lambda text: ascii(text[:20]))
    def test_a_hostile_text_is_kept_exactly_or_refused(self, text: str) -> None:
        super().test_a_hostile_text_is_kept_exactly_or_refused(text)


class TestDocker(RealConformance):
    row, name, harness = "container (docker)", "docker", RealHarness()


class TestPodman(RealConformance):
    row, name, harness = "container (podman)", "podman", RealHarness()
