"""The port provider keeps every promise that a register of claims can break; the rest are declared gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Listener
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.resource import Resource
from reconciler.provider import Provider
from reconciler.providers.port.provider import Port
from reconciler.testing.builders import resource
from reconciler.testing.conformance import Harness, ProviderConformance

_NOTHING_THERE = "a claim stands in the inventory alone, which only the engine writes"


def port(name: str, number: int, owner: str = "Service/crm", **spec: Json) -> Resource:
    filled: dict[str, Json] = {"port": number, "protocol": "tcp", "address": None, "owner": owner, **spec}
    return resource(f"Port/conf-{name}", source="ports.yaml", line=1, **filled)


class PortHarness(Harness):
    gaps: ClassVar[Mapping[str, str]] = {
        "test_tampering_is_seen": _NOTHING_THERE,
        "test_a_stale_change_conflicts_and_writes_nothing": _NOTHING_THERE,
        "test_creating_over_something_else_conflicts": _NOTHING_THERE,
        "test_updating_what_is_gone_conflicts": _NOTHING_THERE,
        "test_after_a_fault_at_any_call_a_second_run_converges": "applying a claim makes no host call",
        "test_after_a_fault_at_any_call_it_can_be_undone": "applying a claim makes no host call",
    }

    def provider(self) -> Provider:
        return Port()

    def host(self) -> FakeHost:
        return FakeHost()

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        return (
            (port("a", 3500), port("a", 3501)),
            (port("b", 53, protocol="udp"), port("b", 53, protocol="tcp")),
            (port("c", 8080, address="127.0.0.1"), port("c", 8080, address="::1")),
            (port("d", 9000), port("d", 9000, owner="Automation/other")),
        )

    def hostile(self, text: str) -> Resource:
        return port("hostile", 3500, owner=text, address=text)

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        """Nobody can: see the gaps."""

    def add_foreign(self, host: FakeHost) -> None:
        host.sockets += [Listener("tcp", 22, "0.0.0.0", 1, "sshd"), Listener("udp", 53, "::", None, None)]

    def content(self, host: FakeHost) -> bytes:
        return repr((sorted(host.files.items()), host.sockets)).encode()

    def foreign_bytes(self, host: FakeHost) -> bytes:
        return self.content(host)

    def break_reading(self, host: FakeHost) -> None:
        host.denied.add("listeners")


class TestPort(ProviderConformance):
    harness = PortHarness()
