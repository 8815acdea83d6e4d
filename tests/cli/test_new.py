"""`reconcile new`: a manifest that is valid as it stands, and never over another file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.cli.new import write_new
from reconciler.cli.session import application
from reconciler.model.errors import ReconcileError
from tests.cli.workplace import Workplace

PLUGIN = Path(__file__).parents[2] / "plugins/file"


def spec(workplace: Workplace, name: str) -> dict[str, object]:
    (found,) = (r for r in application(Path("desired")).load().resources if r.id.name == name)
    return dict(found.spec)


def test_the_manifest_is_valid_and_commented(workplace: Workplace) -> None:
    ran = workplace.run("new", "automation", "backup")
    assert ran.code == 0, ran.err
    text = (workplace.folder / "desired/backup.yaml").read_text()
    assert text.count("# ") > 5
    assert workplace.run("validate").out == "1 manifest in 1 file is valid\n"
    assert workplace.run("fmt", "--check").code == 0
    assert spec(workplace, "backup")["command"] == ["echo", "hello from backup"]


def test_it_says_what_to_do_next(workplace: Workplace) -> None:
    ran = workplace.run("new", "automation", "backup", "--path", "elsewhere")
    assert "Wrote elsewhere/backup.yaml" in ran.out
    assert "reconcile plan elsewhere " in ran.out


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*/5 * * * *", "*/5 * * * *"),
        ("@daily", "@daily"),
        ("{every: 5m}", {"every": 300}),
        ("{at: boot}", {"at": "boot"}),
    ],
)
def test_any_schedule_can_be_given(workplace: Workplace, schedule: str, expected: object) -> None:
    assert workplace.run("new", "automation", "a", "--schedule", schedule).code == 0
    assert spec(workplace, "a")["schedule"] == expected


@pytest.mark.parametrize(
    "line", ['echo "a: b" # c', "date +%H | tee 'x y'", "printf '\\t\\\\n'", "echo grüße ✓", "no", "{}"]
)
def test_a_command_arrives_as_it_was_given(workplace: Workplace, line: str) -> None:
    assert workplace.run("new", "automation", "a", "--command", line).code == 0
    assert spec(workplace, "a")["command"] == line


@pytest.mark.parametrize("name", ["null", "true", "on", "12", "1.5", "2026-01-01", "a.b-c"])
def test_a_name_that_looks_like_something_else_is_quoted(workplace: Workplace, name: str) -> None:
    assert workplace.run("new", "automation", name).code == 0
    assert workplace.run("validate").code == 0
    assert spec(workplace, name)


@pytest.mark.parametrize("name", ["Backup", "a b", "-a", "../a", "a/b", "", "x" * 64, "a\nb", "a: b"])
def test_a_bad_name_is_refused_and_nothing_is_written(workplace: Workplace, name: str) -> None:
    before = workplace.files()
    ran = workplace.run("new", "automation", "--", name)
    assert ran.code == 1
    assert "is not a name" in ran.err or "line break" in ran.err
    assert workplace.files() == before
    assert not (workplace.folder / "desired").exists()


@pytest.mark.parametrize("schedule", ["*/60 * * * *", "{every: 5m", "nonsense", "0 0 31 2 *", "{a: b}\nx: y"])
def test_a_bad_schedule_is_refused_and_nothing_is_written(workplace: Workplace, schedule: str) -> None:
    assert workplace.run("new", "automation", "a", "--schedule", schedule).code == 1
    assert not (workplace.folder / "desired").exists()


@pytest.mark.parametrize("line", ["a\nb", ""])
def test_a_bad_command_is_refused_and_nothing_is_written(workplace: Workplace, line: str) -> None:
    assert workplace.run("new", "automation", "a", "--command", line).code == 1
    assert not (workplace.folder / "desired").exists()


def test_a_file_that_is_there_is_never_overwritten(workplace: Workplace) -> None:
    path = workplace.write("desired/backup.yaml", "# mine, empty so far\n")
    ran = workplace.run("new", "automation", "backup")
    assert ran.code == 1
    assert "cannot write desired/backup.yaml: there is such a file already" in ran.err
    assert path.read_text() == "# mine, empty so far\n"


def test_a_second_manifest_of_the_same_name_is_refused(workplace: Workplace) -> None:
    workplace.manifest("backup").rename(workplace.folder / "desired/other.yaml")
    ran = workplace.run("new", "automation", "backup")
    assert ran.code == 1
    assert "desired/other.yaml:1" in ran.err
    assert not (workplace.folder / "desired/backup.yaml").exists()


def test_problems_of_other_manifests_are_a_warning(workplace: Workplace) -> None:
    workplace.write("desired/bad.yaml", "nonsense\n")
    ran = workplace.run("new", "automation", "backup")
    assert ran.code == 0
    assert "warning: other manifests in desired have problems" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("service", "web"),
        ("service", "web", "--port", "8080"),
        ("service", "web", "--command", "python3 -m http.server # here"),
        ("service", "web", "--image", "docker.io/library/redis:7", "--port", "6379"),
        ("service", "web", "--image", "redis", "--command", "redis-server"),
        ("service", "null"),
    ],
)
def test_a_service_is_valid_and_in_form(workplace: Workplace, arguments: tuple[str, ...]) -> None:
    ran = workplace.run("new", *arguments)
    assert ran.code == 0, ran.err
    assert workplace.run("validate").out == "1 manifest in 1 file is valid\n"
    assert workplace.run("fmt", "--check").code == 0
    found = spec(workplace, arguments[1])
    assert (found["image"] is None) == ("--image" not in arguments)
    assert bool(found["ports"]) == ("--port" in arguments)


def test_a_port_is_valid_beside_its_owner(workplace: Workplace) -> None:
    assert workplace.run("new", "service", "web").code == 0
    ran = workplace.run("new", "port", "web-http", "--port", "8080", "--owner", "Service/web", "--protocol", "udp")
    assert ran.code == 0, ran.err
    assert workplace.run("validate").out == "2 manifests in 2 files are valid\n"
    assert workplace.run("fmt", "--check").code == 0
    found = spec(workplace, "web-http")
    assert (found["port"], found["protocol"], found["owner"]) == (8080, "udp", "Service/web")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("port", "web", "--port", "80", "--owner", "Service/web"), "Service/web is not in the manifests"),
        (("port", "web", "--port", "80", "--owner", "web"), "is not an address"),
        (("port", "web", "--port", "0", "--owner", "Service/web"), "0 is not in the range"),
        (("port", "web", "--owner", "Service/web"), "Missing option '--port'"),
        (("service", "web", "--image", "Not An Image"), "is not an image name"),
        (("service", "reconciler-x"), "are kept for `reconcile self install`"),
        (("file", "motd"), "No such command 'file'"),
    ],
)
def test_what_would_not_be_valid_is_not_written(workplace: Workplace, arguments: tuple[str, ...], says: str) -> None:
    before = workplace.files()
    ran = workplace.run("new", *arguments)
    assert ran.code == 1
    assert says in ran.err
    assert workplace.files() == before


def test_the_kind_of_a_listed_plugin_is_written_too(workplace: Workplace) -> None:
    shutil.copytree(PLUGIN, workplace.folder / "plugins/file", ignore=shutil.ignore_patterns("__pycache__"))
    workplace.write("reconciler.yaml", "plugins: [file]\n")
    assert "file" in workplace.run("new", "--help").out
    ran = workplace.run("new", "file", "motd")
    assert ran.code == 0, ran.err
    assert workplace.run("validate").out == "1 manifest in 1 file is valid\n"
    assert workplace.run("fmt", "--check").code == 0
    assert spec(workplace, "motd")["content"] == "hello from motd\n"


def test_several_files_are_written_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("mine\n")
    with pytest.raises(ReconcileError, match="there is such a file already"):
        write_new({tmp_path / "a.yaml": "new\n", tmp_path / "b.yaml": "new\n"})
    assert [path.name for path in tmp_path.iterdir()] == ["b.yaml"]
    assert (tmp_path / "b.yaml").read_text() == "mine\n"
