"""Plugins that are folders: loaded by path, only when listed, known by their digest, and clear when broken."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from reconciler.model.errors import ReconcileError
from reconciler.registry import registry
from tests.cli.conftest import workplace  # noqa: F401 - a fixture
from tests.cli.workplace import Workplace
from tests.plugins.loading import ROOT

MANIFEST = """\
apiVersion: reconciler/v1
kind: File
metadata: {{name: motd}}
spec: {{path: {path}, content: {content}}}
"""


def plugin(folder: Path, text: str, name: str = "mine") -> None:
    (folder / "plugins" / name).mkdir(parents=True, exist_ok=True)
    (folder / "plugins" / name / "__init__.py").write_text(text)


def failure(folder: Path, text: str) -> ReconcileError:
    plugin(folder, text)
    with pytest.raises(ReconcileError) as caught:
        registry(("mine",), folder)
    return caught.value


def test_an_unlisted_plugin_is_never_imported(tmp_path: Path) -> None:
    plugin(tmp_path, "raise SystemExit('it was imported')\n")
    assert "mine" not in registry((), tmp_path).providers
    plugin(tmp_path, 'KINDS = {"Thing": ".kind:Thing"}\n', "other")
    assert "Thing" in registry(("other",), tmp_path).kinds.targets


def test_a_listed_plugin_offers_its_kinds_and_providers() -> None:
    found = registry(("file",), ROOT)
    assert found.providers["file"].kinds == {"File"}
    assert found.kinds.spec_model("File").spec_data({"path": "/a", "content": "x"})["mode"] == "0644"


def test_the_model_of_a_kind_is_imported_only_when_a_manifest_is_validated(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "plugins/file", tmp_path / "plugins/file")
    (tmp_path / "plugins/file/fresh.txt").write_text("another digest, so another name")
    found = registry(("file",), tmp_path)
    module = found.kinds.targets["File"].partition(":")[0]
    assert module not in sys.modules
    found.kinds.spec_model("File")
    assert module in sys.modules


def test_the_digest_follows_every_file_and_the_kinds_follow_the_digest(tmp_path: Path) -> None:
    plugin(tmp_path, 'KINDS = {"Thing": ".kind:Thing"}\n')
    first = registry(("mine",), tmp_path)
    assert registry(("mine",), tmp_path).digests == first.digests
    assert registry(("mine",), tmp_path).kinds.digest == first.kinds.digest
    cache = tmp_path / "plugins/mine/__pycache__"
    cache.mkdir()
    (cache / "x.pyc").write_bytes(b"compiled")
    assert registry(("mine",), tmp_path).digests == first.digests
    (tmp_path / "plugins/mine/kind.py").write_text("Thing = 1\n")
    second = registry(("mine",), tmp_path)
    assert second.digests != first.digests
    assert second.kinds.digest != first.kinds.digest
    assert set(second.digests) == {"mine"}


def test_a_folder_comes_before_an_installed_distribution(tmp_path: Path) -> None:
    plugin(tmp_path, 'KINDS = {"Thing": ".kind:Thing"}\n', "pytest")
    assert "Thing" in registry(("pytest",), tmp_path).kinds.targets
    with pytest.raises(ReconcileError, match="offers no kinds and no providers"):
        registry(("pytest",), tmp_path / "elsewhere")


def test_a_plugin_that_is_nowhere_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ReconcileError) as caught:
        registry(("no-such-thing",), tmp_path)
    assert "no such distribution is installed" in caught.value.message
    assert str(tmp_path / "plugins/no-such-thing/__init__.py") in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:\n", "SyntaxError"),
        ("import no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("\n1 / 0\n", "ZeroDivisionError"),
        ('PROVIDERS = {"x": ".gone:X"}\n', "ModuleNotFoundError"),
        ("X = 1\n", "it offers no kinds and no providers"),
        ('KINDS = ["Thing"]\n', "its KINDS is not a mapping"),
        ('PROVIDERS = {"x": "os:system"}\n', "its PROVIDERS is not a mapping"),
        ('PROVIDERS = {"crontab": ".x:X"}\n', "there is a crontab already"),
        ('KINDS = {"Automation": ".x:X"}\n', "there is a Automation already"),
    ],
)
def test_a_broken_plugin_is_one_clear_error(tmp_path: Path, text: str, words: str) -> None:
    error = failure(tmp_path, text)
    assert error.message.startswith("cannot load the plugin mine: ")
    assert words in error.message


def test_a_broken_plugin_is_shown_with_the_line(tmp_path: Path) -> None:
    assert failure(tmp_path, "\n1 / 0\n").where == f"{tmp_path}/plugins/mine/__init__.py:2"
    assert failure(tmp_path, "\n\ndef f(:\n").where == f"{tmp_path}/plugins/mine/__init__.py:3"


def test_a_broken_model_is_an_error_once_a_manifest_needs_it(tmp_path: Path) -> None:
    plugin(tmp_path, 'KINDS = {"Thing": ".kind:Thing"}\n')
    found = registry(("mine",), tmp_path)
    with pytest.raises(ReconcileError, match="cannot load the model"):
        found.kinds.spec_model("Thing")


@pytest.fixture
def place(workplace: Workplace) -> Workplace:  # noqa: F811
    """A working directory with the File plugin, listed, and one manifest."""
    shutil.copytree(
        ROOT / "plugins/file", workplace.folder / "plugins/file", ignore=shutil.ignore_patterns("__pycache__")
    )
    workplace.write("reconciler.yaml", "plugins: [file]\n")
    write(workplace, "hello")
    return workplace


def write(place: Workplace, content: str) -> None:
    place.write("desired/motd.yaml", MANIFEST.format(path=place.folder / "motd", content=content))


def test_a_file_is_planned_applied_kept_and_removed(place: Workplace) -> None:
    motd = place.folder / "motd"
    plan = place.run("plan", "--detailed-exitcode")
    assert plan.code == 2, plan.err
    assert "# digest " in plan.out
    assert place.run("apply", "--yes").code == 0
    assert (motd.read_text(), motd.stat().st_mode & 0o777) == ("hello", 0o644)
    assert place.run("plan", "--detailed-exitcode").code == 0
    motd.write_text("by hand")
    assert "somebody changed it on the host" in place.run("plan").out
    assert place.run("apply", "--yes").code == 0
    assert motd.read_text() == "hello"
    place.write("desired/other.yaml", MANIFEST.format(path=place.folder / "x", content="x").replace("motd", "other"))
    (place.folder / "desired/motd.yaml").unlink()
    assert place.run("apply", "--yes").code == 0
    assert not motd.exists()


def test_a_file_of_somebody_else_is_refused_then_adopted_then_rolled_back(place: Workplace) -> None:
    motd = place.folder / "motd"
    motd.write_text("mine since years")
    motd.chmod(0o640)
    refused = place.run("apply", "--yes")
    assert (refused.code, motd.read_text()) == (5, "mine since years")
    assert "not ours" in refused.out + refused.err
    adopted = place.run("adopt", "File/motd", "--yes")
    assert adopted.code == 0, adopted.err
    assert motd.read_text() == "hello"
    assert place.run("rollback", "--yes").code == 0
    assert (motd.read_text(), motd.stat().st_mode & 0o777) == ("mine since years", 0o640)


def test_a_rollout_that_fails_leaves_no_file(place: Workplace) -> None:
    text = (place.folder / "desired/motd.yaml").read_text().rstrip("}\n")
    place.write("desired/motd.yaml", text + ", verify: {within: 1s, probes: [{file: /no/such/thing}]}}\n")
    ran = place.run("apply", "--yes")
    assert ran.code == 7, ran.out + ran.err
    assert not (place.folder / "motd").exists()


def test_a_change_of_the_source_alone_is_a_change(place: Workplace) -> None:
    motd = place.folder / "motd"
    spec = f"spec: {{path: {motd}, source: files/motd}}\n"
    place.write("desired/motd.yaml", "apiVersion: reconciler/v1\nkind: File\nmetadata: {name: motd}\n" + spec)
    place.write("desired/files/motd", "one\n")
    assert place.run("apply", "--yes").code == 0
    place.write("desired/files/motd", "two\n")
    assert place.run("plan", "--out", "saved.json").code == 0
    place.write("desired/files/motd", "three\n")
    assert place.run("apply", "saved.json", "--yes").code == 3  # the plan was made for another content
    assert motd.read_text() == "one\n"
    assert place.run("apply", "--yes").code == 0
    assert motd.read_text() == "three\n"


def test_an_unlisted_plugin_is_an_unknown_kind_and_its_code_is_not_run(place: Workplace) -> None:
    (place.folder / "plugins/file/__init__.py").write_text("raise SystemExit('it was imported')\n")
    place.write("reconciler.yaml", "plugins: []\n")
    ran = place.run("plan")
    assert ran.code == 1
    assert "unknown kind 'File'" in ran.out + ran.err


def test_doctor_finds_a_plugin_folder(place: Workplace) -> None:
    assert "file is found" in place.run("doctor").out
