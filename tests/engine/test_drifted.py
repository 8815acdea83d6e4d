"""Undo over what somebody else had changed: it comes back as far as a backend can bring it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.host.fake import FakeHost
from reconciler.model.change import Action
from reconciler.model.errors import ExitCode
from reconciler.model.resource import Probe, Resource, VerifyPolicy
from reconciler.model.state import Ownership, State
from reconciler.provider import Wanted
from reconciler.providers.systemd.provider import Systemd
from reconciler.providers.systemd.units import unmarked
from reconciler.testing.builders import change, resource
from reconciler.testing.systemd import SystemdPrograms
from tests.engine.world import NOTES, World, healthy, sick, want

ASKED = VerifyPolicy(within=1.0, stable_for=0.0, probes=(Probe("exec", {"command": ["check"], "timeout": 1}),))
UNIT = "reconciler-service-worker.service"
PATH = f"/home/tester/.config/systemd/user/{UNIT}"


def unit(command: str, policy: str) -> Resource:
    return resource("Service/worker", "units.yaml", command=[command], environment={}, restart={"policy": policy})


def edited(host: FakeHost, _programs: SystemdPrograms) -> None:
    """In the file, and the manager has not read it yet."""
    host.files[PATH] += b"# by hand\n"
    host.time.advance(60)
    host.times[PATH] = host.time.now()


def ended(_host: FakeHost, programs: SystemdPrograms) -> None:
    programs.user.active.discard(UNIT)
    programs.user.failed.add(UNIT)


@pytest.mark.parametrize(
    ("happens", "policy"),
    [(edited, "always"), (ended, "always"), (ended, "on-failure")],
    ids=["edited", "failed", "failed for good"],
)
def test_a_unit_that_somebody_changed_is_so_again_after_an_undo(
    tmp_path: Path, happens: Callable[[FakeHost, SystemdPrograms], None], policy: str
) -> None:
    host = FakeHost(programs={"check": sick})
    programs = SystemdPrograms(host)
    world = World(tmp_path, host, providers={"systemd": Systemd()})
    assert world.apply(unit("/bin/one", policy)).code is ExitCode.DONE
    happens(host, programs)
    stood, ran = host.files[PATH], UNIT in programs.user.active
    outcome = world.apply(replace(unit("/bin/two", policy), verify=ASKED))
    assert (outcome.code, outcome.left) == (ExitCode.ROLLED_BACK, ())
    assert (host.files[PATH], UNIT in programs.user.active) == (stood, ran)


def test_a_unit_that_was_released_is_refused_in_the_plan_and_not_while_it_is_applied(tmp_path: Path) -> None:
    host = FakeHost()
    SystemdPrograms(host)
    world = World(tmp_path, host, providers={"systemd": Systemd()})
    worker = unit("/bin/one", "always")
    world.apply(worker)
    host.files[PATH] = unmarked(host.files[PATH])
    with world.journal() as journal:
        journal.remember((), [worker.id])
        vetoes = world.decide(journal, worker).plan.vetoes
    assert [veto.message for veto in vetoes] == [f"{PATH} has the name of our unit and does not carry our mark"]
    assert "reconcile adopt Service/worker" in str(vetoes[0].hint)


def test_a_state_that_somebody_had_edited_can_be_looked_for(tmp_path: Path) -> None:
    """As the undo of a rollback to it does, when no unit of that name stands."""
    host = FakeHost()
    SystemdPrograms(host)
    wanted = Wanted(unit("/bin/one", "always").id, State({"scope": "", "text": "# by hand"}), None)
    assert Systemd().observe(host, [wanted]).found == ()


def test_an_undone_release_marks_the_same_line_again_among_equal_ones(tmp_path: Path) -> None:
    host = FakeHost(files={NOTES: b'{"text": "hello"}\n'}, programs={"check": healthy})
    world = World(tmp_path, host)
    note = want("Note/a", "hello")
    world.apply(note)
    host.files[NOTES] = b"".join(reversed(host.files[NOTES].splitlines(keepends=True)))
    before = host.files[NOTES]
    provider = world.providers["memory"]
    [found] = [item for item in provider.observe(host, []).found if item.ownership is Ownership.OURS]
    release = change("Note/a", found.state, found.state, action=Action.RELEASE, restore=found.restore)
    provider.apply(host, [release])
    provider.apply(host, [release.inverse()])
    assert host.files[NOTES] == before
