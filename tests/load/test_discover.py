"""Which files count, and every way in which a tree can be unusable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.load.discover import MAX_BYTES, Content, Found, discover, read, stamp_of
from reconciler.model.errors import ReconcileError
from tests.load.build import load_tree, manifest, problems, put


def names(folder: Path) -> list[str]:
    return [found.relative for found in discover(folder).files]


def messages(folder: Path) -> list[str]:
    return [f"{Path(p.file).relative_to(folder)}: {p.message}" for p in problems(folder)]


def test_yaml_files_are_found_in_order_and_hidden_ones_skipped(tmp_path: Path) -> None:
    files = [
        "b.yaml",
        "a/z.yml",
        "a.yaml",
        ".hidden.yaml",
        ".git/x.yaml",
        "a/.h/x.yaml",
        "notes.txt",
        "x.yaml.bak",
        "a/b/c.yaml",
    ]
    put(tmp_path, dict.fromkeys(files, ""))
    assert names(tmp_path) == ["a.yaml", "a/b/c.yaml", "a/z.yml", "b.yaml"]


def test_a_suffix_counts_in_any_case_so_that_a_rename_never_prunes(tmp_path: Path) -> None:
    put(tmp_path, dict.fromkeys(["a.YAML", "b.Yml", "c.yaml", "d.YMLX"], ""))
    assert names(tmp_path) == ["a.YAML", "b.Yml", "c.yaml"]


def test_the_settings_file_is_not_a_manifest_and_only_at_the_top(tmp_path: Path) -> None:
    put(tmp_path, {"reconciler.yaml": "host: x", "sub/reconciler.yaml": ""})
    assert names(tmp_path) == ["sub/reconciler.yaml"]


def test_a_path_may_be_one_file(tmp_path: Path) -> None:
    put(tmp_path, {"one.txt": manifest("x"), "other.yaml": "bad"})
    (resource,) = load_tree(tmp_path / "one.txt").resources
    assert str(resource.source) == f"{tmp_path}/one.txt:1"


def test_files_are_named_as_the_user_would_type_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, {"desired/sub/a.yaml": manifest("x")})
    monkeypatch.chdir(tmp_path)
    assert str(load_tree(Path("desired")).resources[0].source) == "desired/sub/a.yaml:1"
    assert str(load_tree(Path("./desired/")).resources[0].source) == "desired/sub/a.yaml:1"
    monkeypatch.chdir(tmp_path / "desired")
    assert str(load_tree(Path()).resources[0].source) == "sub/a.yaml:1"
    assert str(load_tree(Path("sub/a.yaml")).resources[0].source) == "sub/a.yaml:1"


def test_a_path_that_is_not_there_is_an_error_with_advice(tmp_path: Path) -> None:
    with pytest.raises(ReconcileError, match=r"cannot load .*nowhere: no such file") as caught:
        load_tree(tmp_path / "nowhere")
    assert caught.value.hint == "name a folder of manifests, or a manifest file"


def test_what_is_not_a_file_is_a_problem_and_never_hangs(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    assert messages(tmp_path) == [
        "folder.yaml: is a folder, but its name is that of a manifest",
        "pipe.yaml: is not a regular file",
    ]
    assert [p.message for p in problems(tmp_path / "pipe.yaml")] == ["is not a regular file"]


def test_links_that_leave_the_tree_loop_or_dangle_are_refused(tmp_path: Path) -> None:
    tree = put(tmp_path / "tree", {"a/x.yaml": "", "other.txt": ""})
    put(tmp_path, {"outside/o.yaml": manifest("o")})
    (tree / "out.yaml").symlink_to(tmp_path / "outside/o.yaml")
    (tree / "outdir").symlink_to(tmp_path / "outside")
    (tree / "dangling.yaml").symlink_to("nowhere")
    (tree / "loop.yaml").symlink_to("loop.yaml")
    (tree / "a/up").symlink_to("..")
    (tree / "twin").symlink_to("a")
    (tree / "notes.md").symlink_to("/nowhere")
    assert messages(tree) == [
        "a/up: the link leads to a folder that is part of the tree already",
        "dangling.yaml: cannot follow the link: no such file or directory",
        "loop.yaml: cannot follow the link: too many levels of symbolic links",
        "out.yaml: the link leaves the tree",
        "outdir: the link leaves the tree",
        "twin: the link leads to a folder that is part of the tree already",
    ]


def test_a_link_inside_the_tree_to_a_hidden_place_is_followed(tmp_path: Path) -> None:
    put(tmp_path, {"..data/a.yaml": manifest("a"), "..data/sub/b.yaml": manifest("b")})
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    (tmp_path / "sub").symlink_to("..data/sub")
    assert [str(each.id) for each in load_tree(tmp_path).resources] == ["Automation/a", "Automation/b"]
    (tmp_path / "sub2").symlink_to("..data/sub")
    assert messages(tmp_path) == ["sub2: the link leads to a folder that is part of the tree already"]


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": b"#" * MAX_BYTES, "b.yaml": b"#" * (MAX_BYTES + 1)})
    assert messages(tmp_path) == ["b.yaml: the file is larger than 1 MiB"]


def test_folders_nested_too_deep_are_refused(tmp_path: Path) -> None:
    put(tmp_path, {"/".join(["d"] * 40) + "/x.yaml": ""})
    (message,) = messages(tmp_path)
    assert message.endswith(": folders are nested deeper than 32")


def test_a_name_that_could_forge_output_is_refused(tmp_path: Path) -> None:
    put(tmp_path, {"a\x1b[2J.yaml": manifest("x")})
    (problem,) = problems(tmp_path)
    assert problem.message == "the name holds unprintable characters"
    assert "\x1b" not in problem.file


def found(path: Path) -> Found:
    return Found(path.name, str(path), str(path), stamp_of(path.stat()))


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(tmp_path, {"a.yaml": "old"}) / "a.yaml"
    target, plain_read, changes = found(file), os.read, ["new content"]

    def read_and_change(descriptor: int, count: int) -> bytes:
        data = plain_read(descriptor, count)
        if changes:
            file.write_text(changes.pop())
        return data

    monkeypatch.setattr(os, "read", read_and_change)
    content = read(target)
    assert isinstance(content, Content)
    assert content.data == b"new content"
    assert content.stamp == stamp_of(file.stat())


def test_a_file_that_never_rests_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(tmp_path, {"a.yaml": "x"}) / "a.yaml"
    target, plain_read = found(file), os.read

    def read_and_touch(descriptor: int, count: int) -> bytes:
        data = plain_read(descriptor, count)
        os.utime(file, ns=(0, file.stat().st_mtime_ns + 1000))
        return data

    monkeypatch.setattr(os, "read", read_and_touch)
    problem = read(target)
    assert not isinstance(problem, Content)
    assert problem.message == "cannot read the file: it keeps changing"


def test_a_file_that_vanishes_or_turns_into_something_else_is_a_problem(tmp_path: Path) -> None:
    file = put(tmp_path, {"a.yaml": "x"}) / "a.yaml"
    target = found(file)
    file.unlink()
    gone = read(target)
    assert not isinstance(gone, Content)
    assert gone.message == "cannot read the file: no such file or directory"
    os.mkfifo(file)
    pipe = read(target)
    assert not isinstance(pipe, Content)
    assert pipe.message == "cannot read the file: it is not a regular file"
