"""What goes once a rollout is stable, and what stays aside and is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Host
from reconciler.model.change import Action, Change
from reconciler.model.errors import ExitCode, Hindered, ObserveError
from reconciler.model.intent import Request
from reconciler.model.resource import Probe, Resource, VerifyPolicy
from reconciler.provider import Wanted
from reconciler.providers.container.provider import Container
from reconciler.providers.container.rows import OLD
from reconciler.providers.container.spec import body, canonical
from reconciler.testing.builders import change
from reconciler.testing.stage import Stage
from tests.conformance.test_container import ContainerHarness
from tests.container.world import engine_of, fake_host, service
from tests.engine.world import World, healthy, sick

PROVIDER = Container({}, workers=1)
OTHER = service("other")  # a tree that asks for nothing would be refused


@pytest.fixture
def world(tmp_path: Path) -> World:
    host = fake_host()
    host.programs["check"] = healthy
    return World(tmp_path, host, providers={"container": PROVIDER})


def names(host: FakeHost) -> list[str]:
    return sorted(one["Name"][1:] for one in engine_of(host).containers.values())


def containers(host: FakeHost) -> dict[str, str]:
    """Names by id."""
    return {id_: one["Name"][1:] for id_, one in engine_of(host).containers.items()}


def foreign(host: FakeHost, name: str) -> str:
    """A container of somebody else that runs what the service of that name asks for."""
    engine = engine_of(host)
    made = body(canonical(service(name)), {}, "/root")
    assert engine("POST", f"/containers/create?name={name}", json.dumps(made).encode()).status == 201
    assert engine("POST", f"/containers/{name}/start", b"").status == 204
    return next(id_ for id_, one in engine.containers.items() if one["Name"] == f"/{name}")


def probed(one: Resource) -> Resource:
    check = Probe("exec", {"command": ["check"], "exitCode": 0, "timeout": 1})
    return replace(one, verify=VerifyPolicy(1.0, 0.0, (check,)))


def test_nothing_of_a_deleted_service_is_left_but_its_volumes(world: World) -> None:
    world.apply(OTHER, service("web", networks=["back"], volumes=["data:/data"]))
    assert world.apply(OTHER).code is ExitCode.DONE
    assert names(world.host) == ["other"]
    assert "back" not in engine_of(world.host).networks
    assert engine_of(world.host).volumes == {"data"}
    assert PROVIDER.remains(world.host) == ()


def test_nothing_is_swept_before_a_rollout_is_stable(world: World) -> None:
    world.apply(OTHER, service("web"))
    before = set(engine_of(world.host).containers)
    world.host.programs["check"] = sick
    outcome = world.apply(probed(service("other", environment={"V": "2"})))
    assert outcome.code is ExitCode.ROLLED_BACK
    assert set(engine_of(world.host).containers) == before


def test_the_predecessor_of_what_stands_stays_and_is_named_until_the_service_goes(world: World) -> None:
    world.apply(OTHER, service("web"))
    world.apply(OTHER, service("web", environment={"V": "2"}))
    [kept] = [name for name in names(world.host) if OLD in name]
    assert PROVIDER.remains(world.host) == (
        f"{kept} is what Service/web was before its last change: its next one removes it",
    )
    world.apply(OTHER)
    assert names(world.host) == ["other"]


@pytest.mark.parametrize("broken", ["the gate", "the engine"])
def test_only_a_change_that_stays_removes_the_predecessor(world: World, broken: str) -> None:
    """What is kept may be the last container of an image whose name stands for another one by now."""
    first, second, third = (probed(service("web", environment={"V": v})) for v in "123")
    world.apply(first)
    world.apply(second)
    before = containers(world.host)
    if broken == "the gate":
        world.host.programs["check"] = sick
    else:
        engine_of(world.host).answer("POST /containers/create", 400, b'{"message": "no"}')
    assert world.apply(third).code is ExitCode.ROLLED_BACK
    assert containers(world.host) == before
    engine_of(world.host).heal()
    world.host.programs["check"] = healthy
    with world.journal() as journal:
        journal.quarantine_release(None)
    assert world.apply(third).code is ExitCode.DONE
    [last] = [id_ for id_, name in before.items() if name == "web"]
    assert containers(world.host).keys() & before.keys() == {last}


def test_a_repair_leaves_the_predecessor(world: World) -> None:
    world.apply(service("web"))
    world.apply(service("web", environment={"V": "2"}))
    before = containers(world.host)
    found = engine_of(world.host).named("web")
    assert found is not None
    found["State"].update(Status="exited")
    assert world.apply(service("web", environment={"V": "2"})).code is ExitCode.DONE
    assert containers(world.host) == before


def test_networks_of_somebody_else_and_those_in_use_stay(world: World) -> None:
    engine = engine_of(world.host)
    engine.networks["theirs"] = {"Name": "theirs", "Labels": {"reconciler.network": "true", "reconciler.holder": "x"}}
    engine.networks["older"] = {"Name": "older", "Labels": {"reconciler.network": "true"}}
    world.apply(service("web", networks=["back", "front"]), service("api", networks=["back"]))
    world.apply(service("api", networks=["back"]))
    assert engine.networks.keys() - {"bridge", "host", "none"} == {"theirs", "older", "back"}


def test_what_was_yours_before_an_adoption_stays_and_is_named(world: World) -> None:
    id_, after = foreign(world.host, "web"), canonical(service("web"))
    [found] = PROVIDER.observe(world.host, [Wanted(service("web").id, after, None)]).found
    adopt = change(
        "Service/web", found.state, after, action=Action.ADOPT, provider="container", restore=found.restore
    )
    PROVIDER.apply(world.host, [adopt])
    PROVIDER.sweep(world.host, [adopt])
    kept = f"web{OLD}{id_[:12]}"
    assert names(world.host) == ["web", kept]
    assert PROVIDER.keeps(world.host, adopt)
    assert PROVIDER.remains(world.host) == (
        f"{kept} was yours before Service/web was taken over: `docker rm {kept}` removes it",
    )
    engine_of(world.host)("DELETE", f"/containers/{kept}", b"")
    assert not PROVIDER.keeps(world.host, adopt)


def test_another_reconciler_keeps_what_it_set_aside(world: World) -> None:
    world.apply(service("web"))
    world.apply(service("web", environment={"V": "2"}))
    for one in engine_of(world.host).containers.values():
        one["Config"]["Labels"]["reconciler.holder"] = "somebody:else"
    before = names(world.host)
    PROVIDER.sweep(world.host, [change("Service/web", canonical(service("web")), None)])
    assert names(world.host) == before
    assert PROVIDER.remains(world.host) == ()


def test_a_sweep_that_fails_leaves_the_rollout_stable_and_says_so(world: World) -> None:
    class Stuck(Container):
        def sweep(self, host: Host, changes: Sequence[Change]) -> None:
            raise Hindered("cannot remove old containers: the engine is busy")

    stuck = World(world.folder, world.host, providers={"container": Stuck({}, workers=1)})
    stuck.apply(OTHER, service("web"))
    outcome = stuck.apply(OTHER)
    assert outcome.code is ExitCode.DONE
    assert outcome.message == (
        "1 change applied and verified; what was set aside stays, and `reconcile status` names it: "
        "cannot remove old containers: the engine is busy"
    )
    [kept] = [name for name in names(world.host) if OLD in name]
    assert PROVIDER.remains(world.host) == (f"{kept} is left of Service/web: `docker rm {kept}` removes it",)


def test_an_engine_in_trouble_is_said_by_a_sweep_and_by_a_look_for_remains(world: World) -> None:
    engine_of(world.host).answer("GET /containers/json", 500, b'{"message":"database is locked"}')
    with pytest.raises(Hindered, match="database is locked"):
        PROVIDER.sweep(world.host, [])
    with pytest.raises(ObserveError, match="database is locked"):
        PROVIDER.remains(world.host)


@pytest.mark.parametrize("there", [True, False])
def test_a_released_container_is_the_one_that_was_adopted_as_long_as_it_is_there(tmp_path: Path, there: bool) -> None:
    stage = Stage(ContainerHarness(), tmp_path)
    id_ = foreign(stage.host, "web")
    web = service("web")
    for verb, request in (
        ("adopt", Request(targets=frozenset({web.id}), adopt=frozenset({web.id}))),
        ("release", Request(targets=frozenset({web.id}), release=frozenset({web.id}))),
    ):
        done = stage.play(verb, lambda j, r=request: stage.app.plan(r, desired=stage.desired([web]), journal=j))
        assert done.outcome is not None, done
        assert done.outcome.code is ExitCode.DONE, done.outcome
        if not there:
            engine_of(stage.host)("DELETE", f"/containers/{id_}", b"")
    assert done.planned is not None
    assert ("comes back" in done.planned.plan.changes[0].reason) == there
    found = engine_of(stage.host).named("web")
    assert found is not None
    assert (found["Id"] == id_) == there
    assert [name for name in names(stage.host) if name.startswith("web") and OLD in name] == []
