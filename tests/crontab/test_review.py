"""Review, health and watch paths: the dangers of the outcome, each shown firing and shown silent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change, Danger
from reconciler.model.errors import HostError
from reconciler.model.state import HostFacts, State
from reconciler.provider import Finding, HasHealth, HasImport, HasReview, HasWatchPaths, Wanted
from reconciler.providers.crontab.provider import Crontab
from reconciler.testing.crontab import CrontabProgram

NewDesk = Callable[..., Any]


def review(desk: Any, changes: Sequence[Change], after: dict[str, Any]) -> tuple[Finding, ...]:
    facts = desk.provider.observe(desk.host, desk.wanted(**after)).facts
    findings: tuple[Finding, ...] = desk.provider.review(facts, {desk.id(n): s for n, s in after.items()}, changes)
    return findings


def test_the_provider_has_every_capability() -> None:
    for capability in (HasReview, HasHealth, HasWatchPaths, HasImport):
        assert isinstance(Crontab(), capability)


def test_a_new_automation_that_a_foreign_line_runs_already_is_a_double_run(desk: Any) -> None:
    desk.table = b"# x\n0 5 * * * job --fast 2>&1\n"
    wanted = {"a": desk.state("a", command=["job", "--fast"])}
    (finding,) = review(desk, desk.plan(wanted), wanted)
    assert finding.hazard is not None
    assert (finding.hazard.danger, finding.hazard.blocking) == (Danger.DOUBLE_RUN, True)
    assert finding.ids == (desk.id("a"),)
    assert "line 2 of the crontab of tester runs the same command as Automation/a" in finding.message
    assert "`reconcile adopt Automation/a`" in (finding.hint or "")


def test_an_update_towards_what_a_foreign_line_runs_is_a_double_run(desk: Any) -> None:
    desk.table = b"0 5 * * * job\n0 6 * * * job\n"
    desk.reach({"a": desk.state("a", command="other")})
    wanted = {"a": desk.state("a", command="job")}
    (finding,) = review(desk, desk.plan(wanted), wanted)
    assert "lines 2, 3 of the crontab" in finding.message
    assert "adopt" not in (finding.hint or "")


@pytest.mark.parametrize("table", [b"", b"#0 5 * * * job\n", b"0 5 * * * job --other\n", b"0 5 * * * cd /x && job\n"])
def test_other_foreign_lines_are_no_double_run(desk: Any, table: bytes) -> None:
    desk.table = table
    wanted = {"a": desk.state("a", command="job", workingDirectory="/y")}
    assert review(desk, desk.plan(wanted), wanted) == ()


def test_adopting_the_line_is_no_double_run_but_a_second_one_is(desk: Any) -> None:
    wanted = {"a": desk.state("a", command="job")}
    desk.table = b"0 5 * * * job\n"
    assert review(desk, desk.plan(wanted, adopt=["a"]), wanted) == ()
    desk.table = b"# x\n0 5 * * * job\n0 6 * * * job\n"
    (finding,) = review(desk, desk.plan(wanted, adopt=["a"]), wanted)
    assert "line 2 of" in finding.message


def test_adopting_names_the_variables_that_only_stood_above_the_line(desk: Any) -> None:
    desk.table = b"SHELL=/bin/sh\nLOGNAME=x\nA=1\nB=2\nC=3\n0 5 * * * job\n"
    wanted = {"a": desk.state("a", command="job", environment={"B": "2"})}
    (finding,) = review(desk, desk.plan(wanted, adopt=["a"]), wanted)
    assert finding.hazard is not None
    assert (finding.hazard.danger, finding.hazard.blocking) == (Danger.DATA_LOSS, False)
    assert "the variables A and C that stood above it are not in the manifest: it will run without" in finding.message
    wanted = {"a": desk.state("a", command="job", environment={"A": "1", "B": "2", "C": "3"})}
    assert review(desk, desk.plan(wanted, adopt=["a"]), wanted) == ()


def test_deleting_is_never_a_double_run(desk: Any) -> None:
    desk.reach({"a": desk.state("a", command="job")})
    desk.table += b"0 5 * * * job\n"
    assert review(desk, desk.plan({}), {}) == ()


def test_the_same_command_of_another_user_is_no_double_run(new_desk: NewDesk) -> None:
    desk = new_desk(runs_as="root", user="bob")
    desk.program.tables["root"] = b"0 5 * * * job\n"
    wanted = {"a": desk.state("a", command="job")}
    assert review(desk, desk.plan(wanted), wanted) == ()


def test_without_a_daemon_every_new_run_is_missed(desk: Any) -> None:
    desk.host.running.clear()
    wanted = {"a": desk.state("a"), "b": desk.state("b")}
    (finding,) = review(desk, desk.plan(wanted), wanted)
    assert finding.hazard is not None
    assert (finding.hazard.danger, finding.hazard.blocking) == (Danger.MISSED_RUN, True)
    assert finding.ids == (desk.id("a"), desk.id("b"))


def test_without_a_daemon_removing_is_harmless(desk: Any) -> None:
    desk.reach({"a": desk.state("a")})
    desk.host.running.clear()
    assert review(desk, desk.plan({}), {}) == ()


def test_a_table_over_the_limit_of_cron_is_refused_and_foreign_lines_count(desk: Any) -> None:
    desk.table = b"#\n" * 9_998
    wanted = {"a": desk.state("a"), "b": desk.state("b")}
    assert review(desk, desk.plan(wanted), wanted) == ()
    wanted["c"] = desk.state("c")
    (finding,) = review(desk, desk.plan(wanted), wanted)
    assert finding.hazard is None
    assert "10,001 lines" in finding.message


def test_an_adoption_adds_no_line_and_a_release_keeps_one(desk: Any) -> None:
    desk.table = b"0 5 * * * job\n" + b"#\n" * 9_999
    wanted = {"a": desk.state("a", command="job")}
    assert review(desk, desk.plan(wanted, adopt=["a"]), wanted) == ()
    desk.table = b"#\n" * 9_999
    desk.reach({"a": desk.state("a")})
    item = desk.ours()["a"]
    released = desk.change(Action.RELEASE, "a", item, item.state)
    created = desk.change(Action.CREATE, "b", None, desk.state("b"))
    (finding,) = review(desk, [released, created], {"b": desk.state("b")})
    assert "10,001 lines" in finding.message


def test_each_users_table_has_its_own_limit(new_desk: NewDesk) -> None:
    desk = new_desk(b"#\n" * 10_000, runs_as="root", user="bob")
    wanted = {"a": desk.state("a")}
    (finding,) = review(desk, desk.plan(wanted), wanted)
    assert "the crontab of bob would hold" in finding.message
    mine = new_desk(None, runs_as="root")
    assert review(mine, mine.plan({"a": mine.state("a")}), {"a": mine.state("a")}) == ()


@pytest.mark.parametrize(
    ("files", "running", "alive"),
    [
        ({}, {}, False),
        ({}, {5: "cron"}, True),
        ({}, {5: "crond"}, True),
        ({"/run/crond.pid": b"5\n", "/proc/5/comm": b"cron\n"}, {}, True),
        ({"/run/crond.pid": b"5\n", "/proc/5/comm": b"bash\n"}, {}, False),
        ({"/run/crond.pid": b"5\n"}, {}, False),
        ({"/run/crond.pid": b"garbage"}, {6: "crond"}, True),
        ({"/var/run/cron.pid": b"7", "/proc/7/comm": b"cron\n"}, {}, True),
        ({}, {5: "busybox"}, False),
        ({"/proc/5/cmdline": b"busybox\0httpd\0"}, {5: "busybox"}, False),
        ({"/proc/5/cmdline": b"busybox\0crond\0-f\0"}, {5: "busybox"}, True),
    ],
)
def test_health_is_whether_a_daemon_lives(files: dict[str, bytes], running: dict[int, str], alive: bool) -> None:
    said = Crontab().health(FakeHost(files=files, running=running), ())
    assert (said is None) is alive
    assert alive or said == "no cron daemon is running on this host"


def hiding(files: dict[str, bytes]) -> FakeHost:
    """A host whose /proc shows only one's own processes."""
    host = FakeHost(files=files, programs=CrontabProgram().programs())

    def refuse(call: Any) -> None:
        if call.method == "processes":
            raise HostError("cannot list processes: /proc hides those of other users")

    host.on_call(refuse)
    return host


