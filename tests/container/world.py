"""What the tests of the container provider share: services, changes, a host with an engine in memory."""

from __future__ import annotations

from reconciler.host.fake import FakeHost
from reconciler.model.data import Json
from reconciler.model.resource import Resource
from reconciler.testing.builders import resource
from reconciler.testing.engine_api import EngineApi

SOCKET = "/var/run/docker.sock"
IMAGES = {"app:1": "sha256:" + "1" * 64, "app:2": "sha256:" + "2" * 64}


def fake_host() -> FakeHost:
    return FakeHost(services={SOCKET: EngineApi(images=dict(IMAGES), registry=dict(IMAGES))})


def engine_of(host: FakeHost) -> EngineApi:
    engine = host.services[SOCKET]
    assert isinstance(engine, EngineApi)
    return engine


def service(name: str, **spec: Json) -> Resource:
    """A container as the kind would fill it in."""
    filled: dict[str, Json] = {
        "image": "app:1",
        "pull": "missing",
        "environment": {},
        "ports": [],
        "volumes": [],
        "networks": [],
        "restart": {"policy": "always"},
        "stop": {"signal": "SIGTERM", "grace": 10},
        **spec,
    }
    return resource(f"Service/{name}", source="services.yaml", line=1, **filled)
