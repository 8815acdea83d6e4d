"""The manager of the machine, `scope: system`: the conformance suite, and what only that manager can do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from reconciler.model.errors import ApplyError, ObserveError
from reconciler.model.resource import Resource
from reconciler.model.state import State
from reconciler.provider import Supported, Wanted
from reconciler.providers.systemd.provider import Systemd
from reconciler.testing.bench import Bench, Scenario
from reconciler.testing.conformance import ProviderConformance
from tests.conformance.test_systemd import automation, service
from tests.systemd.machine import RealHost, place, systemctl
from tests.systemd.test_real import wait_until
from tests.systemd.test_real_conformance import RealHarness

pytestmark = pytest.mark.systemd
PROVIDER = Systemd()


class SystemHarness(RealHarness):
    """Without `missed: latest`: `systemctl clean` goes over the message bus, which does not run in there."""

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        return (
            (automation("a", command=["/bin/echo", "one"]), automation("a", scope="system", user="daemon")),
            (automation("f", timezone="Europe/Berlin"), automation("f", schedule={"every": 3600})),
            (service("g", user="daemon"), service("g", stop={"signal": "SIGINT", "grace": 2.5})),
        )


class TestSystemManager(ProviderConformance):
    row = "systemd (real system manager)"
    every = 1 if os.environ.get("RECONCILER_TEST_FULL") else 5
    thinned: ClassVar[dict[str, str]] = {"faults": f"at every {every}. call of one mixed apply"}
    harness = SystemHarness()

    @pytest.fixture(autouse=True)
    def _on_a_real_manager(self, real_system: RealHost) -> None:
        """Asking for the host is all."""

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return (Scenario("mixed", self.first, self.mixed),)


def test_it_runs_as_the_user_that_the_manifest_names(real_system: RealHost) -> None:
    one = automation(
        "who", schedule={"every": 1}, command="id -un > /tmp/who.new; mv /tmp/who.new /tmp/who", user="daemon"
    )
    bench = Bench(SystemHarness(), PROVIDER, real_system)
    bench.reach({one.id: PROVIDER.canonical(one)})
    out = place(Path("/tmp/who"))
    wait_until(out.exists, 10)
    assert out.read_text() == "daemon\n"
    assert PROVIDER.health(real_system, [one.id]) is None
    assert bench.ours()[one.id].where == "/etc/systemd/system/reconciler-automation-conf-who.timer"


def test_root_means_the_system_manager_and_needs_no_other(real_system: RealHost) -> None:
    assert PROVIDER.probe(real_system) == Supported()
    one = service("plain")
    Bench(SystemHarness(), PROVIDER, real_system).reach({one.id: PROVIDER.canonical(one)})
    assert "reconciler-service-conf-plain.service" in systemctl("list-units", "--plain")
    with pytest.raises(ObserveError, match="user manager of systemd does not answer"):
        PROVIDER.observe(real_system, [Wanted(one.id, State({"scope": "user", "command": ["/bin/true"]}), None)])


def test_a_user_that_systemd_calls_unsafe_is_refused_with_its_words(real_system: RealHost) -> None:
    one = service("careless", user="nobody")
    with pytest.raises(ApplyError, match="Special user nobody configured, this is not safe"):
        Bench(SystemHarness(), PROVIDER, real_system).reach({one.id: PROVIDER.canonical(one)})
