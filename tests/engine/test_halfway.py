"""Backends that take several writes for one change, killed between any two: their own traces are no obstacle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.engine import reconcile
from reconciler.engine.observe import Memory, Supports, observe
from reconciler.engine.restore import restore
from reconciler.engine.rollout import Outcome
from reconciler.host.fake import Crash, FakeHost
from reconciler.model.data import Json
from reconciler.model.errors import ExitCode
from reconciler.model.intent import Request
from reconciler.model.resource import Desired, Probe, Resource, VerifyPolicy
from reconciler.past import way_back
from reconciler.providers.container.provider import Container
from reconciler.providers.container.rows import NEW, OLD
from reconciler.providers.systemd.provider import Systemd
from reconciler.testing.builders import resource
from reconciler.testing.engine_api import EngineApi
from reconciler.testing.systemd import SystemdPrograms
from tests.container.world import IMAGES, SOCKET, engine_of, service
from tests.engine.world import World, healthy, sick

ASKED = VerifyPolicy(within=1.0, stable_for=0.0, probes=(Probe("exec", {"command": ["check"], "timeout": 1}),))
UNITS = "/home/tester/.config/systemd/user/"


def unit(name: str, *command: str) -> Resource:
    return resource(
        f"Service/{name}",
        source="units.yaml",
        line=1,
        supervisor="systemd",
        command=list(command),
        environment={},
        restart={"policy": "always"},
    )


def container(**spec: Json) -> Resource:
    port: Json = [{"host": 8081, "target": 80, "address": "127.0.0.1", "protocol": "tcp"}]
    return service("web", supervisor="container", ports=port, **spec)


FIRST = (container(), unit("old", "/bin/one"), unit("worker", "/bin/one"))
SECOND = (
    replace(container(image="app:2"), verify=ASKED),
    unit("new", "/bin/two"),
    unit("worker", "/bin/two"),
)


def place(folder: Path) -> World:
    host = FakeHost(
        services={SOCKET: EngineApi(images=dict(IMAGES), registry=dict(IMAGES))}, programs={"check": healthy}
    )
    SystemdPrograms(host)
    return World(folder, host, providers={"container": Container({}), "systemd": Systemd()})


def things(world: World) -> dict[str, Any]:
    """Containers that stand, and unit files."""
    units = {path: content for path, content in world.host.files.items() if path.startswith(UNITS)}
    rows = engine_of(world.host).containers.values()
    return {**units, **{row["Name"]: (row["Id"], row["State"]["Status"]) for row in rows if OLD not in row["Name"]}}


def begun(folder: Path, start: tuple[Resource, ...], check: Any) -> World:
    world = place(folder)
    if start:
        world.apply(*start)
    world.host.programs["check"] = check
    return world


@pytest.mark.parametrize("start", [(), FIRST], ids=["first", "update"])
@pytest.mark.parametrize("check", [healthy, sick], ids=["good", "failing"])
def test_a_crash_after_any_write_is_finished_or_undone(
    tmp_path: Path, check: Any, start: tuple[Resource, ...]
) -> None:
    clean = begun(tmp_path / "clean", start, check)
    before, calls = things(clean), len(clean.host.log)
    clean.apply(*SECOND)
    writes = [call.number - calls for call in clean.host.log[calls:] if call.writes]
    assert len(writes) > 5
    for number in writes:
        world = begun(tmp_path / str(number), start, check)
        world.host.crash_at(number, before=False)
        with pytest.raises(Crash):
            world.apply(*SECOND)
        world.host.heal()
        with world.journal() as journal:
            recovered = world.recover(journal)
            assert recovered is None or recovered.code in (ExitCode.DONE, ExitCode.ROLLED_BACK), (number, recovered)
            quarantined = bool(journal.quarantine())
        if check is healthy:
            assert not quarantined, number
            assert world.settled(*SECOND) or world.apply(*SECOND).code is ExitCode.DONE, number
        else:
            assert things(world) == before, number
        assert not [name for name in things(world) if NEW in name], number


def test_what_somebody_changed_meanwhile_is_left_and_the_rest_is_undone(tmp_path: Path) -> None:
    """One of two units of a batch, after a crash: its backend refuses it, and it does not keep the other."""
    world = place(tmp_path)
    world.apply(*FIRST)
    stood = things(world)

    def edited(_argv: object, _stdin: bytes) -> Any:
        name = f"{UNITS}reconciler-service-worker.service"
        world.host.files[name] = world.host.files[name].replace(b"/bin/two", b"/bin/theirs")
        raise Crash("while its gate waits")

    world.host.programs["check"] = edited
    with pytest.raises(Crash):
        world.apply(*SECOND)
    world.host.programs["check"] = healthy
    with world.journal() as journal:
        recovered = world.recover(journal)
    assert recovered is not None
    assert recovered.code is ExitCode.ROLLBACK_FAILED
    assert [line.partition(" ")[0] for line in recovered.left] == ["Service/worker"]
    now = things(world)
    worker = f"{UNITS}reconciler-service-worker.service"
    assert b"/bin/theirs" in now.pop(worker)
    stood.pop(worker)
    assert now == stood


CACHE = service("cache", supervisor="container")


def roll_back(world: World) -> Outcome:
    """As `reconcile rollback` does with the last rollout in force."""
    with world.journal() as journal:
        way = way_back(journal, None)
        desired = Desired("units", way.revision, ())
        memory = Memory(journal.inventory(), journal.rebuilt_needed, (), (), journal.mask_key())
        snapshot = observe(world.host, world.providers, (), memory, Supports(world.host, world.providers))
        difference = restore(way.steps, snapshot, "as asked")
        decision = reconcile.settle(desired, (), snapshot, Request(), world.providers, difference)
        assert decision.plan.vetoes == (), decision.plan.vetoes
        return reconcile.roll_out(world.engine(journal), decision.plan, "rollback")


@pytest.mark.parametrize("back", [False, True], ids=["deletion", "its rollback"])
def test_after_a_crash_no_container_runs_out_of_its_place(tmp_path: Path, back: bool) -> None:
    """A deleted one is kept under another name: it runs under that neither on its way there nor on its way back."""

    def ready(folder: Path) -> World:
        world = place(folder)
        world.apply(CACHE, unit("worker", "/bin/one"))
        if back:
            world.apply(unit("worker", "/bin/one"))
        return world

    def go(world: World) -> Outcome:
        return roll_back(world) if back else world.apply(unit("worker", "/bin/one"))

    clean = ready(tmp_path / "clean")
    before, calls = list(engine_of(clean.host).containers), len(clean.host.log)
    assert go(clean).code is ExitCode.DONE
    after = [OLD in row["Name"] for row in engine_of(clean.host).containers.values()]
    assert after == ([False] if back else [])  # what was set aside is swept
    writes = [call.number - calls for call in clean.host.log[calls:] if call.writes]
    assert len(writes) > 1
    for number in writes:
        world = ready(tmp_path / str(number))
        world.host.crash_at(number, before=False)
        with pytest.raises(Crash):
            go(world)
        world.host.heal()
        with world.journal() as journal:
            recovered = world.recover(journal)
            assert recovered is not None or journal.interrupted() is None, number
        rows = engine_of(world.host).containers
        for row in rows.values():
            assert (OLD in row["Name"]) is (row["State"]["Status"] != "running"), number
        if recovered is not None and recovered.code is ExitCode.ROLLED_BACK:
            assert list(rows) == before, number
        else:
            assert recovered is None or recovered.code is ExitCode.DONE, (number, recovered)
            assert sum(OLD not in row["Name"] for row in rows.values()) == int(back), number
