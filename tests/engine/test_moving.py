"""A Service that moves to another backend with its port: out first, made anew; and back if any of it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.engine.planner import LISTENING
from reconciler.host.fake import Crash, FakeHost
from reconciler.host.protocol import Completed
from reconciler.model.address import ResourceId
from reconciler.model.change import Danger
from reconciler.model.errors import ExitCode
from reconciler.model.plan import ApplyStep, Plan
from reconciler.model.resource import Probe, Resource, VerifyPolicy
from reconciler.providers.container.provider import Container
from reconciler.providers.container.rows import NEW, OLD
from reconciler.providers.port.provider import Port
from reconciler.providers.systemd.provider import Systemd
from reconciler.testing.builders import resource
from reconciler.testing.engine_api import EngineApi
from reconciler.testing.systemd import SystemdPrograms
from tests.container.world import IMAGES, SOCKET, engine_of, service
from tests.engine.test_halfway import UNITS, roll_back, unit
from tests.engine.world import World, healthy, sick

NUMBER = 8081
WEB = ResourceId("Service", "web")
UNIT = "reconciler-service-web.service"
ASKED = VerifyPolicy(within=1.0, stable_for=0.0, probes=(Probe("exec", {"command": ["check"], "timeout": 1}),))
CONTAINER = service(
    "web",
    supervisor="container",
    ports=[{"host": NUMBER, "target": 80, "address": "127.0.0.1", "protocol": "tcp"}],
)
PROGRAM = unit("web", "/bin/web")
BESIDE = unit("beside", "/bin/beside")


def claim() -> Resource:
    asked = Probe(LISTENING, {"port": NUMBER, "protocol": "tcp", "owner": str(WEB)})
    made = resource("Port/web", port=NUMBER, protocol="tcp", owner=str(WEB))
    return replace(made, depends_on=(WEB,), verify=VerifyPolicy(within=1.0, stable_for=0.0, probes=(asked,)))


@dataclass
class Machine(World):
    """One port for both backends: whoever runs holds it, and the other one cannot start."""

    programs: SystemdPrograms = field(init=False)

    def __post_init__(self) -> None:
        self.programs = SystemdPrograms(self.host)
        self.share()

    def share(self) -> None:
        self.host.on_call(lambda _call: self._settle())

    def heal(self) -> None:
        self.host.heal()
        self.share()

    def _settle(self) -> None:
        mine = UNIT in self.programs.user.active
        theirs = any(row["State"]["Status"] == "running" for row in engine_of(self.host).containers.values())
        assert not (mine and theirs), "both hold the port"
        engine_of(self.host).taken = {NUMBER} if mine else set()
        self.programs.fails = {UNIT} if theirs else set()
        self.host.listening = {("127.0.0.1", NUMBER)} if mine or theirs else set()

    def stands(self) -> dict[str, Any]:
        """Containers that stand, unit files, and what runs."""
        units = {path: content for path, content in self.host.files.items() if path.startswith(UNITS)}
        rows = engine_of(self.host).containers.values()
        here = {row["Name"]: (row["Id"], row["State"]["Status"]) for row in rows if OLD not in row["Name"]}
        return {**units, **here, "active": sorted(self.programs.user.active)}

    def provider(self) -> str | None:
        """Whom the inventory knows as the backend of the service."""
        with self.journal() as journal:
            return next((entry.provider for entry in journal.inventory() if entry.id == WEB), None)

    def planned(self, *resources: Resource) -> Plan:
        with self.journal() as journal:
            return self.decide(journal, *resources).plan


def begun(folder: Path, start: Sequence[Resource], check: Any = healthy) -> Machine:
    host = FakeHost(
        services={SOCKET: EngineApi(images=dict(IMAGES), registry=dict(IMAGES))}, programs={"check": healthy}
    )
    world = Machine(folder, host, providers={"container": Container({}), "port": Port(), "systemd": Systemd()})
    assert world.apply(*start).code is ExitCode.DONE
    world.host.programs["check"] = check
    return world


def order(plan: Plan) -> list[tuple[str, str, str, tuple[int, ...]]]:
    return [
        (str(s.change.action), s.change.provider, str(s.change.id), s.needs)
        if isinstance(s, ApplyStep)
        else ("verify", s.provider, str(s.id), s.needs)
        for s in plan.steps
    ]


WAYS = {
    "to systemd": ((CONTAINER, claim(), BESIDE), (replace(PROGRAM, verify=ASKED), claim(), BESIDE), "systemd"),
    "to a container": ((PROGRAM, claim()), (replace(CONTAINER, verify=ASKED), claim()), "container"),
}
EITHER = pytest.mark.parametrize("way", WAYS)


@EITHER
def test_it_leaves_its_port_before_it_is_made_anew(tmp_path: Path, way: str) -> None:
    start, then, new = WAYS[way]
    world = begun(tmp_path, start)
    old = {"systemd": "container", "container": "systemd"}[new]
    plan = world.planned(*then)
    assert order(plan) == [
        ("delete", old, "Service/web", ()),
        ("verify", old, "Service/web", (1,)),
        ("create", new, "Service/web", (2,)),
        ("verify", new, "Service/web", (3,)),
    ]
    hazards = [hazard for change in plan.changes for hazard in change.hazards if hazard.danger is Danger.DOWNTIME]
    assert [hazard.message for hazard in hazards] == [
        f"Service/web is down while it moves from {old} to {new}: only one of them can hold its port"
    ]
    assert LISTENING in [probe.type for step in plan.steps[3:] for probe in getattr(step, "probes", ())]
    assert world.apply(*then).code is ExitCode.DONE
    assert world.provider() == new
    assert world.settled(*then)
    assert [row["Name"] for row in engine_of(world.host).containers.values()] == ["/web"] * (new == "container")


@EITHER
def test_it_is_back_as_before_where_the_new_one_fails(tmp_path: Path, way: str) -> None:
    start, then, _ = WAYS[way]
    world = begun(tmp_path, start, sick)
    before, owner = world.stands(), world.provider()
    assert world.apply(*then).code is ExitCode.ROLLED_BACK
    assert (world.stands(), world.provider()) == (before, owner)
    assert world.settled(*start)


@EITHER
def test_a_rollback_moves_it_back_with_its_port(tmp_path: Path, way: str) -> None:
    start, then, new = WAYS[way]
    world = begun(tmp_path, start)
    before, owner = world.stands(), world.provider()
    world.apply(*then)
    assert roll_back(world).code is ExitCode.DONE
    now = world.stands()
    assert (now.keys(), now["active"], world.provider()) == (before.keys(), before["active"], owner)
    assert world.settled(*start)
    assert new != owner


@EITHER
@pytest.mark.parametrize("check", [healthy, sick], ids=["good", "failing"])
def test_a_crash_around_any_write_is_finished_or_undone(tmp_path: Path, check: Any, way: str) -> None:
    start, then, new = WAYS[way]
    clean = begun(tmp_path / "clean", start, check)
    before, owner, calls = clean.stands(), clean.provider(), len(clean.host.log)
    clean.apply(*then)
    writes = [call.number - calls for call in clean.host.log[calls:] if call.writes]
    assert len(writes) > 5
    for number in writes:
        for first in (True, False):
            world = begun(tmp_path / f"{number}-{first}", start, check)
            world.host.crash_at(number, before=first)
            with pytest.raises(Crash):
                world.apply(*then)
            world.heal()
            with world.journal() as journal:
                recovered = world.recover(journal)
            assert recovered is None or recovered.code in (ExitCode.DONE, ExitCode.ROLLED_BACK), (number, recovered)
            done = check is healthy and (recovered is None or recovered.code is ExitCode.DONE)
            assert world.provider() == (new if done else owner), number
            if not done:
                assert world.stands() == before, number
            if check is healthy:
                assert world.settled(*then) or world.apply(*then).code is ExitCode.DONE, number
                assert world.provider() == new, number
            assert not [name for name in world.stands() if NEW in name], number


@EITHER
def test_a_crash_around_any_write_of_an_undo_is_undone(tmp_path: Path, way: str) -> None:
    """The second crash hits the recovery itself."""
    start, then, _ = WAYS[way]

    def dead(folder: Path) -> Machine:
        world = begun(folder, start)

        def dies(_argv: object, _stdin: bytes) -> Completed:
            raise Crash("while its gate waits")

        world.host.programs["check"] = dies
        with pytest.raises(Crash):
            world.apply(*then)
        world.host.programs["check"] = sick
        return world

    before = begun(tmp_path / "before", start).stands()
    clean = dead(tmp_path / "clean")
    calls = len(clean.host.log)
    with clean.journal() as journal:
        clean.recover(journal)
    assert clean.stands() == before
    writes = [call.number - calls for call in clean.host.log[calls:] if call.writes]
    assert len(writes) > 3
    for number in writes:
        world = dead(tmp_path / str(number))
        world.host.crash_at(number, before=False)
        with world.journal() as journal, pytest.raises(Crash):
            world.recover(journal)
        world.heal()
        with world.journal() as journal:
            recovered = world.recover(journal)
        assert recovered is None or recovered.code is ExitCode.ROLLED_BACK, (number, recovered)
        assert world.stands() == before, number


def test_what_somebody_claims_is_a_port_without_any_in_a_state(tmp_path: Path) -> None:
    """A port in the manifest of a unit leaves no trace in its state; a claim says it for every backend."""
    plain = unit("web", "/bin/web")
    named = replace(plain, spec={**plain.spec, "ports": [{"host": NUMBER, "target": NUMBER}]})
    world = begun(tmp_path, (service("web", supervisor="container"),))
    assert [verb for verb, *_ in order(world.planned(plain))] == ["create", "verify", "delete", "verify"]
    assert [verb for verb, *_ in order(world.planned(named))] == ["delete", "verify", "create", "verify"]
    assert [verb for verb, *_ in order(world.planned(plain, claim()))][:3] == ["delete", "verify", "create"]


def test_a_rollback_knows_of_a_port_that_only_the_manifest_named(tmp_path: Path) -> None:
    named = replace(PROGRAM, spec={**PROGRAM.spec, "ports": [{"host": NUMBER, "target": NUMBER}]})
    world = begun(tmp_path, (service("web", supervisor="container"),))
    assert world.apply(named).code is ExitCode.DONE
    assert roll_back(world).code is ExitCode.DONE
    assert world.provider() == "container"
    assert world.programs.user.active == set()


def test_what_moves_without_a_port_stands_in_its_new_place_first_and_is_never_down(tmp_path: Path) -> None:
    world = begun(tmp_path, (service("web", supervisor="container"), BESIDE))
    plan = world.planned(PROGRAM, BESIDE)
    assert order(plan) == [
        ("create", "systemd", "Service/web", ()),
        ("verify", "systemd", "Service/web", (1,)),
        ("delete", "container", "Service/web", ()),
        ("verify", "container", "Service/web", (3,)),
    ]
    assert Danger.DOWNTIME not in [hazard.danger for change in plan.changes for hazard in change.hazards]
