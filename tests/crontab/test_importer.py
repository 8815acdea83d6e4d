"""Import: foreign jobs as manifests, each with its meaning kept, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.model.errors import ObserveError
from reconciler.model.schedule import normalise
from reconciler.provider import Imported

NewDesk = Callable[..., Any]


def imported(desk: Any, table: bytes) -> tuple[Imported, ...]:
    desk.table = table
    found: tuple[Imported, ...] = desk.provider.foreign(desk.host, None)
    return found


@pytest.mark.parametrize(
    ("table", "name", "spec"),
    [
        (
            b"0 5 * * * /opt/backup.sh --fast\n",
            "backup",
            {"schedule": "0 5 * * *", "command": "/opt/backup.sh --fast"},
        ),
        (b"@midnight  python3 -u tools/Daily_Brief.py\n", "daily-brief", {"schedule": "@midnight"}),
        (b"@reboot x\n", "x", {"schedule": {"at": "boot"}}),
        (b"0\t5 * * mon-fri x # y\n", "x", {"schedule": "0 5 * * mon-fri", "command": "x # y"}),
        (b"@daily x # y\n", "x", {"schedule": "@daily", "command": "x # y"}),
        (b"0 5 * * * date +\\%F\n", "date", {"command": "date +%F"}),
        (b"0 5 * * * cd ~/x && run\n", "run", {"command": "run", "workingDirectory": "~/x"}),
        (b"0 5 * * * cd x && run\n", None, {"command": "cd x && run", "workingDirectory": None}),
        (b"0 5 * * * cd && run\n", None, {"command": "cd && run"}),
        (b"0 5 * * * cd ~/x; run\n", None, {"command": "cd ~/x; run"}),
        (b"0 5 * * * A='1 2' run | tee\n", "run", {"command": "run | tee", "environment": {"A": "1 2"}}),
        (b'A=1\nB="2 3"\nA=4\n0 5 * * * B=5 run\nC=6\n', "run", {"environment": {"A": "4", "B": "5"}}),
        (b"PATH=/opt/bin:/bin\n0 5 * * * run\n", "run", {"environment": {"PATH": "/opt/bin:/bin"}}),
        (b"SHELL=/bin/sh\n0 5 * * * run\n", "run", {"command": "run"}),
        (b"HOME=/srv\n0 5 * * * run\n", "run", {"environment": {"HOME": "/srv"}, "workingDirectory": "/srv"}),
        (b"0 5 * * * \xc3\xa9t\xc3\xa9\n", "t", {"command": "été"}),
        (b"0 5 * * * @@\n", "line-1", {"command": "@@"}),
    ],
)
def test_a_job_becomes_a_manifest_that_means_the_same(
    desk: Any, table: bytes, name: str | None, spec: dict[str, Any]
) -> None:
    (item,) = imported(desk, table)
    assert item.why is None
    assert item.manifest is not None
    assert (item.manifest["apiVersion"], item.manifest["kind"]) == ("reconciler/v1", "Automation")
    if name is not None:
        assert item.manifest["metadata"] == {"name": name}
    assert {key: item.manifest["spec"].get(key) for key in spec} == spec  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (b"0 5 * * * cat%hello\n", "standard input"),
        (b"0 5 * * * sed 's/\\\\/x/'\n", "two backslashes"),
        (b"0 5 * * * a\xff\n", "not UTF-8"),
        (b"0 5 * * * a\r\n", "control characters"),
        (b"garbage\n", "not a job"),
        (b"0 5 * * *\n", "no command"),
        (b"*/60 * * * * x\n", "not a job that every cron"),
        (b"0 5 31 2 * x\n", "schedule cannot be carried over"),
        (b"@every_minute x\n", "not a job that every cron"),
        (b"0~30 5 * * * x\n", "schedule cannot be carried over"),
        (b"SHELL=/bin/bash\n0 5 * * * x\n", "SHELL=/bin/bash"),
        (b"CRON_TZ=UTC\n0 5 * * * x\n", "changes when it runs"),
        (b"'A B'=c\n0 5 * * * x\n", "not a variable name"),
        (b"API_TOKEN=hunter2\n0 5 * * * x\n", "looks like a secret"),
        (b"0 5 * * * DB_PASSWORD=hunter2 x\n", "looks like a secret"),
        (b"0 5 * * * " + b"x" * 980 + b"\n", "bytes after the schedule"),
    ],
)
def test_what_cannot_be_carried_over_says_why(desk: Any, table: bytes, why: str) -> None:
    (item,) = imported(desk, table)
    assert item.manifest is None
    assert why in (item.why or "")
    assert "hunter2" not in (item.why or "")


def test_mail_settings_are_pointed_out(desk: Any) -> None:
    (item,) = imported(desk, b'MAILTO=ops@example.org\nMAILTO=""\nA=1\n0 5 * * * x\n')
    assert any("MAILTO= stands above it" in note for note in item.notes)
    assert any("takes A along" in note for note in item.notes)


def test_names_are_unique_also_beside_our_own(desk: Any) -> None:
    items = imported(desk, b"0 6 * * * : reconciler:Automation/job; exec x\n0 5 * * * job a\n0 5 * * * job b\n")
    assert [item.manifest["metadata"]["name"] for item in items if item.manifest] == ["job-2", "job-3"]  # type: ignore[index, call-overload]


def test_comments_variables_and_our_own_lines_are_not_imported(desk: Any) -> None:
    assert imported(desk, b"# 0 5 * * * x\n\nA=b\n0 6 * * * : reconciler:Automation/job; exec x\n") == ()


def test_import_tells_where_each_line_stands_and_writes_nothing(desk: Any) -> None:
    (item,) = imported(desk, b"# x\n0 5 * * * job \x1b[0m\n")
    assert item.where == "crontab of tester, line 2"
    assert item.text == "0 5 * * * job \\x1b[0m"
    assert not any(call.writes for call in desk.host.log)


def test_only_root_imports_from_others(new_desk: NewDesk) -> None:
    desk = new_desk()
    with pytest.raises(ObserveError, match="only root may"):
        desk.provider.foreign(desk.host, "bob")
    root = new_desk(b"0 5 * * * x\n", runs_as="root", user="bob")
    (item,) = root.provider.foreign(root.host, "bob")
    assert item.manifest["spec"]["user"] == "bob"
    assert item.where == "crontab of bob, line 1"


@pytest.mark.parametrize(
    "table",
    [
        b"0 5 * * * /opt/backup.sh --fast >> log 2>&1\n",
        b"A=1\n@daily cd ~/x && B='2 3' run | tee\n",
        b"0 5 * * * date +\\%F\n# x\nMAILTO=x\n@reboot echo 'it'\\''s' \"$HOME\"\n",
        b"0 5 * * * cd ~/x; run || true\n",
    ],
)
def test_an_imported_manifest_once_adopted_plans_empty(desk: Any, table: bytes) -> None:
    wanted = {}
    for item in imported(desk, table):
        assert item.manifest is not None
        spec = dict(item.manifest["spec"])  # type: ignore[arg-type]
        spec["schedule"] = normalise(spec["schedule"])
        name = item.manifest["metadata"]["name"]  # type: ignore[index, call-overload]
        wanted[name] = desk.state(name, **spec)
    changes = desk.reach(wanted, adopt=list(wanted))
    assert {change.action.value for change in changes} == {"adopt"}
    assert desk.plan(wanted) == []
    assert desk.provider.foreign(desk.host, None) == ()
    desk.undo(changes)
    assert desk.table == table
