"""What the register refuses, and what it warns of: each guard is shown firing."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.host.fake import FACTS, FakeHost
from reconciler.host.protocol import Listener
from reconciler.model.address import parse_address
from reconciler.model.change import Danger
from reconciler.model.data import Json
from reconciler.model.errors import ObserveError, UnsupportedSpec
from reconciler.model.state import State
from reconciler.provider import Finding, Wanted
from reconciler.providers.port.provider import Port
from reconciler.testing.builders import change, resource

SYSTEM = "/proc/sys/net/ipv4"


def claimed(number: int, owner: str = "Service/crm", **spec: Json) -> State:
    return Port().canonical(resource("Port/x", port=number, owner=owner, **spec))


def review(
    host: FakeHost, *claims: State, standing: tuple[str, ...] = (), held: tuple[State, ...] = ()
) -> tuple[Finding, ...]:
    """The review of new claims beside those held, on the facts that observing gives."""
    names = [f"Port/new-{index}" for index in range(len(claims))]
    wanted = [Wanted(parse_address(name), state, None) for name, state in zip(names, claims, strict=True)]
    facts = Port().observe(host, wanted).facts
    changes = [change(name, None, state, provider="port") for name, state in zip(names, claims, strict=True)]
    after = {parse_address(f"Port/held-{index}"): state for index, state in enumerate(held)}
    after |= {item.id: item.after for item in changes if item.after is not None}
    return Port().review({**facts, "standing": list(standing)}, after, changes)


def test_a_free_port_is_given_without_a_word() -> None:
    assert review(FakeHost(), claimed(3500)) == ()


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (None, None, True),
        (None, "10.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::0001", "::1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "::1", False),
        ("127.0.0.1", "::1", False),
    ],
)
def test_two_owners_of_one_port_are_refused_where_their_addresses_meet(
    one: str | None, other: str | None, meet: bool
) -> None:
    found = review(FakeHost(), claimed(3500, address=one), held=(claimed(3500, "Service/web", address=other),))
    assert [finding.hazard for finding in found] == ([None] if meet else [])
    if meet:
        assert "Port/held-0 gives" in found[0].message
        assert "Service/crm" in found[0].message


def test_one_owner_may_claim_a_port_twice_and_protocols_are_apart() -> None:
    held = (claimed(3500, address="127.0.0.1"), claimed(3500, "Service/dns", protocol="udp"))
    assert review(FakeHost(), claimed(3500), held=held) == ()


def test_a_port_in_use_by_somebody_else_is_refused_by_name() -> None:
    host = FakeHost()
    host.sockets.append(Listener("tcp", 3500, "0.0.0.0", 812, "nginx"))
    (found,) = review(host, claimed(3500, address="127.0.0.1"))
    assert found.hazard is None
    assert found.message == (
        "Service/crm cannot listen on tcp port 3500 of 127.0.0.1: it is in use by nginx, "
        "and Service/crm does not stand on this host yet"
    )


def test_a_listener_that_the_system_does_not_name_is_refused_as_well() -> None:
    (found,) = review(FakeHost(listening=[("127.0.0.1", 3500)]), claimed(3500))
    assert "a process that this user may not see" in found.message


def test_an_owner_that_stands_already_may_be_the_one_who_listens() -> None:
    host = FakeHost()
    host.sockets.append(Listener("tcp", 3500, "::", 812, "crm"))
    assert review(host, claimed(3500), standing=("Service/crm",)) == ()


OLD, NEW = 3500, 3600


def moved(
    *listening: tuple[int, int | None, str], leaving: bool = False, owner: str = "Service/crm"
) -> tuple[Finding, ...]:
    """The review of a claim that moves from OLD to NEW, given port, pid and program of who listens."""
    host = FakeHost()
    host.sockets.extend(Listener("tcp", port, "0.0.0.0", pid, program) for port, pid, program in listening)
    before, after = claimed(OLD), claimed(NEW, owner)
    facts = Port().observe(host, [Wanted(parse_address("Port/x"), after, before)]).facts
    changes = [change("Port/x", before, after, provider="port")]
    if leaving:
        changes.append(
            change("Port/y", claimed(NEW, "Service/web"), claimed(NEW + 1, "Service/web"), provider="port")
        )
    standing: Json = ["Service/crm", "Service/web"]
    return Port().review({**facts, "standing": standing}, {changes[0].id: after}, changes)


def test_a_claim_does_not_move_to_where_somebody_else_listens() -> None:
    (found,) = moved((OLD, 7, "httpd"), (NEW, 8, "httpd"))
    assert found.hazard is None
    assert found.message == "Service/crm cannot move from tcp port 3500 to tcp port 3600: it is in use by httpd"
    (found,) = moved((OLD, 7, "httpd"), (NEW, None, ""))
    assert found.message.endswith("in use by a process that this user may not see")


def test_a_claim_moves_where_nobody_is_or_where_it_cannot_be_told_who() -> None:
    assert moved((OLD, 7, "httpd")) == ()
    assert moved((OLD, 7, "httpd"), (NEW, 7, "httpd")) == ()
    assert moved((NEW, 8, "nginx")) == ()
    assert moved((OLD, None, "x"), (NEW, 8, "nginx")) == ()
    assert moved((OLD, 7, "docker-proxy"), (NEW, 8, "docker-proxy")) == ()
    assert moved((OLD, 7, "httpd"), (NEW, 8, "nginx"), leaving=True) == ()
    assert moved((OLD, 7, "httpd"), (NEW, 8, "nginx"), owner="Service/web") == ()


def test_a_port_that_cannot_be_bound_is_refused_although_nobody_is_seen() -> None:
    host = FakeHost()
    host.unbindable["10.9.9.9", 3500, "tcp"] = "that is not an address of this machine"
    (found,) = review(host, claimed(3500, address="10.9.9.9"))
    assert found.message.endswith("that is not an address of this machine")


def test_a_port_that_answers_is_refused_although_it_can_be_bound() -> None:
    class Forwarding(FakeHost):
        def connect(self, address: str, port: int, *, timeout: float) -> None:
            assert (address, port) == ("127.0.0.1", 3500)

    (found,) = review(Forwarding(), claimed(3500))
    assert found.message.endswith("somebody answers there")


def test_what_is_applied_already_is_not_tried_again() -> None:
    host = FakeHost(listening=[("127.0.0.1", 3500)])
    state = claimed(3500)
    Port().observe(host, [Wanted(parse_address("Port/x"), state, state)])
    assert not [call for call in host.log if call.method in ("can_bind", "connect")]


def test_an_ephemeral_port_is_a_warning_unless_it_is_reserved() -> None:
    files = {f"{SYSTEM}/ip_local_port_range": b"32768\t60999\n", f"{SYSTEM}/ip_local_reserved_ports": b"\n"}
    (found,) = review(FakeHost(files=files), claimed(40000))
    assert found.hazard is not None
    assert (found.hazard.danger, found.hazard.blocking) == (Danger.DOWNTIME, False)
    assert "32768 to 60999" in found.message
    files[f"{SYSTEM}/ip_local_reserved_ports"] = b"22,39999-40001\n"
    assert review(FakeHost(files=files), claimed(40000)) == ()


def test_a_privileged_port_without_the_right_stops_the_plan_until_it_is_accepted() -> None:
    host = FakeHost(files={f"{SYSTEM}/ip_unprivileged_port_start": b"1024\n"})
    host.unbindable["", 80, "tcp"] = "it may not be taken without the right"
    (found,) = review(host, claimed(80))
    assert found.hazard is not None
    assert found.hazard.blocking
    assert "below 1024" in found.message


def test_a_user_with_the_right_may_have_a_privileged_port() -> None:
    assert review(FakeHost(), claimed(80)) == ()
    from dataclasses import replace

    assert review(FakeHost(facts=replace(FACTS, user="root")), claimed(80)) == ()


def test_no_fact_holds_a_process_id_or_arguments() -> None:
    host = FakeHost()
    host.sockets.append(Listener("tcp", 3500, "::", 812, "crm"))
    facts = Port().observe(host, ()).facts
    assert facts["listeners"] == [{"protocol": "tcp", "port": 3500, "address": "::", "program": "crm"}]


def test_a_list_that_cannot_be_read_is_no_empty_list() -> None:
    host = FakeHost()
    host.denied.add("listeners")
    with pytest.raises(ObserveError, match="cannot look at the ports"):
        Port().observe(host, ())
    host.heal()
    host.denied.add(str(Path(SYSTEM, "ip_local_port_range")))
    with pytest.raises(ObserveError):
        Port().observe(host, ())


@pytest.mark.parametrize(
    ("spec", "field"),
    [({"owner": "crm"}, "owner"), ({"owner": "Port/other"}, "owner"), ({"address": "999.1.1.1"}, "address")],
)
def test_what_is_no_claim_is_refused_with_its_field(spec: dict[str, Json], field: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        Port().canonical(resource("Port/x", **{"port": 1, "owner": "Service/a", **spec}))
    assert caught.value.field == field
