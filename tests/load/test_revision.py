"""What a tree is called, with git and without."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.model.resource import Revision
from tests.load.build import GitHost, load_tree, manifest, put


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.invalid"]
    argv = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=environment).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    put(tmp_path, {"desired/a.yaml": manifest("a"), "README": "x"})
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def revision(path: Path, host: GitHost | None = None) -> Revision:
    return load_tree(path, host=host or GitHost()).revision


def test_a_clean_checkout_is_its_commit(checkout: Path) -> None:
    host = GitHost()
    found = revision(checkout / "desired", host)
    assert found.commit == git(checkout, "rev-parse", "HEAD")
    assert (found.branch, found.dirty) == ("main", False)
    assert len(host.asked) == 1


def test_only_changes_in_the_tree_make_it_dirty(checkout: Path) -> None:
    put(checkout, {"README": "changed", "other.yaml": "new"})
    assert not revision(checkout / "desired").dirty
    put(checkout, {"desired/a.yaml": manifest("a", schedule='"1 1 * * *"')})
    assert revision(checkout / "desired").dirty


def test_a_new_manifest_makes_the_tree_dirty(checkout: Path) -> None:
    put(checkout, {"desired/b.yaml": manifest("b")})
    assert revision(checkout / "desired").dirty
    assert not revision(checkout / "desired/a.yaml").dirty


def test_a_manifest_that_git_ignores_makes_the_tree_dirty(checkout: Path) -> None:
    put(checkout, {"desired/.gitignore": "/local*\n/drafts/\n", "desired/notes/x.txt": "x"})
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "second")
    put(checkout, {"desired/local.txt": "x", "desired/drafts/x.txt": "x", "desired/local.yaml.bak": "x"})
    host = GitHost()
    assert not revision(checkout / "desired", host).dirty
    assert len(host.asked) == 1
    put(checkout, {"desired/local.yaml": manifest("b")})
    assert revision(checkout / "desired").dirty
    assert revision(checkout / "desired/local.yaml").dirty
    assert not revision(checkout / "desired/a.yaml").dirty
    (checkout / "desired/local.yaml").rename(checkout / "desired/drafts/local.yaml")
    assert revision(checkout / "desired").dirty
    assert revision(checkout / "desired/drafts").dirty
    assert revision(checkout / "desired/drafts/local.yaml").dirty


def test_a_tree_that_git_ignores_as_a_whole_is_dirty(checkout: Path) -> None:
    put(checkout, {".gitignore": "/private/\n", "private/deep/a.yaml": manifest("b")})
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "second")
    for path in ("private", "private/deep", "private/deep/a.yaml", "."):
        assert revision(checkout / path).dirty, path
    assert not revision(checkout / "desired").dirty


def test_an_ignored_manifest_behind_a_link_makes_the_tree_dirty(checkout: Path) -> None:
    put(checkout, {".gitignore": ".store/\n", "desired/.store/b.yaml": manifest("b")})
    (checkout / "desired/b.yaml").symlink_to(".store/b.yaml")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "second")
    assert revision(checkout / "desired").dirty
    (checkout / "desired/b.yaml").unlink()
    (checkout / "desired/more").symlink_to(".store")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "third")
    assert revision(checkout / "desired").dirty


def test_a_new_manifest_is_seen_where_git_is_told_to_hide_it(checkout: Path) -> None:
    git(checkout, "config", "status.showUntrackedFiles", "no")
    assert not revision(checkout / "desired").dirty
    put(checkout, {"desired/more/b.yaml": manifest("b")})
    assert revision(checkout / "desired").dirty


def test_a_detached_head_has_no_branch(checkout: Path) -> None:
    git(checkout, "checkout", "-q", "--detach")
    found = revision(checkout / "desired")
    assert found.commit
    assert found.branch is None


def test_a_repository_without_commits_has_no_commit(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": manifest("a")})
    git(tmp_path, "init", "-q")
    assert revision(tmp_path).commit is None


def test_outside_of_a_checkout_no_process_is_started(tmp_path: Path) -> None:
    host = GitHost()
    found = revision(put(tmp_path, {"a.yaml": manifest("a")}), host)
    assert host.asked == []
    assert found.label == f"tree {found.digest[:8]}"


def test_without_git_there_is_no_commit(checkout: Path) -> None:
    assert revision(checkout / "desired", GitHost(broken=True)).commit is None


def test_a_broken_repository_has_no_commit(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": manifest("a"), ".git": "gitdir: /nowhere"})
    assert revision(tmp_path).commit is None


def test_the_digest_follows_names_and_content_and_nothing_else(tmp_path: Path) -> None:
    one = put(tmp_path / "one", {"a.yaml": manifest("a"), "b/c.yaml": manifest("c")})
    two = put(tmp_path / "two", {"b/c.yaml": manifest("c"), "a.yaml": manifest("a"), "notes.txt": "x"})
    assert revision(one).digest == revision(two).digest
    first = revision(two).digest
    (two / "a.yaml").rename(two / "z.yaml")
    renamed = revision(two).digest
    put(two, {"z.yaml": manifest("a") + "# comment\n"})
    assert len({first, renamed, revision(two).digest}) == 3


def test_git_neither_locks_nor_runs_what_the_repository_configures(checkout: Path) -> None:
    proof = checkout / "proof"
    git(checkout, "config", "core.fsmonitor", f"touch {proof}; false")
    before = (checkout / ".git/index").stat()
    os.utime(checkout / "desired/a.yaml")
    revision(checkout / "desired")
    assert not proof.exists()
    assert (checkout / ".git/index").stat() == before
