"""`reconcile validate`: all problems or one line, and never a look at the host."""

from __future__ import annotations

import json

import pytest

from tests.cli.workplace import MANIFEST, Workplace

BROKEN = """\
apiVersion: reconciler/v1
kind: Automation
metadata: {name: Bad Name}
spec:
  schedul: "0 6 * * *"
  command: [echo]
"""


def test_a_valid_tree_is_one_line(workplace: Workplace) -> None:
    workplace.manifest("one")
    workplace.write("desired/more/two.yaml", MANIFEST.format(name="two") + "---\n" + MANIFEST.format(name="three"))
    ran = workplace.run("validate")
    assert (ran.code, ran.out, ran.err) == (0, "3 manifests in 2 files are valid\n", "")


def test_one_manifest_is_spoken_of_in_the_singular(workplace: Workplace) -> None:
    workplace.manifest("one")
    assert workplace.run("validate").out == "1 manifest in 1 file is valid\n"


def test_an_empty_tree_is_said_to_be_empty(workplace: Workplace) -> None:
    workplace.write("desired/.keep", "")
    ran = workplace.run("validate")
    assert (ran.code, ran.out) == (0, "There are no manifests in desired.\n")


def test_every_problem_of_every_file_is_reported_at_once_with_its_place(workplace: Workplace) -> None:
    workplace.write("desired/a.yaml", BROKEN)
    workplace.write("desired/b.yaml", "kind: [\n")
    ran = workplace.run("validate")
    assert ran.code == 1
    assert ran.out == ""
    for expected in (
        "desired/a.yaml:3:18: ",
        "desired/a.yaml:5:3: unknown field 'schedul' in spec",
        "did you mean schedule?",
        "spec.schedule is missing",
        "desired/b.yaml:2:1: cannot read the YAML",
    ):
        assert expected in ran.err


def test_a_spec_that_no_backend_can_express_is_found_without_a_host(workplace: Workplace) -> None:
    workplace.write(
        "desired/a.yaml", MANIFEST.format(name="a").replace('"0 6 * * *"', "{every: 7m}\n  scheduler: crontab")
    )
    ran = workplace.run("validate")
    assert ran.code == 1
    assert "Automation/a" in ran.err
    assert "every 7m" in ran.err


@pytest.mark.parametrize(
    ("old", "new", "place", "line"),
    [
        ('"0 6 * * *"', "{every: 7m}\n  scheduler: crontab", "7:13", "  schedule: {every: 7m}"),
        ('"0 6 * * *"', "{at: login}\n  scheduler: crontab", "7:13", "  schedule: {at: login}"),
        ("  command", "  timezone: UTC\n  scheduler: crontab\n  command", "8:13", "  timezone: UTC"),
        ("  command", "  timezone: UTC\n  scheduler: launchd\n  command", "8:13", "  timezone: UTC"),
    ],
)
def test_what_a_backend_refuses_is_shown_where_it_is_written(
    workplace: Workplace, old: str, new: str, place: str, line: str
) -> None:
    text = f"# a comment\n{MANIFEST.format(name='a')}"
    assert old in text
    workplace.write("desired/a.yaml", text.replace(old, new, 1))
    ran = workplace.run("validate")
    assert ran.code == 1
    assert f"desired/a.yaml:{place}: Automation/a " in ran.err
    number, column = place.split(":")
    assert f"{number:>5} | {line}\n      | {'^':>{int(column)}}\n" in ran.err
    assert not (workplace.tables / "calls").exists()


LIMITED = """\
apiVersion: reconciler/v1
kind: Service
metadata: {name: web}
spec:
  supervisor: systemd
  image: redis:7
  entrypoint: [redis-server]
  command: [redis-server]
  hostname: cache
  volumes: ["data:/data"]
  networks: [back]
  stop: {grace: 0s}
---
apiVersion: reconciler/v1
kind: Automation
metadata: {name: brief}
spec:
  schedule: {every: 7m}
  command: [brief]
  scheduler: crontab
  timezone: Europe/Berlin
  requires: [keychain]
  missed: all
  environment:
    A: plain
    TEXT: |
      one
      two
"""


