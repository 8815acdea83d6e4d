"""`reconcile fmt`: layout changes, and nothing else does."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from reconciler.cli import fmt
from reconciler.load.discover import stamp_of
from reconciler.model.errors import ReconcileError
from tests.cli.workplace import MANIFEST, Workplace

UNTIDY = """\
# Above everything.
apiVersion:   reconciler/v1
kind: Automation
metadata: {name: untidy,  labels: {a:   b}} # beside
spec:
      # About the schedule.
      schedule: '0 6 * * *'
      command:
      - echo
      - "hello"
# Below everything.
"""


def test_layout_becomes_even_and_comments_and_quotes_stay(workplace: Workplace) -> None:
    path = workplace.write("desired/a.yaml", UNTIDY)
    before = load(workplace)
    ran = workplace.run("fmt")
    assert (ran.code, ran.out) == (0, "desired/a.yaml\n")
    text = path.read_text()
    assert text != UNTIDY
    for kept in (
        "# Above everything.",
        "# beside",
        "# About the schedule.",
        "# Below everything.",
        "'0 6 * * *'",
        '"hello"',
    ):
        assert kept in text
    assert load(workplace) == before


def load(workplace: Workplace) -> object:
    from reconciler.cli.session import application

    return [(r.id, r.spec, r.labels) for r in application(Path("desired")).load().resources]


def test_formatting_twice_changes_nothing_more(workplace: Workplace) -> None:
    path = workplace.write("desired/a.yaml", UNTIDY)
    workplace.run("fmt")
    once, stamp = path.read_bytes(), path.stat().st_mtime_ns
    ran = workplace.run("fmt")
    assert (ran.code, ran.out, ran.err) == (0, "", "0 files formatted, 1 formatted already.\n")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (once, stamp)
    assert workplace.run("fmt", "--check").code == 0


def test_check_prints_the_difference_and_writes_nothing(workplace: Workplace) -> None:
    workplace.write("desired/a.yaml", UNTIDY)
    before = workplace.files()
    ran = workplace.run("fmt", "--check")
    assert ran.code == 1
    assert workplace.files() == before
    assert ran.out.startswith("--- desired/a.yaml\n+++ desired/a.yaml (formatted)\n@@ ")
    assert "-apiVersion:   reconciler/v1\n+apiVersion: reconciler/v1\n" in ran.out


def test_the_difference_is_a_patch_that_does_what_fmt_does(workplace: Workplace) -> None:
    path = workplace.write("desired/a.yaml", UNTIDY.rstrip("\n"))
    patch = workplace.run("fmt", "--check").out
    subprocess.run(["patch", "-s", str(path)], input=patch, text=True, check=True)
    patched = path.read_bytes()
    workplace.write("desired/a.yaml", UNTIDY.rstrip("\n"))
    workplace.run("fmt")
    assert path.read_bytes() == patched


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("kind: [\n", "cannot read the YAML"),
        (UNTIDY.replace("schedule:", "schedul:"), "unknown field 'schedul'"),
        (b"\xff\xfe", "UTF-16"),
        (UNTIDY.replace("kind:", "kind: Automation\nkind:"), "stands here twice"),
    ],
)
def test_a_file_with_problems_is_left_alone_and_reported(
    workplace: Workplace, content: str | bytes, cause: str
) -> None:
    path = workplace.write("desired/bad.yaml", content)
    before = path.read_bytes()
    good = workplace.write("desired/good.yaml", UNTIDY)
    ran = workplace.run("fmt")
    assert ran.code == 1
    assert path.read_bytes() == before
    assert "cannot format desired/bad.yaml: " in ran.err
    assert cause in ran.err
    assert "1 file formatted, 1 left alone because of problems." in ran.err
    assert good.read_text() != UNTIDY


def test_the_mode_stays(workplace: Workplace) -> None:
    path = workplace.write("desired/a.yaml", UNTIDY)
    path.chmod(0o640)
    workplace.run("fmt")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_owner_stays(workplace: Workplace) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = workplace.write("desired/a.yaml", UNTIDY)
    os.chown(path, 1234, 2345)
    workplace.run("fmt")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)
    assert path.read_text() != UNTIDY


@pytest.mark.parametrize("path", ["desired", "desired/alias.yaml"])
def test_a_link_stays_a_link_and_its_target_is_formatted(workplace: Workplace, path: str) -> None:
    target = workplace.write("desired/.real/real.yaml", UNTIDY)
    link = workplace.folder / "desired" / "alias.yaml"
    link.symlink_to(".real/real.yaml")
    ran = workplace.run("fmt", path)
    assert ran.code == 0, ran.err
    assert link.is_symlink()
    assert target.read_text() != UNTIDY


def test_a_file_named_twice_is_formatted_once(workplace: Workplace) -> None:
    workplace.write("desired/a.yaml", UNTIDY)
    ran = workplace.run("fmt", "desired", "desired/a.yaml", ".")
    assert ran.out.count("a.yaml") == 1


def test_nothing_else_is_left_beside_the_file(workplace: Workplace) -> None:
    workplace.write("desired/a.yaml", UNTIDY)
    workplace.run("fmt")
    assert [path.name for path in (workplace.folder / "desired").iterdir()] == ["a.yaml"]


def test_settings_can_be_formatted_when_named(workplace: Workplace) -> None:
    path = workplace.write("reconciler.yaml", "host:   {name: a} # mine\n")
    assert workplace.run("fmt", "reconciler.yaml").code == 0
    text = path.read_text()
    assert text.startswith("host: {name: a} ")
    assert text.endswith("# mine\n")


def test_broken_settings_are_left_alone(workplace: Workplace) -> None:
    path = workplace.write("reconciler.yaml", "hots:   {name: a}\n")
    assert workplace.run("fmt", "reconciler.yaml").code == 1
    assert path.read_text() == "hots:   {name: a}\n"


def test_an_edit_at_the_same_moment_is_not_overwritten(workplace: Workplace) -> None:
    path = workplace.write("desired/a.yaml", UNTIDY)
    seen = stamp_of(path.stat())
    path.write_text(UNTIDY + "# edited meanwhile\n")
    with pytest.raises(ReconcileError, match="edited at the same moment"):
        fmt.replace(path, b"formatted\n", seen)
    assert path.read_text().endswith("# edited meanwhile\n")
    assert [each.name for each in path.parent.iterdir()] == ["a.yaml"]


def test_a_layout_that_never_settles_is_refused() -> None:
    with pytest.raises(ReconcileError, match="formatting it again would change it again"):
        fmt.settled("a.yaml", b"a", lambda _file, content: content + b"a")


def test_a_folder_that_cannot_be_written_is_an_error_with_the_file_unharmed(workplace: Workplace) -> None:
    path = workplace.write("desired/a.yaml", UNTIDY)
    with pytest.raises(ReconcileError, match=r"cannot format .*: no such file or directory"):
        fmt.replace(path.parent / "gone" / "a.yaml", b"", stamp_of(path.stat()))
    assert path.read_text() == UNTIDY


def test_a_missing_path_is_an_error(workplace: Workplace) -> None:
    ran = workplace.run("fmt", "nowhere")
    assert ran.code == 1
    assert "cannot load nowhere" in ran.err


def test_many_documents_stay_many(workplace: Workplace) -> None:
    text = MANIFEST.format(name="a") + "---\n# about b\n" + MANIFEST.format(name="b")
    workplace.write("desired/a.yaml", text.replace("kind: ", "kind:   "))
    assert workplace.run("fmt").code == 0
    assert workplace.run("validate").out == "2 manifests in 1 file are valid\n"
    assert "# about b" in (workplace.folder / "desired/a.yaml").read_text()
