"""The listening probe, which a Port implies: seen among the listeners, or reached where they are not to be seen."""

from __future__ import annotations

import pytest

from reconciler.health.check import check, describe
from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Listener
from reconciler.kinds.catalogue import BUILT_IN, KindCatalogue
from reconciler.model.data import Json
from reconciler.model.resource import Probe


def probe(**options: Json) -> Probe:
    return Probe("listening", {"port": 53, "protocol": "tcp", "owner": "Service/dns", **options})


def ask(host: FakeHost, **options: Json) -> str | None:
    return check(probe(**options), host, timeout=1)


@pytest.mark.parametrize(
    ("listener", "options", "passes"),
    [
        (Listener("tcp", 53, "0.0.0.0"), {}, True),
        (Listener("tcp", 53, "127.0.0.1"), {"address": "127.0.0.1"}, True),
        (Listener("udp", 53, "::"), {"protocol": "udp"}, True),
        (Listener("udp", 53, "::"), {}, False),
        (Listener("tcp", 54, "::"), {}, False),
        (Listener("tcp", 53, "10.0.0.1"), {"address": "127.0.0.1"}, False),
    ],
)
def test_it_passes_where_somebody_listens(listener: Listener, options: dict[str, Json], passes: bool) -> None:
    host = FakeHost()
    host.sockets.append(listener)
    assert (ask(host, **options) is None) is passes


def test_a_port_that_is_forwarded_unseen_is_connected_to() -> None:
    class Forwarding(FakeHost):
        def connect(self, address: str, port: int, *, timeout: float) -> None:
            """Answers although nobody is seen to listen."""

    assert ask(Forwarding()) is None
    assert ask(Forwarding(), protocol="udp") == "Service/dns does not listen on udp port 53"


def test_what_cannot_be_seen_is_no_pass() -> None:
    host = FakeHost()
    host.denied.add("listeners")
    assert "permission denied" in str(ask(host))


def test_a_plan_says_what_is_waited_for() -> None:
    assert describe(probe(address="::1")) == "Service/dns listens on tcp port 53 of ::1"


def test_no_manifest_can_write_it() -> None:
    model = KindCatalogue(BUILT_IN).spec_model("Port")
    asked: dict[str, Json] = {"probes": [{"listening": {"port": 1}}]}
    with pytest.raises(ValueError, match="listening"):
        model.spec_data({"port": 1, "owner": "Service/a", "verify": asked})
