"""Several containers at once: what is asked once, who waits for whom, and how a batch fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.host.fake import FakeHost
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError
from reconciler.model.resource import Resource
from reconciler.providers.container.api import Engine
from reconciler.providers.container.batch import lanes
from reconciler.providers.container.provider import Container
from reconciler.providers.container.spec import canonical
from reconciler.providers.container.work import Work
from tests.container.test_provider import PORT, PROVIDER, create, delete, names, towards
from tests.container.world import SOCKET, engine_of, fake_host, service


def batch(host: FakeHost, *resources: Resource) -> list[Change]:
    return [towards(host, one, canonical(one)) for one in resources]


def test_a_batch_asks_for_each_image_and_network_once() -> None:
    host = fake_host()
    wanted = batch(host, *(service(f"web{n}", networks=["back"]) for n in range(6)))
    engine_of(host).log.clear()
    PROVIDER.apply(host, wanted)
    asked = [line for line in engine_of(host).log if line.startswith("GET")]
    assert len([line for line in asked if "/images/" in line]) == 1
    assert len([line for line in asked if "/networks/" in line]) == 1
    assert len([line for line in asked if line.startswith("GET /containers/json")]) == 1
    assert names(host) == [f"web{n}" for n in range(6)]


def test_nothing_of_a_batch_is_made_where_one_image_is_missing() -> None:
    host = fake_host()
    wanted = batch(host, service("good", networks=["back"]), service("missing", image="none:1", pull="never"))
    with pytest.raises(ApplyError, match="cannot use the image none:1"):
        PROVIDER.apply(host, wanted)
    assert names(host) == []
    assert "back" not in engine_of(host).networks


def test_one_of_a_batch_that_fails_is_taken_back_and_nothing_new_is_begun() -> None:
    host = fake_host()
    engine_of(host).taken.add(9000)
    other: Json = [{"host": 9000, "target": 80, "address": "127.0.0.1", "protocol": "tcp"}]
    wanted = batch(host, service("aa"), service("bb", ports=other), service("cc"))
    with pytest.raises(ApplyError, match="cannot create Service/bb"):
        Container({}, workers=1).apply(host, wanted)
    assert names(host) == ["aa"]


def test_only_what_wants_the_same_waits_for_each_other() -> None:
    host = fake_host()
    wanted = batch(
        host,
        service("aa", ports=PORT),
        service("bb", volumes=["data:/data"]),
        service("cc", ports=PORT, volumes=["logs:/logs"]),
        service("dd", volumes=["logs:/logs", "/srv:/srv:ro"]),
        service("ee", volumes=["/srv:/srv:ro"]),
        service("ff", networks=["host"]),
        service("gg", networks=["host"]),
    )
    works = [Work(Engine(host, Path(SOCKET)), one, "/root", [], {}) for one in wanted]
    groups = [[work.change.id.name for work in group] for group in lanes(works)]
    assert groups == [["bb"], ["aa", "cc", "dd"], ["ee"], ["ff", "gg"]]


def test_a_network_that_a_forgotten_container_shares_with_a_new_one_stays() -> None:
    host = fake_host()
    create(host, service("web", networks=["back"]))
    delete(host, service("web"))
    host.time.advance(3700)
    create(host, service("other", networks=["back"]))
    assert names(host) == ["other"]
    assert "back" in engine_of(host).networks
