"""Files in rollouts that fail or are killed: a backend without marks is undone as exactly as one with them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.engine import reconcile
from reconciler.host.fake import Crash, FakeHost
from reconciler.model.errors import ExitCode
from reconciler.model.intent import Request
from reconciler.model.resource import Probe, Resource, Source, VerifyPolicy
from reconciler.provider import Provider
from reconciler.testing.builders import address
from tests.engine.world import World, healthy, sick
from tests.plugins.loading import loaded

CALLS = 40  # more host calls than any of these rollouts makes
OTHER = {"/srv/other": b"theirs \xff"}


def host() -> FakeHost:
    made = FakeHost(files=dict(OTHER), programs={"check": healthy})
    made.folders.add("/srv")
    return made


@dataclass
class Disk(World):
    host: FakeHost = field(default_factory=host)
    providers: dict[str, Provider] = field(  # type: ignore[assignment]
        default_factory=lambda: {"file": loaded().providers["file"]}
    )

    def adopt(self, resource: Resource) -> reconcile.Outcome:
        with self.journal() as journal:
            self.recover(journal)
            request = Request(whole_tree=True, adopt=frozenset({resource.id}))
            decision = self.decide(journal, resource, request=request)
            return reconcile.roll_out(self.engine(journal), decision.plan, "adopt")


def motd(content: str = "new", name: str = "motd") -> Resource:
    return Resource(
        address(f"File/{name}"),
        {"path": f"/srv/{name}", "content": content, "mode": "0644"},
        Source("files.yaml", 1),
        verify=VerifyPolicy(2.0, 0.0, (Probe("exec", {"command": ["check"], "exitCode": 0, "timeout": 1}),)),
    )


@pytest.fixture
def world(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_rollout_that_fails_takes_files_back_as_they_were(world: Disk) -> None:
    world.apply(motd("old"))
    world.host.modes["/srv/motd"] = 0o644
    world.host.programs["check"] = sick
    before = world.files()
    outcome = world.apply(motd("new"), motd("x", "second"))
    assert outcome.code is ExitCode.ROLLED_BACK
    assert world.files() == before
    assert world.settled(motd("old"))


def test_an_adoption_that_fails_gives_the_file_back(world: Disk) -> None:
    world.host.files["/srv/motd"], world.host.modes["/srv/motd"] = b"by hand", 0o751
    world.host.programs["check"] = sick
    assert world.adopt(motd()).code is ExitCode.ROLLED_BACK
    assert (world.host.files["/srv/motd"], world.host.modes["/srv/motd"]) == (b"by hand", 0o751)
    with world.journal() as journal:
        assert journal.inventory() == ()


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("start", ["nothing", "older"])
def test_killed_at_any_host_call_the_next_run_settles(tmp_path: Path, start: str, before: bool) -> None:
    for number in range(1, CALLS):
        world = Disk(tmp_path / f"{number}")
        if start == "older":
            world.apply(motd("old"), motd("gone", "second"))
        world.host.crash_at(number, before=before)
        with suppress(Crash):
            world.apply(motd())
        done = world.host.calls < number
        world.host.heal()
        assert world.apply(motd()).code is ExitCode.DONE, number
        assert world.files() == OTHER | {"/srv/motd": b"new"}, number
        assert world.settled(motd())
        if done:
            return


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_host_call_of_an_adoption_nothing_is_lost(tmp_path: Path, before: bool) -> None:
    for number in range(1, CALLS):
        world = Disk(tmp_path / f"{number}")
        world.host.files["/srv/motd"], world.host.modes["/srv/motd"] = b"by hand", 0o751
        world.host.crash_at(number, before=before)
        with suppress(Crash):
            world.adopt(motd())
        world.host.heal()
        with world.journal() as journal:
            outcome = world.recover(journal)
            owned = [entry.id for entry in journal.inventory()]
        assert outcome is None or outcome.left == (), number
        stands = world.host.files["/srv/motd"], world.host.modes["/srv/motd"]
        assert stands == ((b"new", 0o644) if owned else (b"by hand", 0o751)), number
