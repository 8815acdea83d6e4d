"""`reconcile import`: foreign lines as manifests that load, the rest with its reason, the crontab untouched."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from reconciler.cli.import_ import judged
from reconciler.cli.session import application
from reconciler.model.data import Json
from reconciler.provider import Imported
from tests.cli.workplace import Workplace, own_name

TABLE = """\
# my own table
MAILTO=me@example.org
PATH=/usr/bin:/bin
0 6 * * * cd ~/atlas && python3 tools/brief.py --now
*/5 * * * * /opt/watch.sh >> /tmp/watch.log 2>&1
@daily echo "50\\% done"
0 7 * * * cat%some input
H 5 * * * garbage
#0 9 * * * disabled
0 8 * * * : reconciler:Automation/ours; exec echo ours
"""


def names(folder: Path) -> list[str]:
    return [resource.id.name for resource in application(folder).load().resources]


def test_what_is_printed_loads_cleanly_and_says_where_it_came_from(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    ran = workplace.run("import", "crontab")
    assert ran.code == 0, ran.err
    workplace.write("desired/imported.yaml", ran.out)
    assert workplace.run("validate").out == "3 manifests in 1 file are valid\n"
    assert names(Path("desired")) == ["brief", "echo", "watch"]
    assert f"# From crontab of {own_name()}, line 4." in ran.out


def test_the_inherited_environment_comes_along_and_is_pointed_out(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    ran = workplace.run("import", "crontab")
    workplace.write("desired/imported.yaml", ran.out)
    found = {resource.id.name: resource for resource in application(Path("desired")).load().resources}
    assert found["watch"].spec["environment"] == {"PATH": "/usr/bin:/bin"}
    assert "# Look at this: " in ran.out
    assert "MAILTO" in ran.out


def test_what_cannot_be_carried_over_is_listed_with_its_reason_twice(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    ran = workplace.run("import", "crontab")
    assert "2 entries cannot be carried over:" in ran.err
    for said in (ran.err, ran.out):
        assert "line 7: it gives its command standard input after a bare %" in said
        assert "0 7 * * * cat%some input" in said
        assert "H 5 * * * garbage" in said


def test_our_own_lines_are_no_import(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    ran = workplace.run("import", "crontab")
    assert "ours" not in re.sub("not ours|reconcile", "", ran.out)


def test_the_crontab_is_only_read(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    before = workplace.files()
    workplace.run("import", "crontab")
    assert workplace.files() == before
    for call in (workplace.tables / "calls").read_text().splitlines():
        assert call in ("-l", "-?"), call


def test_it_says_what_to_do_next(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    assert "reconcile adopt Automation/brief desired" in workplace.run("import", "crontab").err


def test_a_new_file_gets_all_of_them(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    printed = workplace.run("import", "crontab").out
    ran = workplace.run("import", "crontab", "--out", "mine.yaml")
    assert (ran.code, ran.out) == (0, "")
    assert (workplace.folder / "mine.yaml").read_text() == printed
    assert "Wrote 3 manifests to mine.yaml." in ran.err
    assert "reconcile adopt Automation/brief mine.yaml" in ran.err


def test_a_folder_gets_one_file_for_each(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    ran = workplace.run("import", "crontab", "--out", "desired")
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in (workplace.folder / "desired").iterdir()) == [
        "brief.yaml",
        "echo.yaml",
        "watch.yaml",
    ]
    assert workplace.run("validate").code == 0


@pytest.mark.parametrize("out", ["desired", "mine.yaml"])
def test_nothing_is_overwritten_and_then_nothing_is_written(workplace: Workplace, out: str) -> None:
    workplace.crontab(TABLE)
    workplace.write("desired/echo.yaml", "# mine\n")
    workplace.write("mine.yaml", "# mine\n")
    before = workplace.files()
    ran = workplace.run("import", "crontab", "--out", out)
    assert ran.code == 1
    assert "there is such a file already" in ran.err
    cached = str(workplace.cache)
    assert {name: data for name, data in workplace.files().items() if not name.startswith(cached)} == before


def test_a_secret_in_a_line_that_stays_behind_is_masked(workplace: Workplace) -> None:
    workplace.crontab("0 6 * * * TOKEN=abcdefghijkl /bin/x\n0 7 * * * curl --token abcdefghijkl%x\n")
    ran = workplace.run("import", "crontab")
    assert "Not carried over" in ran.out
    assert "abcdefghijkl" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"schedule": "0 6 * * *"}, "spec.command is missing"),
        ({"schedule": "0 6 * * *", "command": "x" * 2000, "scheduler": "crontab"}, "Automation/odd"),
        ({"schedule": "0 6 * * *", "command": "date", "unknown": 1}, "unknown field"),
    ],
)
def test_a_manifest_that_would_not_load_is_never_printed(
    workplace: Workplace, spec: dict[str, Json], why: str
) -> None:
    document: dict[str, Json] = {
        "apiVersion": "reconciler/v1",
        "kind": "Automation",
        "metadata": {"name": "odd"},
        "spec": spec,
    }
    entry = judged(application(Path("desired")), Imported("somewhere", "a line", document), {})
    assert (entry.resource, entry.text) == (None, "")
    assert why in entry.why


def test_a_command_that_holds_a_secret_is_pointed_out(workplace: Workplace) -> None:
    workplace.crontab("0 9 * * * curl -H 'Authorization: Bearer abcdefgh12345' https://x\n0 8 * * * date\n")
    first, second = workplace.run("import", "crontab").out.split("---\n")
    assert "# Look at this: holds what looks like a secret" in first
    assert "secret" not in second


@pytest.mark.parametrize("out", ["desired", "desired/imported.yaml"])
def test_a_name_that_the_tree_has_already_would_break_it_and_is_left_out(workplace: Workplace, out: str) -> None:
    workplace.crontab(TABLE)
    workplace.manifest("echo").rename(workplace.folder / "desired/other.yaml")
    ran = workplace.run("import", "crontab", "--out", out)
    assert ran.code == 0
    assert "Automation/echo is described already, in desired/other.yaml:1" in ran.err
    assert workplace.run("validate").code == 0
    assert names(Path("desired")) == ["brief", "echo", "watch"]


@pytest.mark.parametrize("table", [None, "# only a comment\nA=b\n"])
def test_a_table_without_foreign_jobs_has_nothing_to_import(workplace: Workplace, table: str | None) -> None:
    if table is not None:
        workplace.crontab(table)
    ran = workplace.run("import", "crontab")
    assert (ran.code, ran.out) == (0, "")
    assert "There is nothing to import" in ran.err


def test_entries_that_cannot_be_carried_over_alone_leave_only_comments(workplace: Workplace) -> None:
    workplace.crontab("0 7 * * * cat%input\n")
    ran = workplace.run("import", "crontab")
    assert ran.code == 0
    assert all(line.startswith("#") for line in ran.out.splitlines())
    ran = workplace.run("import", "crontab", "--out", "mine.yaml")
    assert not (workplace.folder / "mine.yaml").exists()
    assert "adopt" not in ran.err


def test_a_backend_that_cannot_be_read_is_an_error_and_not_an_empty_answer(workplace: Workplace) -> None:
    (workplace.tables / "refuse").write_text("you are not allowed to use this program (crontab)\n")
    ran = workplace.run("import", "crontab")
    assert (ran.code, ran.out) == (1, "")
    assert "cron.allow" in ran.err


def test_another_users_table_is_read_for_root_only(workplace: Workplace) -> None:
    (workplace.tables / "daemon").write_text("0 6 * * * /bin/backup\n")
    ran = workplace.run("import", "crontab", "--user", "daemon")
    if os.geteuid() == 0:
        assert ran.code == 0, ran.err
        assert "user: daemon" in ran.out
        assert "reconcile import crontab --user daemon --out" in ran.err
    else:
        assert ran.code == 1


def test_an_unknown_backend_is_refused_with_those_that_exist(workplace: Workplace) -> None:
    ran = workplace.run("import", "nomad")
    assert ran.code == 1
    assert "cannot import nomad: there is no such backend" in ran.err
    assert "there are: container, crontab, launchd" in ran.err


@pytest.mark.parametrize(
    "line",
    [
        b"0 6 * * * printf 'a\x1b[31mb'\n",
        b"0 6 * * * echo \xff\xfe\n",
        "0 6 * * * echo grüße \u202e ✓\n".encode(),
        b"0 6 * * * true\r\n",
        b"0 6 * * * echo '#' \"a: b\" {c} [d] & *\n",
        b"0 6 * * * " + b"x" * 1500 + b"\n",
        b"0 6 * * * TOKEN=abcdefghijkl /bin/x\n",
        b"0 6 * * * null\n0 7 * * * true\n0 8 * * * 12\n",
    ],
)
def test_whatever_stands_in_a_table_the_result_loads_and_no_control_character_gets_out(
    workplace: Workplace, line: bytes
) -> None:
    workplace.crontab(line)
    ran = workplace.run("import", "crontab")
    assert ran.code == 0, ran.err
    for text in (ran.out, ran.err):
        assert all(letter.isprintable() or letter == "\n" for letter in text)
    workplace.write("desired/imported.yaml", ran.out)
    assert workplace.run("validate").code == 0


COMPOSE = """\
services:
  web:
    image: nginx:1
    privileged: true
  odd:
    image: UPPER
"""


def test_a_compose_file_becomes_manifests_and_its_losses_are_listed_with_their_places(workplace: Workplace) -> None:
    workplace.write("compose.yaml", COMPOSE)
    ran = workplace.run("import", "compose.yaml")
    assert ran.code == 0, ran.err
    assert "# Look at this: privileged cannot be carried over (compose.yaml:4)." in ran.out
    assert "compose.yaml:5, service odd: a manifest would refuse it: image" in ran.err
    assert "docker compose -f compose.yaml down" in ran.err
    workplace.write("desired/imported.yaml", ran.out)
    assert workplace.run("validate").out == "1 manifest in 1 file is valid\n"


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot import none.yaml: no such file"), ("a: [", "cannot read the YAML")]
)
def test_a_compose_file_that_cannot_be_read_is_an_error(
    workplace: Workplace, content: str | None, message: str
) -> None:
    if content is not None:
        workplace.write("none.yaml", content)
    ran = workplace.run("import", "none.yaml")
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err


def test_a_compose_file_without_services_is_a_failure(workplace: Workplace) -> None:
    workplace.write("compose.yaml", "volumes: {}\n")
    ran = workplace.run("import", "compose.yaml")
    assert ran.code == 1
    assert "it has no services" in ran.err