@pytest.mark.parametrize(
    ("files", "known"),
    [
        ({}, None),
        ({"/run/crond.pid": b"5\n"}, True),
        ({"/run/crond.pid": b"5\n", "/proc/5/comm": b"cron\n"}, True),
        ({"/run/crond.pid": b"5\n", "/proc/5/comm": b"bash\n"}, None),
        ({"/run/crond.pid": b"garbage"}, None),
    ],
)
def test_where_processes_are_hidden_only_a_pid_file_tells(files: dict[str, bytes], known: bool | None) -> None:
    host, provider = hiding(files), Crontab()
    wanted = Wanted(ResourceId("Automation", "a"), State({"user": "", "schedule": "@daily", "command": "x"}), None)
    facts = provider.observe(host, (wanted,)).facts
    assert facts["daemon"] is known
    assert provider.health(host, ()) is None
    change = Change(wanted.id, "crontab", Action.CREATE, None, wanted.desired, Cause.NEW, "a test asks")
    assert wanted.desired is not None
    assert provider.review(facts, {wanted.id: wanted.desired}, [change]) == ()


def test_on_macos_launchd_starts_the_daemon() -> None:
    host = FakeHost(facts=HostFacts("mac", "darwin", "me", ""))
    assert Crontab().health(host, ()) is None


def test_the_folders_of_tables_that_exist_are_watched() -> None:
    host = FakeHost(files={"/var/spool/cron/crontabs": b""})
    assert Crontab().watch_paths(host) == ("/var/spool/cron/crontabs",)
    host.denied.add(str(Path("/var/spool/cron/crontabs")))
    assert Crontab().watch_paths(FakeHost()) == ()
