"""A claim in a rollout: entered after its owner, proven by the owner listening, taken back with the rest."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.host.fake import Call, Crash
from reconciler.host.protocol import Listener
from reconciler.kinds.catalogue import BUILT_IN, KindCatalogue
from reconciler.load.desired import load
from reconciler.model.change import Action
from reconciler.model.data import Json
from reconciler.model.errors import ExitCode, LoadError
from reconciler.model.plan import ApplyStep, VerifyStep
from reconciler.model.resource import Probe, Resource, Source, VerifyPolicy
from reconciler.provider import Provider
from reconciler.providers.port.provider import Port
from reconciler.testing.builders import address
from reconciler.testing.memory import MemoryProvider
from tests.engine.world import NOTES, World, want


@dataclass
class Harbour(World):
    providers: dict[str, Provider] = field(  # type: ignore[assignment]
        default_factory=lambda: {"memory": MemoryProvider(Path(NOTES)), "port": Port()}
    )


@pytest.fixture
def world(tmp_path: Path) -> Harbour:
    return Harbour(tmp_path)


def port(number: int = 3500, owner: str = "Note/crm") -> Resource:
    """A claim as loading makes it."""
    options: dict[str, Json] = {"port": number, "protocol": "tcp", "owner": owner}
    return Resource(
        address("Port/http"),
        {"port": number, "protocol": "tcp", "owner": owner, "address": None},
        Source("ports.yaml", 1),
        depends_on=(address(owner),),
        verify=VerifyPolicy(2.0, 0.0, (Probe("listening", options),)),
    )


def serve(world: Harbour, number: int = 3500) -> None:
    """The owner listens from the moment that it is written."""

    def hook(call: Call) -> None:
        if call.method == "write" and call.target == NOTES:
            world.host.sockets.append(Listener("tcp", number, "127.0.0.1", 812, "crm"))

    world.host.on_call(hook)


def test_a_claim_stands_once_its_owner_listens_and_is_then_left_alone(world: Harbour) -> None:
    serve(world)
    assert world.apply(want("Note/crm", "x"), port()).code is ExitCode.DONE
    assert world.settled(want("Note/crm", "x"), port())


def test_a_claim_comes_after_the_gate_of_its_owner(world: Harbour) -> None:
    with world.journal() as journal:
        steps = world.decide(journal, want("Note/crm", "x"), port()).plan.steps
    gate = next(s.number for s in steps if isinstance(s, VerifyStep) and s.id == address("Note/crm"))
    (claimed,) = [s for s in steps if isinstance(s, ApplyStep) and s.change.provider == "port"]
    assert claimed.needs == (gate,)


def test_an_owner_that_does_not_listen_fails_the_rollout_and_everything_goes_back(world: Harbour) -> None:
    before = world.files()
    outcome = world.apply(want("Note/crm", "x"), port())
    assert outcome.code is ExitCode.ROLLED_BACK
    assert "Note/crm does not listen on tcp port 3500" in outcome.message
    assert world.files() == before
    with world.journal() as journal:
        assert journal.inventory() == ()


def test_a_claim_can_be_moved_and_struck_out(world: Harbour) -> None:
    serve(world)
    serve(world, 3501)
    world.apply(want("Note/crm", "x"), port())
    assert world.apply(want("Note/crm", "x"), port(3501)).code is ExitCode.DONE
    assert world.settled(want("Note/crm", "x"), port(3501))
    with world.journal() as journal:
        plan = world.decide(journal, want("Note/crm", "x")).plan
    assert [(c.action, str(c.id)) for c in plan.changes] == [(Action.DELETE, "Port/http")]
    assert world.apply(want("Note/crm", "x")).code is ExitCode.DONE
    assert world.settled(want("Note/crm", "x"))


def test_a_claim_that_fails_when_it_moves_stays_where_it_was(world: Harbour) -> None:
    serve(world)
    world.apply(want("Note/crm", "x"), port())
    assert world.apply(want("Note/crm", "x"), port(3501)).code is ExitCode.ROLLED_BACK
    assert world.settled(want("Note/crm", "x"), port())


def stop(world: Harbour, name: str) -> None:
    """Whoever listens stops as soon as the resource is written away."""

    def hook(call: Call) -> None:
        if call.method == "write" and call.target == NOTES and name.encode() in world.host.files[NOTES]:
            world.host.on_call(lambda _call: _silence(world, name))

    world.host.on_call(hook)


def _silence(world: Harbour, name: str) -> None:
    if name.encode() not in world.host.files[NOTES]:
        world.host.sockets.clear()


def test_a_new_owner_is_asked_again_once_the_old_one_is_gone(world: Harbour) -> None:
    serve(world)
    old, new = want("Note/old", "x"), want("Note/crm", "x")
    assert world.apply(old, new, port(owner="Note/old")).code is ExitCode.DONE
    world.host.heal()
    before = world.files()
    stop(world, "Note/old")  # nobody else ever listens: until then it looked as if the new one did
    outcome = world.apply(new, port())
    assert outcome.code is ExitCode.ROLLED_BACK, outcome
    assert "Note/crm does not listen on tcp port 3500" in outcome.message
    assert world.files() == before


def test_a_new_owner_that_listens_itself_keeps_the_port(world: Harbour) -> None:
    serve(world)
    old, new = want("Note/old", "x"), want("Note/crm", "x")
    world.apply(old, new, port(owner="Note/old"))
    assert world.apply(new, port()).code is ExitCode.DONE
    assert world.settled(new, port())


def test_an_owner_that_changes_is_asked_whether_it_still_listens(world: Harbour) -> None:
    serve(world)
    world.apply(want("Note/crm", "x"), port())
    world.host.heal()
    before = world.files()
    world.host.sockets.clear()
    outcome = world.apply(want("Note/crm", "y"), port())
    assert outcome.code is ExitCode.ROLLED_BACK
    assert "Note/crm does not listen on tcp port 3500" in outcome.message
    assert world.files() == before


def test_a_port_in_use_by_somebody_else_stops_the_plan(world: Harbour) -> None:
    world.host.sockets.append(Listener("tcp", 3500, "0.0.0.0", 9, "nginx"))
    with world.journal() as journal:
        vetoes = world.decide(journal, want("Note/crm", "x"), port()).plan.vetoes
    assert [veto.guard for veto in vetoes] == ["limit"]
    assert "in use by nginx" in vetoes[0].message


def test_an_owner_that_is_there_already_may_listen_already(world: Harbour) -> None:
    world.apply(want("Note/crm", "x"))
    world.host.sockets.append(Listener("tcp", 3500, "0.0.0.0", 9, "crm"))
    assert world.apply(want("Note/crm", "x"), port()).code is ExitCode.DONE


@pytest.mark.parametrize("number", range(1, 12))
def test_killed_at_any_host_call_the_next_run_settles(world: Harbour, number: int) -> None:
    serve(world)
    world.host.crash_at(number)
    with suppress(Crash):  # an apply with fewer calls meets it in the next one
        world.apply(want("Note/crm", "x"), port())
    world.host.heal()
    serve(world)
    assert world.apply(want("Note/crm", "x"), port()).code is ExitCode.DONE
    assert world.settled(want("Note/crm", "x"), port())


def tree(folder: Path, owner: str) -> Path:
    (folder / "desired").mkdir()
    head = "apiVersion: reconciler/v1\nkind: Automation\nmetadata: {name: crm}\n"
    body = 'spec: {schedule: "@daily", command: [crm]}\n---\n'
    claim = f"apiVersion: reconciler/v1\nkind: Port\nmetadata: {{name: http}}\nspec: {{port: 3500, owner: {owner}}}\n"
    (folder / "desired/crm.yaml").write_text(head + body + claim)
    return folder / "desired"


def test_loading_makes_a_claim_depend_on_its_owner_and_ask_whether_it_listens(world: Harbour, tmp_path: Path) -> None:
    desired = load(tree(tmp_path, "Automation/crm"), kinds=KindCatalogue(BUILT_IN), host=world.host, cache_dir=None)
    claim = desired.resources[1]
    assert claim.depends_on == (address("Automation/crm"),)
    asked = {"port": 3500, "protocol": "tcp", "owner": "Automation/crm"}
    assert claim.verify.probes == (Probe("listening", asked),)


def test_an_owner_that_no_manifest_declares_is_a_problem_at_its_place(world: Harbour, tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        load(tree(tmp_path, "Service/crm"), kinds=KindCatalogue(BUILT_IN), host=world.host, cache_dir=None)
    (problem,) = caught.value.problems
    assert problem.message == "Service/crm is not in the manifests"
    assert (problem.line, problem.column) == (9, 27)
