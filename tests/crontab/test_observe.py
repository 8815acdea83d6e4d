"""Observe: what is ours, what stands in the way, and that "could not look" is never "absent"."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.host.fake import FakeHost, Fault
from reconciler.model.errors import CommandTimeout, ObserveError
from reconciler.model.state import Ownership
from reconciler.provider import Supported, Unsupported
from reconciler.providers.crontab.provider import Crontab

NewDesk = Callable[..., Any]
OURS = b"0 6 * * * : reconciler:Automation/brief; exec true\n"
BY_ROOT = OURS.replace(b"reconciler:", b"reconciler@root:")


def test_what_was_applied_is_observed_as_asked_for(desk: Any) -> None:
    spec = {
        "command": ["a", "b c"],
        "workingDirectory": "~/x y",
        "environment": {"K": "v w"},
        "schedule": {"every": 300},
    }
    state = desk.state("brief", **spec)
    desk.reach({"brief": state})
    item = desk.ours(brief=state)["brief"]
    assert item.state == state
    assert item.where == "crontab of tester, line 1"
    assert item.document == desk.provider.document(desk.id("brief"), state)
    assert item.trouble is None
    assert state.attributes == {
        "user": "",
        "schedule": "*/5 * * * *",
        "command": ["a", "b c"],
        "directory": "~/x y",
        "environment": {"K": "v w"},
    }


def test_observing_writes_nothing(desk: Any) -> None:
    desk.table = b"MAILTO=x\n" + OURS
    desk.observe(brief=desk.state("brief", command=["other"]))
    assert not any(call.writes for call in desk.host.log)
    assert desk.program.count("install", "remove") == 0


@pytest.mark.parametrize("table", [None, b"", b"# nothing of ours\n"])
def test_a_table_without_our_lines_holds_nothing_of_ours(desk: Any, table: bytes | None) -> None:
    desk.table = table
    assert desk.observe().found == ()
    assert desk.observe().facts["users"][""]["exists"] is (table is not None)


@pytest.mark.parametrize(
    "stderr",
    [
        b"no crontab for tester\n",
        b"crontab: no crontab for tester\n",
        b"crontab: can't open 'tester': No such file or directory\n",
    ],
)
def test_every_way_to_say_that_there_is_no_crontab_counts_as_empty(desk: Any, stderr: bytes) -> None:
    desk.program.answer("list", 1, stderr)
    assert desk.observe().found == ()


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "says"),
    [
        (1, b"", b"crontab: cannot open your table\n", "status 1: crontab: cannot open your table"),
        (1, b"", b"", "status 1 and said nothing"),
        (2, b"", b"no crontab for tester\n", "status 2"),
        (-9, b"", b"", "killed by signal 9"),
        (1, b"# half a table\n", b"no crontab for tester\n", "status 1"),
        (127, b"", b"", "status 127"),
        (0, b"# x\0y\n", b"", "NUL"),
    ],
)
def test_any_other_failure_raises(desk: Any, code: int, stdout: bytes, stderr: bytes, says: str) -> None:
    desk.table = OURS
    desk.program.answer("list", code, stderr, stdout)
    with pytest.raises(ObserveError, match="cannot read the crontab of tester") as caught:
        desk.observe()
    assert says in caught.value.message
    odd = code in (-9, 127) or says == "NUL"
    assert caught.value.hint == ("see what `crontab` runs on this host" if odd else None)


def test_a_user_who_may_not_use_cron_is_told_whom_to_ask(desk: Any) -> None:
    desk.program.denied.add("tester")
    with pytest.raises(ObserveError, match="not allowed to use") as caught:
        desk.observe()
    assert "cron.allow" in (caught.value.hint or "")


def test_a_crontab_program_that_is_missing_is_an_answer_of_probe_and_an_error_of_observe() -> None:
    host = FakeHost()
    support = Crontab().probe(host)
    assert isinstance(support, Unsupported)
    assert "crontab" in support.why
    with pytest.raises(ObserveError, match="cannot read the crontab of tester"):
        Crontab().observe(host, ())


def test_a_crontab_program_is_enough_to_be_supported(desk: Any) -> None:
    assert desk.provider.probe(desk.host) == Supported()


def test_a_slow_crontab_program_raises(desk: Any) -> None:
    fault = Fault(CommandTimeout("cannot run crontab: it did not end within 20 s"), before=True)
    desk.host.on_call(lambda call: desk.host._faults.update({call.number: fault}) if call.method == "query" else None)
    with pytest.raises(ObserveError, match=r"cannot read the crontab of tester: .* within 20 s"):
        desk.observe()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda raw: raw.replace(b"0 6", b"0 7"), {"schedule": "0 7 * * *"}),
        (lambda raw: raw.replace(b"exec true", b"exec false"), {"command": ["false"]}),
        (lambda raw: b"FOO=bar\nMAILTO=\n" + raw, {"inherits": ["FOO", "MAILTO"]}),
    ],
)
def test_tampering_shows_as_the_field_that_differs(
    desk: Any, change: Callable[[bytes], bytes], difference: dict[str, object]
) -> None:
    state = desk.state("brief")
    desk.reach({"brief": state})
    desk.table = change(desk.table)
    assert desk.ours(brief=state)["brief"].state.attributes == {**state.attributes, **difference}


def test_a_line_that_was_bent_out_of_shape_shows_as_text(desk: Any) -> None:
    desk.table = OURS.replace(b"exec true", b"exec true %x")
    assert desk.ours()["brief"].state.attributes == {
        "user": "",
        "schedule": "0 6 * * *",
        "text": "0 6 * * * : reconciler:Automation/brief; exec true %x",
    }


def test_moving_our_line_among_other_jobs_is_no_difference(desk: Any) -> None:
    state = desk.state("brief")
    desk.reach({"brief": state})
    desk.table = b"# head\n0 1 * * * one\n" + desk.table + b"0 2 * * * two\n"
    assert desk.plan({"brief": state}) == []


def test_a_line_that_was_commented_out_is_gone(desk: Any) -> None:
    desk.table = b"#" + OURS
    assert desk.ours() == {}


def test_two_lines_with_one_id_are_trouble(desk: Any) -> None:
    desk.table = OURS + b"# x\n" + OURS
    item = desk.ours()["brief"]
    assert item.trouble == (
        "two lines carry the mark of Automation/brief: crontab of tester, line 1 and crontab of tester, line 3"
    )


def test_a_foreign_line_is_reported_only_where_it_runs_what_is_wanted(desk: Any) -> None:
    desk.table = b"# head\nPATH=/bin\n5 5 * * * /opt/backup --fast >/dev/null 2>&1\n0 1 * * * other\n"
    state = desk.state("brief", command=["/opt/backup", "--fast"])
    (item,) = desk.observe(brief=state).found
    assert item.ownership is Ownership.FOREIGN
    assert item.where == "crontab of tester, line 3"
    assert item.document == "5 5 * * * /opt/backup --fast >/dev/null 2>&1"
    assert item.state.attributes == {
        "user": "",
        "schedule": "5 5 * * *",
        "command": "/opt/backup --fast >/dev/null 2>&1",
        "inherits": ["PATH"],
    }


def test_each_foreign_line_that_runs_the_same_is_reported(desk: Any) -> None:
    desk.table = b"0 1 * * * job\n0 2 * * * job\n#0 3 * * * job\n"
    assert [item.where for item in desk.observe(brief=desk.state("brief", command="job")).found] == [
        "crontab of tester, line 1",
        "crontab of tester, line 2",
    ]


def test_a_foreign_line_is_not_reported_beside_our_own(desk: Any) -> None:
    desk.table = OURS + b"0 1 * * * true\n"
    found = desk.observe(brief=desk.state("brief")).found
    assert [item.ownership for item in found] == [Ownership.OURS]


def test_facts_hold_no_byte_of_foreign_lines(desk: Any) -> None:
    desk.table = b"TOKEN=hunter2\n0 1 * * * cd /srv/hunter3 && curl -H hunter4\n"
    facts = desk.observe(brief=desk.state("brief")).facts
    assert "hunter" not in json.dumps(facts)
    assert facts["users"][""]["foreign"] == 2
    assert facts["users"][""]["lines"] == 2


def test_observations_survive_json(desk: Any) -> None:
    desk.table = b"0 1 * * * job\xff\n" + OURS.replace(b"true", b"\xfe\x01")
    for item in desk.observe(x=desk.state("x", command="job\\xff")).found:
        text = json.dumps([item.state.attributes, item.restore, item.document], ensure_ascii=False)
        assert json.loads(text.encode("utf-8"))


def test_root_reads_the_tables_that_are_named_and_its_own(new_desk: NewDesk) -> None:
    desk = new_desk(BY_ROOT, user="bob", runs_as="root")
    desk.program.tables["root"] = OURS.replace(b"brief", b"mine")
    state = desk.state("brief")
    found = {item.id.name: item for item in desk.observe(brief=state).found}
    assert found["brief"].state == state
    assert found["brief"].where == "crontab of bob, line 1"
    assert found["mine"].state.attributes["user"] == ""
    assert [call.user for call in desk.program.calls] == ["root", "bob"]


def test_naming_oneself_is_no_difference_and_never_needs_u(new_desk: NewDesk) -> None:
    desk = new_desk(user="tester")
    state = desk.state("brief")
    desk.reach({"brief": state})
    assert desk.plan({"brief": state}) == []
    assert not any(" -u " in call.target for call in desk.host.log)


def test_only_root_may_name_others(new_desk: NewDesk) -> None:
    desk = new_desk(user="bob")
    with pytest.raises(ObserveError, match="cannot read the crontab of bob: only root may") as caught:
        desk.observe(brief=desk.state("brief"))
    assert caught.value.hint


def test_a_user_that_does_not_exist_raises(new_desk: NewDesk) -> None:
    desk = new_desk(runs_as="root")
    desk.user = "nobody-here"
    with pytest.raises(ObserveError, match="unknown") as caught:
        desk.observe(brief=desk.state("brief"))
    assert "create the account" in (caught.value.hint or "")


def test_one_id_in_two_tables_is_trouble(new_desk: NewDesk) -> None:
    desk = new_desk(BY_ROOT, user="bob", runs_as="root")
    desk.program.tables["root"] = OURS
    (item,) = desk.observe(brief=desk.state("brief")).found
    assert "crontab of root, line 1 and crontab of bob, line 1" in (item.trouble or "")


def test_the_header_of_macos_counts_as_lines_but_not_as_anybodys(new_desk: NewDesk) -> None:
    header = (
        b"# DO NOT EDIT THIS FILE - edit the master and reinstall.\n# (- installed on x)\n# (Cron version -- y)\n"
    )
    desk = new_desk(header + OURS, platform="darwin")
    assert desk.ours()["brief"].where == "crontab of tester, line 4"
    assert desk.observe().facts["users"][""]["foreign"] == 0


def test_what_debian_hides_in_its_listing_is_read_exactly(new_desk: NewDesk) -> None:
    desk = new_desk(b"0 1 * * * job\r\n")
    (item,) = desk.observe(brief=desk.state("brief", command="job")).found
    assert item.restore["line"] == "0 1 * * * job\r\n"
    assert desk.program.count("edit") == 1


def test_a_table_that_cannot_be_read_exactly_raises_where_that_matters(new_desk: NewDesk) -> None:
    desk = new_desk(b"# a\\b\r\n0 1 * * * job\n")
    assert desk.observe(brief=desk.state("brief", command="job")).found
    desk.table = b"0 1 * * * job\r\n"
    desk.program.answer("edit", 1, b"no editor")
    with pytest.raises(ObserveError, match="exactly"):
        desk.observe(brief=desk.state("brief", command="job"))