def test_everything_that_a_backend_cannot_do_is_told_at_once_with_a_backend_that_can(workplace: Workplace) -> None:
    workplace.write("desired/a.yaml", LIMITED)
    ran = workplace.run("validate", "-o", "json")
    found = {problem["message"].split(":")[0]: problem for problem in json.loads(ran.out)["problems"]}
    web = ("image", "entrypoint", "hostname", "volumes", "networks", "stop.grace")
    brief = ("schedule", "timezone", "requires", "missed", "environment.TEXT")
    assert list(found) == [
        *(f"Service/web {field}" for field in web),
        *(f"Automation/brief {field}" for field in brief),
    ]
    assert all(found[f"Service/web {field}"]["hint"] == "use supervisor: container" for field in web[:-1])
    hints = {field: found[f"Automation/brief {field}"]["hint"] for field in brief}
    assert "embedded" in hints["timezone"]
    assert "launchd" in hints["requires"]
    assert "embedded" in hints["missed"]
    assert "systemd or embedded" in hints["environment.TEXT"]
    assert found["Automation/brief environment.TEXT"]["line"] == 26


def test_a_multi_line_value_of_a_variable_is_fine_where_the_backend_can_hold_it(workplace: Workplace) -> None:
    text = LIMITED.partition("---\n")[2]
    for line in ("  requires: [keychain]\n", "  missed: all\n"):
        text = text.replace(line, "")
    workplace.write("desired/a.yaml", text.replace("crontab", "systemd").replace("every: 7m", "every: 5m"))
    assert workplace.run("validate").code == 0


def test_nothing_is_asked_of_the_host_and_the_journal_is_not_begun(workplace: Workplace) -> None:
    workplace.manifest("one")
    assert workplace.run("validate").code == 0
    assert not (workplace.tables / "calls").exists()
    assert not workplace.state.exists()


def test_json_tells_programs_the_same(workplace: Workplace) -> None:
    workplace.manifest("one")
    ran = workplace.run("validate", "-o", "json")
    assert json.loads(ran.out) == {"valid": True, "manifests": 1, "files": 1, "problems": []}
    workplace.write("desired/a.yaml", BROKEN)
    ran = workplace.run("validate", "-o", "json")
    answer = json.loads(ran.out)
    assert (ran.code, answer["valid"]) == (1, False)
    places = [(problem["file"], problem["line"], problem["column"]) for problem in answer["problems"]]
    assert ("desired/a.yaml", 5, 3) in places


def test_github_gets_one_annotation_for_each_problem(workplace: Workplace) -> None:
    workplace.write("desired/a.yaml", BROKEN)
    ran = workplace.run("validate", "-o", "github")
    assert ran.code == 1
    assert all(line.startswith("::error file=desired/a.yaml,line=") for line in ran.out.splitlines())
    assert "::error file=desired/a.yaml,line=5,col=3::unknown field 'schedul' in spec" in ran.out


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes"), ("status",), ("validate",)])
def test_whoever_asks_for_json_gets_the_problems_as_json(workplace: Workplace, command: tuple[str, ...]) -> None:
    workplace.write("desired/a.yaml", BROKEN)
    ran = workplace.run(*command, "-o", "json")
    answer = json.loads(ran.out)
    assert (ran.code, answer["verdict"]) == (1, "invalid")
    assert ("desired/a.yaml", 5) in [(problem["file"], problem["line"]) for problem in answer["problems"]]


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes")])
@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("markdown", "- `desired/a.yaml:5:3`: unknown field 'schedul' in spec"),
        ("github", "::error file=desired/a.yaml,line=5,col=3::unknown field 'schedul' in spec"),
        ("text", ""),
    ],
)
def test_a_comment_and_annotations_hold_the_problems_too(
    workplace: Workplace, command: tuple[str, ...], output: str, expected: str
) -> None:
    workplace.write("desired/a.yaml", BROKEN)
    ran = workplace.run(*command, "-o", output)
    assert ran.code == 1
    assert expected in ran.out
    assert bool(ran.out) is (output != "text")
    assert "desired/a.yaml:5:3: unknown field" in ran.err


@pytest.mark.parametrize("output", ["text", "json", "github"])
def test_a_missing_tree_is_an_error(workplace: Workplace, output: str) -> None:
    ran = workplace.run("validate", "nowhere", "-o", output)
    assert ran.code == 1
    assert "cannot load nowhere: no such file or directory" in ran.err


def test_broken_settings_are_reported_with_their_place(workplace: Workplace) -> None:
    workplace.manifest("one")
    workplace.write("reconciler.yaml", "prune: {maxPercent: 500}\n")
    ran = workplace.run("validate")
    assert ran.code == 1
    assert "reconciler.yaml:1:21: prune.maxPercent must be at most 100" in ran.err
