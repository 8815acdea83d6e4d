"""Everything that can be wrong with manifests: all of it at once, each at its place, in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.address import ResourceId
from reconciler.model.errors import LoadError
from tests.load.build import load_tree, manifest, problems, put


def lines_of(folder: Path, *names: str) -> list[str]:
    return [
        f"{Path(p.file).name}:{p.line}:{p.column} {p.message}"
        for p in problems(folder)
        if not names or p.file in names
    ]


SECRET = "looks like a secret, which would stand readable in the crontab, in git and in every plan"
HORRIBLE = """\
apiVersion: reconciler/v1
kind: Automation
metadata:
  name: Bad Name
  nmae: x
  labels: {team: 5}
spec:
  schedule: "75 * * * *"
  command: [a, 2]
  environment: {A: 5, MY_TOKEN: x}
  timeout: 60
  comand: x
  working_directory: /x
  verify:
    probes:
      - exec: [a, 1]
      - {http: x, tcp: 1}
      - exec: {exitCode: 300}
  suspend: no
  ignore:
"""


def test_every_problem_of_a_manifest_is_reported_at_its_place(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": HORRIBLE})
    assert lines_of(tmp_path) == [
        "a.yaml:4:9 metadata.name: 'Bad Name' is not a name",
        "a.yaml:5:3 unknown field 'nmae' in metadata",
        "a.yaml:6:18 metadata.labels.team must be text, found the number 5",
        "a.yaml:8:13 spec.schedule: minute must be 0-59, found 75",
        "a.yaml:9:16 spec.command[1] must be text, found the number 2",
        "a.yaml:10:20 spec.environment.A must be text, found the number 5",
        f"a.yaml:10:23 spec.environment.MY_TOKEN {SECRET}",
        "a.yaml:11:12 spec.timeout: 60 has no unit",
        "a.yaml:12:3 unknown field 'comand' in spec",
        "a.yaml:13:3 unknown field 'working_directory' in spec",
        "a.yaml:16:19 spec.verify.probes[0].exec[1] must be text, found the number 1",
        "a.yaml:17:16 spec.verify.probes[1].http: 'x' is not an http address",
        "a.yaml:17:24 spec.verify.probes[1].tcp must be a mapping, found the number 1",
        "a.yaml:18:15 spec.verify.probes[2].exec.command is missing",
        "a.yaml:18:26 spec.verify.probes[2].exec.exitCode must be at most 255, found 300",
        "a.yaml:19:12 spec.suspend must be true or false, found 'no'",
        "a.yaml:20:3 spec.ignore has no value",
    ]
    hints = {problem.line: problem.hint for problem in problems(tmp_path)}
    assert hints[5] == "did you mean name?"
    assert hints[9] == 'quote it: "2"'
    assert hints[12] == "did you mean command?"
    assert hints[13] == "did you mean workingDirectory?"
    assert hints[19] == "yes, no, on and off are text in YAML 1.2"


@pytest.mark.parametrize("written", ["007", "1.50", "0x1F", "0o17", "+1", "1e3", "-0.0", "True", "false"])
@pytest.mark.parametrize("line", ["  environment: {{A: {}}}\n", "  environment:\n    A: &a {}\n    B: *a\n"])
def test_the_advice_to_quote_keeps_what_is_written(tmp_path: Path, written: str, line: str) -> None:
    put(tmp_path, {"a.yaml": manifest("a", extra=line.format(written))})
    assert {problem.hint for problem in problems(tmp_path)} == {f'quote it: "{written}"'}


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        ("[nope]", [("7:12", "spec.ignore[0]: Automation has no field 'nope' that a host could change")]),
        (
            "[schedule, nope.x, working_directory]",
            [
                ("7:22", "spec.ignore[1]: Automation has no field 'nope' that a host could change"),
                ("7:30", "spec.ignore[2]: 'working_directory' is not the name of a field"),
            ],
        ),
        ("[directory]", [("7:12", "spec.ignore[0]: Automation has no field 'directory' that a host could change")]),
        ("[verify]", [("7:12", "spec.ignore[0]: Automation has no field 'verify' that a host could change")]),
        ("[schedule.every]", [("7:12", "spec.ignore[0]: schedule has no parts that could be ignored one by one")]),
    ],
)
def test_only_fields_of_the_kind_can_be_ignored(tmp_path: Path, ignore: str, expected: list[tuple[str, str]]) -> None:
    put(tmp_path, {"a.yaml": manifest("a", extra=f"  ignore: {ignore}\n")})
    assert [(f"{p.line}:{p.column}", p.message) for p in problems(tmp_path)] == expected


def test_an_unknown_name_to_ignore_comes_with_the_nearest_or_all(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": manifest("a", extra="  ignore: [directory, xyzzy]\n")})
    near, all_ = [str(problem.hint) for problem in problems(tmp_path)]
    assert near == "did you mean workingDirectory?"
    assert all_.startswith("known are command, environment, ")


def test_what_is_ignored_is_kept_under_the_names_that_states_have(tmp_path: Path) -> None:
    extra = "  ignore: [schedule, workingDirectory, environment.LOG_LEVEL, environment]\n"
    put(tmp_path, {"a.yaml": manifest("a", extra=extra)})
    (resource,) = load_tree(tmp_path).resources
    assert resource.ignore == ("schedule", "directory", "environment.LOG_LEVEL", "environment")


@pytest.mark.parametrize(
    ("fields", "directory"),
    [
        ("", None),
        ("  workingDirectory: ~/atlas\n", "~/atlas"),
        ("  workingDirectory: /srv/a\n  user: bob\n", "/srv/a"),
        ("  workingDirectory: ~/atlas\n  user: bob\n", "~bob/atlas"),
        ("  workingDirectory: ~\n  user: bob\n".replace("~", '"~"'), "~bob"),
        ("  user: bob\n", None),
    ],
)
def test_exec_probes_run_where_the_resource_runs(tmp_path: Path, fields: str, directory: str | None) -> None:
    extra = f"{fields}  verify: {{probes: [{{exec: [a]}}, {{tcp: 'a:1'}}]}}\n"
    put(tmp_path, {"a.yaml": manifest("a", extra=extra)})
    (resource,) = load_tree(tmp_path).resources
    asked, other = resource.verify.probes
    assert asked.options.get("directory") == directory
    assert "directory" not in other.options


def test_a_problem_shows_the_line_it_stands_in(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": manifest("x", schedule='"*/60 * * * *"')})
    (problem,) = problems(tmp_path)
    assert problem.file == str(tmp_path / "a.yaml")
    assert problem.excerpt == '  schedule: "*/60 * * * *"'
    assert problem.message == "spec.schedule: minute step must be 1-59, found 60: */60 would only ever match 0"


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ('"0 0 31 2 *"', "spec.schedule: 0 0 31 2 * never fires: there is no 31 February"),
        ('"0 0 30 2 *"', "spec.schedule: 0 0 30 2 * never fires: there is no 30 February"),
        ("{every: 5}", "spec.schedule: every must be a duration with its unit, found 5"),
        ("*/5 * * * *", "the alias */5 repeats an anchor that is not there"),
        ("@daily", "cannot read the YAML: found character '@' that cannot start any token"),
    ],
)
def test_a_bad_schedule_points_at_its_value(tmp_path: Path, schedule: str, message: str) -> None:
    put(tmp_path, {"a.yaml": manifest("x", schedule=schedule)})
    (problem,) = problems(tmp_path)
    assert (problem.line, problem.column, problem.message) == (5, 13, message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a", ["1:1 a manifest must be a mapping with apiVersion, kind, metadata and spec, found a list"]),
        (
            "just text",
            ["1:1 a manifest must be a mapping with apiVersion, kind, metadata and spec, found 'just text'"],
        ),
        ("{}", ["1:1 apiVersion is missing: write reconciler/v1", "1:1 kind is missing"]),
        (
            "apiVersion: v1\nkind: Automaton",
            ["1:13 apiVersion must be reconciler/v1, found 'v1'", "2:7 unknown kind 'Automaton'"],
        ),
        ("apiVersion: reconciler/v1\nkind: Backup", ["2:7 kind Backup is not supported by this version"]),
        ("apiVersion: reconciler/v1\nkind: 5", ["2:7 unknown kind 5"]),
        ("apiVersion: reconciler/v1\nkind: Automation", ["1:1 metadata is missing", "1:1 spec is missing"]),
        (
            "apiVersion: reconciler/v1\nkind: Automation\nmetadata:\nspec: x",
            ["3:1 metadata has no value", "4:7 spec must be a mapping, found 'x'"],
        ),
    ],
)
def test_an_envelope_that_is_wrong_says_how(tmp_path: Path, text: str, expected: list[str]) -> None:
    put(tmp_path, {"a.yaml": text})
    assert [f"{p.line}:{p.column} {p.message}" for p in problems(tmp_path)] == expected


def test_problems_of_all_files_and_documents_come_together_and_sorted(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "b.yaml": f"{manifest('x', schedule='5')}---\n{manifest('y', schedule='6')}",
            "a.yml": "a: [",
            "sub/c.yaml": "\tx: y",
            "ok.yaml": manifest("ok"),
        },
    )
    assert [line.partition(" ")[0] for line in lines_of(tmp_path)] == [
        "a.yml:1:5",
        "b.yaml:5:13",
        "b.yaml:12:13",
        "c.yaml:1:1",
    ]
    with pytest.raises(LoadError, match="cannot load the manifests: 4 problems"):
        load_tree(tmp_path)


def test_a_duplicate_id_names_both_places(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": manifest("x"), "b.yaml": f"# c\n{manifest('y')}---\n{manifest('x')}"})
    (problem,) = problems(tmp_path)
    assert problem.message == f"Automation/x is defined twice: first at {tmp_path}/a.yaml:1"
    assert (problem.file, problem.line, problem.column) == (str(tmp_path / "b.yaml"), 11, 18)


def test_an_unknown_dependency_gets_a_suggestion(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": manifest("backup"), "b.yaml": manifest("x", extra="  dependsOn: [Automation/bakcup]\n")})
    (problem,) = problems(tmp_path)
    assert problem.message == "Automation/bakcup is not in the manifests"
    assert problem.hint == "did you mean Automation/backup?"
    assert (problem.line, problem.column) == (7, 15)


@pytest.mark.parametrize("broken", [manifest("a", schedule="5"), "a: ["])
def test_a_dependency_on_a_broken_manifest_is_not_reported_again(tmp_path: Path, broken: str) -> None:
    put(tmp_path, {"a.yaml": broken, "b.yaml": manifest("b", extra="  dependsOn: [Automation/a]\n")})
    assert [Path(problem.file).name for problem in problems(tmp_path)] == ["a.yaml"]


def test_an_unknown_dependency_is_reported_beside_the_errors_of_other_manifests(tmp_path: Path) -> None:
    broken = manifest("a", schedule="5")
    put(tmp_path, {"a.yaml": broken, "b.yaml": manifest("b", extra="  dependsOn: [Automation/c]\n")})
    assert [Path(problem.file).name for problem in problems(tmp_path)] == ["a.yaml", "b.yaml"]


def test_a_circle_of_dependencies_is_spelled_out_once(tmp_path: Path) -> None:
    def needs(name: str, *wanted: str) -> str:
        return manifest(name, extra=f"  dependsOn: [{', '.join(f'Automation/{each}' for each in wanted)}]\n")

    put(tmp_path, {f"{n}.yaml": needs(n, w) for n, w in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("e", "e")]})
    assert [problem.message for problem in problems(tmp_path)] == [
        "dependencies go in a circle: Automation/a -> Automation/b -> Automation/c -> Automation/a",
        "dependencies go in a circle: Automation/e -> Automation/e",
    ]


def test_a_good_tree_is_sorted_and_carries_everything(tmp_path: Path) -> None:
    extra = (
        "  dependsOn: [Automation/a]\n  protect: delete\n  drift: report\n  ignore: [schedule]\n  suspend: true\n"
        "  verify: {within: 5m, stableFor: 10s, probes: [{tcp: 'a:1'}]}\n"
    )
    put(tmp_path, {"z.yaml": f"# head\n{manifest('a')}", "b.yaml": manifest("b", extra=extra)})
    desired = load_tree(tmp_path)
    assert [str(resource.id) for resource in desired.resources] == ["Automation/a", "Automation/b"]
    first, second = desired.resources
    assert str(first.source) == f"{tmp_path}/z.yaml:2"
    assert first.spec["command"] == ["backup", "a"]
    assert second.depends_on == (ResourceId("Automation", "a"),)
    assert (second.protect, second.drift, second.ignore, second.suspend) == ("delete", "report", ("schedule",), True)
    assert (second.verify.within, second.verify.stable_for, len(second.verify.probes)) == (300, 10, 1)


def test_an_empty_tree_loads_as_nothing(tmp_path: Path) -> None:
    put(tmp_path, {"notes.txt": "x", "empty.yaml": "# nothing yet\n"})
    (tmp_path / "none").mkdir()
    assert load_tree(tmp_path).resources == ()
    assert load_tree(tmp_path / "none").resources == ()
