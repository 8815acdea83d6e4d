"""An account that was deleted takes its table along: that stops nobody, unless a manifest still asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.engine import reconcile
from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.change import Action
from reconciler.model.errors import ExitCode, ObserveError
from reconciler.model.intent import Request
from reconciler.model.resource import Resource, Source, VerifyPolicy
from reconciler.model.state import HostFacts
from reconciler.provider import Wanted
from reconciler.providers.crontab import program
from reconciler.providers.crontab.provider import Crontab
from reconciler.testing.crontab import CrontabProgram
from tests.engine.world import World

NewDesk = Callable[..., Any]
MINE = b"0 6 * * * : reconciler:Automation/mine; exec true\n"


@pytest.fixture
def desk(new_desk: NewDesk) -> Any:
    """Root at work for `ghost`, whose account is there until `vanish` deletes it."""
    desk = new_desk(user="ghost", runs_as="root")
    desk.program.tables["root"] = MINE
    return desk


def vanish(desk: Any) -> None:
    desk.program.accounts.discard("ghost")
    desk.program.tables.pop("ghost", None)


def test_a_table_that_only_the_inventory_names_is_gone_with_its_account(desk: Any) -> None:
    state = desk.state("a")
    desk.reach({"mine": desk.state("mine", user=None), "a": state})
    vanish(desk)
    observation = desk.provider.observe(desk.host, [Wanted(desk.id("a"), None, state)])
    assert [item.id.name for item in observation.found] == ["mine"]
    assert list(observation.facts["users"]) == [""]


def test_a_manifest_that_names_the_deleted_account_is_an_error_with_a_hint(desk: Any) -> None:
    state = desk.state("a")
    vanish(desk)
    with pytest.raises(ObserveError, match="unknown") as caught:
        desk.provider.observe(desk.host, [Wanted(desk.id("a"), state, state)])
    assert caught.value.hint == "create the account, or correct `user` in the manifest"


def test_a_manifest_that_moved_on_from_the_deleted_account_is_fine(desk: Any) -> None:
    old = desk.state("a")
    desk.user = "bob"
    desk.program.accounts.discard("ghost")
    new = desk.state("a")
    assert [i.id.name for i in desk.provider.observe(desk.host, [Wanted(desk.id("a"), new, old)]).found] == ["mine"]


@pytest.mark.parametrize(
    "stderr",
    [
        b"crontab:  user `ghostly' unknown\n",
        b"crontab: error: unknown error\n",
        b"crontab: PAM: user account has expired\n",
    ],
)
def test_any_other_trouble_with_that_table_still_raises(desk: Any, stderr: bytes) -> None:
    state = desk.state("a")
    desk.program.before("list", lambda: desk.program.before("list", lambda: fail(desk, stderr)))
    with pytest.raises(ObserveError, match="cannot read the crontab of ghost"):
        desk.provider.observe(desk.host, [Wanted(desk.id("a"), None, state)])


def fail(desk: Any, stderr: bytes) -> None:
    desk.program.answer("list", 1, stderr)


@pytest.mark.parametrize(
    "stderr",
    [
        b"crontab:  user `ghost' unknown\n",
        b"crontab: user 'ghost' unknown\n",
        b"crontab: unknown user ghost\n",
    ],
)
def test_every_way_to_say_that_there_is_no_such_account(desk: Any, stderr: bytes) -> None:
    desk.program.answer("list", 1, stderr)
    with pytest.raises(program.UnknownUser):
        program.listing(desk.host, "ghost")


def test_one_who_is_told_that_of_oneself_gets_an_error(new_desk: NewDesk) -> None:
    desk = new_desk()
    desk.program.answer("list", 1, b"crontab:  user `tester' unknown\n")
    with pytest.raises(ObserveError, match="unknown"):
        desk.observe()


def test_taking_a_line_out_of_a_table_that_is_gone_is_done_and_putting_one_in_is_an_error(desk: Any) -> None:
    created = desk.reach({"mine": desk.state("mine", user=None), "a": desk.state("a")})
    item = desk.ours(a=desk.state("a"))["a"]
    vanish(desk)
    desk.undo(created)
    desk.apply(desk.change(Action.DELETE, "a", item, None))
    with pytest.raises(ObserveError, match="unknown"):
        desk.apply(*created)
    assert desk.program.tables == {"root": MINE}


def automation(name: str, user: str) -> Resource:
    spec = {"schedule": "@daily", "command": ["true"], "user": user}
    return Resource(ResourceId("Automation", name), spec, Source("a.yaml", 1), verify=VerifyPolicy(within=0.5))


def test_the_engine_goes_on_without_the_account(tmp_path: Path) -> None:
    cron = CrontabProgram("root")
    cron.accounts |= {"ghost", "bob"}
    facts = HostFacts("box", "linux", "root", "Europe/Berlin")
    host = FakeHost(programs=cron.programs(), running={7: "cron"}, facts=facts)
    world = World(tmp_path, host, providers={"crontab": Crontab()})
    assert world.apply(automation("a", "ghost"), automation("b", "bob")).code is ExitCode.DONE
    cron.accounts.discard("ghost")
    del cron.tables["ghost"]
    with world.journal() as journal:
        with pytest.raises(ObserveError, match="unknown"):
            world.decide(journal, automation("a", "ghost"), automation("b", "bob"))
        decision = world.decide(journal, automation("b", "bob"), request=Request(accept=frozenset({"prune"})))
        assert decision.plan.steps == ()
        assert decision.forget == (ResourceId("Automation", "a"),)
        (notice,) = decision.plan.notices
        assert notice.startswith("There is no account ghost any more")
        assert "Automation/a is given up" in notice
        moved = world.decide(journal, automation("a", "bob"), automation("b", "bob"))
        assert reconcile.roll_out(world.engine(journal), moved.plan, "apply").code is ExitCode.DONE
    assert cron.tables["bob"].count(b": reconciler@root:Automation/") == 2
