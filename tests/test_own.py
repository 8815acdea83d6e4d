"""What `reconcile self` installs, which of it is in force, and what starts it: without a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.autostart import Setup, resources, starter
from reconciler.host.fake import FakeHost
from reconciler.journal.journal import Journal
from reconciler.model.errors import ReconcileError
from reconciler.model.resource import DriftPolicy, Resource
from reconciler.model.state import Owned
from reconciler.own import in_force, remember, spared
from reconciler.registry import registry
from reconciler.testing import builders

KNOWN = registry()
USABLE = {"crontab": None, "systemd": None}.__getitem__  # each backend can be used


def made(through: str = "crontab", python: str = "/usr/bin/python3", **more: str) -> tuple[Resource, ...]:
    return resources(Setup(through, python, "/var/lib/reconciler", **more), KNOWN.kinds)  # type: ignore[arg-type]


def entry(resource: Resource, provider: str) -> Owned:
    return Owned(resource.id, provider, KNOWN.providers[provider].canonical(resource))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(tmp_path, clock=FakeHost().clock)


def test_the_resources_are_what_their_backends_can_hold() -> None:
    (by_cron,) = made()
    assert str(by_cron.id) == "Automation/reconciler-supervisor"
    assert KNOWN.providers["crontab"].canonical(by_cron).attributes["schedule"] == "@reboot"
    assert by_cron.spec["runner"] == "off"
    for backend in ("systemd", "launchd"):
        found = made(backend, watch="/srv/tree")
        assert [str(each.id) for each in found] == [
            "Service/reconciler-supervisor",
            "Service/reconciler-watch",
        ]
        assert found[1].depends_on == (found[0].id,)
        for each in found:
            assert KNOWN.providers[backend].canonical(each).attributes["command"]


def test_in_force_is_what_the_inventory_holds_in_just_that_state(journal: Journal) -> None:
    old, new = made(python="/old/python"), made(python="/new/python")
    remember(journal, old)
    remember(journal, new)
    assert in_force(journal, (), KNOWN.providers, USABLE) == ()
    assert in_force(journal, [entry(old[0], "crontab")], KNOWN.providers, USABLE) == old
    assert in_force(journal, [entry(new[0], "crontab")], KNOWN.providers, USABLE) == new
    assert in_force(journal, [entry(made(python="/other")[0], "crontab")], KNOWN.providers, USABLE) == ()


def test_one_whose_backend_cannot_be_used_now_is_left_alone(journal: Journal) -> None:
    found = made("systemd")
    remember(journal, found)
    held = [entry(each, "systemd") for each in found]
    assert in_force(journal, held, KNOWN.providers, lambda _name: "there is no user manager") == ()
    assert spared(builders.snapshot(inventory=held)).inventory == ()


def test_remembered_are_few_and_each_once(journal: Journal) -> None:
    for number in range(30):
        remember(journal, made(python=f"/python{number}"))
        remember(journal, made(python=f"/python{number}"))
    assert len(journal.own()) == 20
    assert journal.own()[0] == made(python="/python29")[0]


def test_a_watch_never_puts_its_own_unit_back(journal: Journal) -> None:
    found = made("systemd", watch="/srv/tree")
    remember(journal, found)
    standing = in_force(journal, [entry(each, "systemd") for each in found], KNOWN.providers, USABLE)
    assert [each.drift for each in standing] == [DriftPolicy.REVERT, DriftPolicy.REPORT]


def test_entries_that_nobody_remembers_are_spared() -> None:
    (ours,) = made()
    mine = builders.owned("a", builders.state(text="x"))
    snapshot = builders.snapshot(inventory=[entry(ours, "crontab"), mine])
    assert spared(snapshot).inventory == (mine,)


def test_auto_stays_where_it_is_and_else_takes_the_first_that_can_be_used() -> None:
    (ours,) = made()
    can = {"systemd": None, "crontab": None, "launchd": "no launchctl"}
    assert starter("auto", (), "linux", can.get) == "systemd"
    assert starter("auto", [entry(ours, "crontab")], "linux", can.get) == "crontab"
    assert starter("auto", (), "darwin", can.get) == "crontab"
    assert starter("launchd", (), "linux", can.get) == "launchd"
    with pytest.raises(ReconcileError, match="nothing on this host starts programs"):
        starter("auto", (), "linux", dict.fromkeys(can, "not there").get)
