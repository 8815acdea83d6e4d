"""The container provider keeps every promise, on an engine in memory that also runs other people's containers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.resource import Resource
from reconciler.provider import Provider
from reconciler.providers.container.provider import Container
from reconciler.providers.container.spec import body, canonical
from reconciler.testing.conformance import Harness, ProviderConformance
from tests.container.world import engine_of, fake_host, service


class ContainerHarness(Harness):
    def provider(self) -> Provider:
        return Container({}, workers=1)

    def host(self) -> FakeHost:
        return fake_host()

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        port: Json = [{"host": 8081, "target": 80, "address": "127.0.0.1", "protocol": "tcp"}]
        return (
            (service("conf-a", command=["serve"]), service("conf-a", command="serve | tee 'a b'", image="app:2")),
            (service("conf-b", ports=port), service("conf-b", ports=port, environment={"A": "1"})),
            (service("conf-c", networks=["back"]), service("conf-c", networks=["front", "middle"], hostname="c")),
            (service("conf-d", volumes=["data:/data"]), service("conf-d", volumes=["data:/data", "/srv:/srv:ro"])),
            (service("conf-e", user="app", workingDirectory="/srv"), service("conf-e", pull="always")),
            (service("conf-f", restart={"policy": "no"}), service("conf-f", stop={"signal": "SIGINT", "grace": 2.5})),
        )

    def hostile(self, text: str) -> Resource:
        return service("hostile", command=["printf", text], environment={"TEXT": text}, workingDirectory=text or "/")

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        found = engine_of(host).named(id_.name)
        assert found is not None
        found["State"] |= {"Status": "paused"}

    def add_foreign(self, host: FakeHost) -> None:
        engine = engine_of(host)
        for name, labels in (
            ("theirs", {"com.docker.compose.project": "x"}),
            ("conf-a.reconciler-old-theirs", {}),
            ("conf-b-twin", {"reconciler.id": "not an address"}),
            ("conf-c-twin", {"reconciler.digest": "0"}),
        ):
            made = json.dumps({"Image": "app:1", "Cmd": ["serve"], "Labels": labels}).encode()
            assert engine("POST", f"/containers/create?name={name}", made).status == 201
            assert engine("POST", f"/containers/{name}/start", b"").status == 204
        engine.networks["theirs"] = {"Name": "theirs", "Labels": {"a": "b"}}

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:
        engine = engine_of(host)
        if engine.named(resource.id.name) is not None:
            return False
        state = canonical(resource)
        for network in state.attributes.get("networks", ()):  # type: ignore[union-attr]
            engine.networks[str(network)] = {"Name": network, "Labels": {}}
        made = json.dumps(body(state, {"mine": "yes"}, "/root")).encode()
        assert engine("POST", f"/containers/create?name={resource.id.name}", made).status == 201
        assert engine("POST", f"/containers/{resource.id.name}/start", b"").status == 204
        return True

    def content(self, host: FakeHost) -> bytes:
        """All but volumes and images, which are never deleted."""
        engine = engine_of(host)
        containers = [_still(one) for one in engine.containers.values()]
        return json.dumps([containers, engine.networks], sort_keys=True).encode()

    def foreign_bytes(self, host: FakeHost) -> bytes:
        engine = engine_of(host)
        theirs = [
            _still(one)
            for one in engine.containers.values()
            if not str(one["Config"].get("Labels", {}).get("reconciler.id", "")).startswith("Service/")
        ]
        networks = [one for one in engine.networks.values() if "reconciler.network" not in one["Labels"]]
        return json.dumps([theirs, networks], sort_keys=True).encode()

    def break_reading(self, host: FakeHost) -> None:
        engine_of(host).answer("GET /containers/json", 500, b'{"message":"database is locked"}')


def _still(one: dict[str, object]) -> dict[str, object]:
    """Without the exit status and the time of the last stop, which no undo can take back."""
    return {**one, "State": {"Status": one["State"]["Status"]}}  # type: ignore[index]


class TestContainer(ProviderConformance):
    harness = ContainerHarness()


class ThreadsHarness(ContainerHarness):
    gaps: ClassVar[dict[str, str]] = {
        "test_changes_mean_the_same_without_the_texts_for_people": "ids follow the order of making, which is open"
    }

    def provider(self) -> Provider:
        return Container({})


class TestContainersSideBySide(ProviderConformance):
    harness = ThreadsHarness()
