"""`reconciler.yaml`: what it may say, what it refuses and where, and where it is looked for."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from reconciler.model.errors import LoadError, Problem
from reconciler.model.intent import PrunePolicy
from reconciler.settings import Settings, find, folders, read

WHOLE = """\
host: {name: atlas.local}
plugins: [reconciler-foo, Bar_baz]
prune: {enabled: false, maxPercent: 50, maxCount: 0}
watch: {driftInterval: 1m30s}
"""


def settings(tmp_path: Path, text: str | bytes) -> Settings:
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "reconciler.yaml").write_bytes(content)
    return read(tmp_path, tmp_path / "cache")


def problems(tmp_path: Path, text: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(LoadError) as caught:
        settings(tmp_path, text)
    return caught.value.problems


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read(tmp_path, tmp_path / "cache") == Settings()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}\n", "prune: {}\nhost: {}\n"])
def test_a_file_that_says_nothing_leaves_the_defaults(tmp_path: Path, text: str) -> None:
    assert settings(tmp_path, text) == Settings(source=str(tmp_path / "reconciler.yaml"))


def test_every_field_arrives(tmp_path: Path) -> None:
    assert settings(tmp_path, WHOLE) == Settings(
        host_name="atlas.local",
        plugins=("reconciler-foo", "Bar_baz"),
        prune=PrunePolicy(enabled=False, percent=50, count=0),
        drift_interval=90,
        source=str(tmp_path / "reconciler.yaml"),
    )


def test_a_remembered_file_reads_the_same_and_a_changed_one_is_read_again(tmp_path: Path) -> None:
    first = settings(tmp_path, WHOLE)
    assert (tmp_path / "cache" / "settings.json").exists()
    assert read(tmp_path, tmp_path / "cache") == first
    assert settings(tmp_path, "host: {name: other}\n").host_name == "other"


@pytest.mark.parametrize("garbage", [b"", b"{", b"\xff", b'{"key": 1}', b"[]"])
def test_a_damaged_memory_does_no_harm(tmp_path: Path, garbage: bytes) -> None:
    first = settings(tmp_path, WHOLE)
    (tmp_path / "cache" / "settings.json").write_bytes(garbage)
    assert read(tmp_path, tmp_path / "cache") == first


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("pruning: {}\n", "1:1", "unknown field 'pruning'", "did you mean prune?"),
        ("prune:\n  maxpercent: 5\n", "2:3", "unknown field 'maxpercent' in prune", "did you mean maxPercent?"),
        ("prune: {maxPercent: 101}\n", "1:21", "prune.maxPercent must be at most 100, found 101", None),
        ("prune: {maxCount: -1}\n", "1:19", "prune.maxCount must be at least 0, found -1", None),
        ("prune: {enabled: no}\n", "1:18", "prune.enabled must be true or false", "yes, no, on and off are text"),
        ("prune: 5\n", "1:8", "prune must be a mapping", None),
        ("watch: {driftInterval: 5s}\n", "1:24", "must be at least 10s and at most 30d", None),
        ("watch: {driftInterval: 31d}\n", "1:24", "must be at least 10s and at most 30d", None),
        ("watch: {driftInterval: 60}\n", "1:24", "60 has no unit", "60s"),
        ("host: {name: 'a b'}\n", "1:14", "'a b' is not a host name", "letters"),
        ("host: {name: }\n", "1:8", "host.name has no value", None),
        ("plugins: reconciler-foo\n", "1:10", "plugins must be a list", None),
        ("plugins: [ok, '../x']\n", "1:15", "is not the name of a plugin", "pip"),
        ("plugins: [one-two, One_Two]\n", "1:20", "One_Two stands here twice", None),
        ("- host\n", "1:1", "the settings must be a mapping", None),
        ("host: {}\n---\nprune: {}\n", "3:1", "must be one document, found 2", "---"),
        ("host: {}\nhost: {}\n", "2:1", "the key 'host' stands here twice", "line 1"),
        ("host: [\n", "2:1", "cannot read the YAML", None),
        ("\thost: {}\n", "1:1", "a tab stands in the indentation", "spaces"),
    ],
)
def test_a_refusal_names_its_place(tmp_path: Path, text: str, place: str, message: str, hint: str | None) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.place == f"{tmp_path / 'reconciler.yaml'}:{place}"
    assert message in problem.message
    if hint is not None:
        assert hint in (problem.hint or "")


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "hosts: {}\nprune: {maxPercent: 200}\nwatch: {driftInterval: never}\n")
    assert [problem.line for problem in found] == [1, 2, 3]


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, b"host: {name: \xff}\n")
    assert "not UTF-8" in problem.message


def test_a_refused_file_is_not_remembered(tmp_path: Path) -> None:
    problems(tmp_path, "nonsense: 1\n")
    assert not (tmp_path / "cache" / "settings.json").exists()
    problems(tmp_path, "nonsense: 1\n")


def test_the_file_is_found_above_the_tree_up_to_the_git_checkout(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text("")
    checkout = tmp_path / "checkout"
    tree = checkout / "a" / "desired"
    tree.mkdir(parents=True)
    (checkout / ".git").mkdir()
    assert find(tree) is None, "what lies outside of the checkout is somebody else's"
    (checkout / "reconciler.yaml").write_text("")
    assert find(tree) == checkout / "reconciler.yaml"
    (tree / "reconciler.yaml").write_text("")
    assert find(tree) == tree / "reconciler.yaml"


def test_folders_follow_the_environment(tmp_path: Path) -> None:
    named = {"RECONCILER_STATE_DIR": "/s", "RECONCILER_CACHE_DIR": "/c", "HOME": "/home/p"}
    assert folders(named, root=True).state == Path("/s")
    assert folders(named, root=True).cache == Path("/c")
    assert folders({"HOME": "/home/p"}, root=False).state == Path("/home/p/.local/state/reconciler")
    assert folders({"HOME": "/home/p", "XDG_STATE_HOME": "/x"}, root=False).state == Path("/x/reconciler")
    assert folders({"HOME": "/root"}, root=True).cache == Path("/var/cache/reconciler")


def test_what_a_folder_above_keeps_to_itself_is_not_for_everybody() -> None:
    from reconciler.settings import _closed

    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        inside = Path(name, "private", "bin")
        inside.mkdir(parents=True)
        Path(name).chmod(0o755)
        linked = Path(name, "link")
        linked.symlink_to(inside / "python")
        assert _closed(inside / "reconcile") is _closed(linked) is None
        assert _closed(inside / "not" / "yet" / "reconcile") is None
        inside.parent.chmod(0o700)
        assert _closed(inside / "reconcile") == _closed(linked) == inside.parent
        into = Path(name, "venv")
        into.mkdir(mode=0o700)
        Path(into, "python").symlink_to(sys.executable)
        assert _closed(into / "python") is not None
