"""Engines give back ports late and start ended containers again: what is waited for, how long, and what not."""

from __future__ import annotations

import pytest

from reconciler.host.fake import Call, FakeHost
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError
from reconciler.providers.container.make import TRIES
from reconciler.providers.container.running import PATIENCE
from tests.container.test_provider import PORT, PROVIDER, create, delete, names, status
from tests.container.world import engine_of, fake_host, service


def late(starts: int) -> FakeHost:
    """An engine that holds a port for so many starts longer than the container that had it."""
    host = fake_host()
    engine_of(host).late = starts
    return host


def slept(host: FakeHost) -> float:
    return sum(host.time.slept)


def test_a_port_that_is_given_back_late_is_waited_for_in_an_update_and_in_its_undo() -> None:
    host = late(3)
    create(host, service("web", ports=PORT))
    update = create(host, service("web", ports=PORT, environment={"V": "2"}))
    assert status(host, "web") == "running"
    PROVIDER.apply(host, [update.inverse()])
    assert (names(host), status(host, "web")) == (["web"], "running")
    assert 0 < slept(host) < PATIENCE


def test_a_port_that_another_service_has_just_left_is_waited_for() -> None:
    host = late(3)
    create(host, service("web", ports=PORT))
    delete(host, service("web", ports=PORT))
    create(host, service("next", ports=PORT))
    assert status(host, "next") == "running"
    assert slept(host) > 0


def test_a_successor_that_ends_at_once_gives_its_port_back_to_the_old_one() -> None:
    host = late(3)
    create(host, service("web", ports=PORT))
    with pytest.raises(ApplyError, match="cannot keep the container of app:1 running"):
        create(host, service("web", ports=PORT, command=["false"]))
    assert (names(host), status(host, "web")) == (["web"], "running")


def test_a_port_that_is_never_given_back_is_refused_in_the_end_with_the_reason() -> None:
    host = late(10**6)
    create(host, service("web", ports=PORT))
    with pytest.raises(ApplyError, match=r"port 8081 is already allocated; .* did not give it back within 5 s"):
        create(host, service("web", ports=PORT, environment={"V": "2"}))
    assert slept(host) < 3 * PATIENCE  # once for the new one, once for the old one


def test_a_port_of_somebody_else_is_refused_at_once() -> None:
    host = fake_host()
    create(host, service("web", ports=PORT))
    engine_of(host).taken.add(9000)
    other: Json = [{"host": 9000, "target": 80, "address": "127.0.0.1", "protocol": "tcp"}]
    for name in ("web", "new"):
        with pytest.raises(ApplyError, match="port 9000 is already allocated"):
            create(host, service(name, ports=other))
    assert slept(host) == 0


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_container_that_is_about_to_end_is_waited_for_and_one_that_comes_back_is_stopped(comes_back: bool) -> None:
    host = fake_host()
    create(host, service("web", ports=PORT))
    old = engine_of(host).containers[next(iter(engine_of(host).containers))]
    old["State"]["Status"] = "stopped"  # as Podman says until it has cleaned up
    looks = 0

    def after_a_while(call: Call) -> None:
        nonlocal looks
        looks += "/stop" in call.target
        if looks == 3 and old["State"]["Status"] == "stopped":
            old["State"]["Status"] = "running" if comes_back else "exited"

    host.on_call(after_a_while)
    delete(host, service("web", ports=PORT))
    assert looks >= 3
    assert (old["State"]["Status"], "old" in old["Name"]) == ("exited", True)


def test_a_successor_that_comes_back_and_takes_its_port_again_is_removed_before_the_old_one_starts() -> None:
    host = fake_host()
    create(host, service("web", ports=PORT))
    update = create(host, service("web", ports=PORT, environment={"V": "2"}))
    new = engine_of(host).named("web")
    assert new is not None
    new["State"]["Status"] = "stopped"

    def come_back(call: Call) -> None:
        if call.target.endswith("/start"):
            new["State"]["Status"] = "running"

    host.on_call(come_back)
    PROVIDER.apply(host, [update.inverse()])
    assert (names(host), status(host, "web")) == (["web"], "running")
    assert new["Id"] not in engine_of(host).containers
    assert PATIENCE <= slept(host) < 2 * PATIENCE


def test_a_network_is_tried_again_where_the_engine_stumbled_over_an_interface_that_vanished() -> None:
    host = fake_host()
    engine_of(host).vanishing = TRIES - 1
    create(host, service("web", networks=["back"]))
    assert "back" in engine_of(host).networks
    engine_of(host).vanishing = TRIES
    with pytest.raises(ApplyError, match="no such network interface"):
        create(host, service("next", networks=["front"]))
    assert names(host) == ["web"]
