"""One host, two container engines: what is left with one of them is named whenever that one is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.host.fake import FakeHost
from reconciler.model.errors import ExitCode
from reconciler.model.resource import Resource
from reconciler.providers.container.provider import Container
from reconciler.testing.engine_api import EngineApi
from reconciler.testing.memory import MemoryProvider
from tests.container.world import IMAGES, service
from tests.engine.world import NOTES, World, want

ONE, OTHER = "/one.sock", "/other.sock"
NOTE = want("Note/a", "x")


class Host(World):
    """Notes, and containers on the engine that is asked now."""

    def asks(self, socket: str) -> Host:
        container = Container({"DOCKER_HOST": f"unix://{socket}"}, workers=1)
        return replace(self, providers={"container": container, "memory": MemoryProvider(Path(NOTES))})

    def says(self, *resources: Resource) -> list[str]:
        with self.journal() as journal:
            plan = self.decide(journal, *resources).plan
        assert plan.changes == ()
        return [f"{skip.id} {skip.reason}" for skip in plan.skipped]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    engines = {path: EngineApi(images=dict(IMAGES), registry=dict(IMAGES)) for path in (ONE, OTHER)}
    return Host(tmp_path, FakeHost(services=engines))


def test_what_is_left_with_another_engine_is_named_when_that_one_is_asked(host: Host) -> None:
    one, other = host.asks(ONE), host.asks(OTHER)
    for at in (one, other):
        assert at.apply(NOTE, service("web")).code is ExitCode.DONE
    assert other.apply(NOTE).code is ExitCode.DONE
    assert one.says(NOTE) == [
        "Service/web carries our mark but is not in the inventory: adopt it with a manifest, or release it"
    ]
    assert other.says(NOTE) == []
    assert one.apply(NOTE, service("web")).code is ExitCode.DONE
    assert one.apply(NOTE).code is ExitCode.DONE
    assert one.says(NOTE) == []


def test_an_engine_that_nothing_needs_is_not_asked_where_there_was_only_one(host: Host) -> None:
    one = host.asks(ONE)
    one.apply(NOTE, service("web"))
    one.apply(NOTE)
    engine = host.host.services[ONE]
    assert isinstance(engine, EngineApi)
    engine.log.clear()
    assert one.says(NOTE) == []
    assert engine.log == []
