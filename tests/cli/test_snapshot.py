"""`reconcile snapshot`: what the host has, for plans elsewhere, without secrets and without other people's lines."""

from __future__ import annotations

import json

from reconciler.masked import read_snapshot
from tests.cli.workplace import Workplace

TABLE = """\
0 8 * * * : reconciler:Automation/ours; exec env --token=abcdefghijklmnop echo ours
0 9 * * * /opt/private --password=hunter2
"""


def test_it_is_a_snapshot_that_can_be_read_back(workplace: Workplace) -> None:
    workplace.manifest("one")
    ran = workplace.run("snapshot", "--out", "host.json")
    assert (ran.code, ran.out) == (0, "")
    assert "reconcile plan --against host.json" in ran.err
    assert read_snapshot(workplace.folder / "host.json").host.platform in ("linux", "darwin")


def test_without_a_file_it_goes_to_standard_output(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    ran = workplace.run("snapshot")
    assert ran.code == 0, ran.err
    answer = json.loads(ran.out)
    assert [each["id"] for each in answer["snapshot"]["found"]] == ["Automation/ours"]


def test_secrets_and_foreign_lines_stay_on_the_host(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    ran = workplace.run("snapshot")
    assert "Automation/ours" in ran.out
    assert "abcdefghijklmnop" not in ran.out
    assert "hunter2" not in ran.out
    assert "/opt/private" not in ran.out


def test_nothing_changes_on_the_host(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    workplace.manifest("one")
    before = {name: data for name, data in workplace.files().items() if not name.startswith(str(workplace.cache))}
    workplace.run("snapshot")
    after = {name: data for name, data in workplace.files().items() if not name.startswith(str(workplace.cache))}
    assert after == before


def test_a_host_that_cannot_be_read_gives_no_snapshot(workplace: Workplace) -> None:
    (workplace.tables / "refuse").write_text("you are not allowed to use this program (crontab)\n")
    ran = workplace.run("snapshot", "--out", "host.json")
    assert ran.code == 1
    assert not (workplace.folder / "host.json").exists()


def test_a_plan_against_it_is_the_plan_of_the_host(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    workplace.manifest("one")
    workplace.run("snapshot", "--out", "host.json")
    here = json.loads(workplace.run("plan", "-o", "json").out)
    there = json.loads(workplace.run("plan", "--against", "host.json", "-o", "json").out)
    here.pop("taken", None), there.pop("taken", None)
    assert there == here


def test_it_holds_the_facts_about_ports_although_no_manifest_claims_one(workplace: Workplace) -> None:
    import socket

    workplace.crontab(TABLE)
    workplace.manifest("one")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        workplace.run("snapshot", "--out", "host.json")
        number = taken.getsockname()[1]
    workplace.manifest("two")
    claim = "apiVersion: reconciler/v1\nkind: Port\nmetadata: {name: p}\n"
    claim += f"spec: {{port: {number}, owner: Automation/two}}\n"
    workplace.write("desired/port.yaml", claim)
    ran = workplace.run("plan", "--against", "host.json")
    assert f"Automation/two cannot listen on tcp port {number}: it is in use by" in " ".join(ran.out.split())
