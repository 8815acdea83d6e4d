"""The cache makes loading fast and is never believed against the files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.kinds.catalogue import BUILT_IN, KindCatalogue
from reconciler.load.desired import load
from reconciler.model.data import bytes_digest
from reconciler.model.errors import LoadError
from reconciler.model.resource import Desired
from tests.load.build import GitHost, age, load_tree, manifest, problems, put

EXTRA = (
    "  verify: {within: 5m, probes: [{exec: [a, b]}]}\n  dependsOn: [Automation/b]\n  protect: replace\n"
    "  environment: {A: 'ü'}\n  suspend: true\n"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return put(
        tmp_path / "tree", {"a.yaml": manifest("a", extra=EXTRA), "b.yaml": manifest("b"), "empty.yaml": "# none\n"}
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def cache_file(cache: Path) -> Path:
    (file,) = cache.iterdir()
    return file


def rewrite(file: Path, **changes: object) -> None:
    """Change what a cache says, with a checksum that fits."""
    data = json.loads(file.read_bytes().partition(b"\n")[2]) | changes
    body = json.dumps(data).encode()
    file.write_bytes(bytes_digest(body).encode() + b"\n" + body)


def settled(cache: Path) -> None:
    """As if the cache had been written long after the files: their stamps alone are then believed."""
    file = cache_file(cache)
    rewrite(file, written=json.loads(file.read_bytes().partition(b"\n")[2])["written"] + 10**10)


def forge(cache: Path) -> None:
    """Give the first manifest another command in the cache only, so that a test can see who was asked."""
    file = cache_file(cache)
    files = json.loads(file.read_bytes().partition(b"\n")[2])["files"]
    files["a.yaml"][2][0][3]["command"] = ["from", "the", "cache"]
    rewrite(file, files=files)


def become_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def command(desired: Desired) -> object:
    return desired.resources[0].spec["command"]


def test_a_cached_load_says_the_same_as_a_fresh_one(tree: Path, cache: Path) -> None:
    fresh = load_tree(tree)
    assert load_tree(tree, cache) == fresh
    settled(cache)
    assert load_tree(tree, cache) == fresh
    assert load_tree(tree, cache) == fresh


def test_an_unchanged_file_is_not_read_again(tree: Path, cache: Path) -> None:
    load_tree(tree, cache)
    settled(cache)
    forge(cache)
    assert command(load_tree(tree, cache)) == ["from", "the", "cache"]


def test_a_changed_file_is_read_again_and_the_cache_follows(tree: Path, cache: Path) -> None:
    load_tree(tree, cache)
    settled(cache)
    put(tree, {"a.yaml": manifest("a", schedule='"1 1 * * *"')})
    desired = load_tree(tree, cache)
    assert desired.resources[0].spec["schedule"] == "1 1 * * *"
    assert desired == load_tree(tree)
    assert load_tree(tree, cache) == desired


def test_a_file_written_just_before_the_cache_is_compared_by_content(tree: Path, cache: Path) -> None:
    file = tree / "a.yaml"
    load_tree(tree, cache)
    status = file.stat()
    file.write_text(file.read_text().replace("[backup, a]", "[pickup, a]"))  # the same size
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    files = json.loads(cache_file(cache).read_bytes().partition(b"\n")[2])["files"]
    now = file.stat()
    files["a.yaml"][0] = [
        now.st_size,
        now.st_mtime_ns,
        now.st_ctime_ns,
        now.st_ino,
    ]  # as a coarse clock would have it
    rewrite(cache_file(cache), files=files)
    assert command(load_tree(tree, cache)) == ["pickup", "a"]


def test_a_touched_file_is_not_parsed_again(tree: Path, cache: Path) -> None:
    load_tree(tree, cache)
    settled(cache)
    forge(cache)
    age(tree, 100)
    assert command(load_tree(tree, cache)) == ["from", "the", "cache"]


def test_files_that_come_go_and_move_are_noticed(tree: Path, cache: Path) -> None:
    load_tree(tree, cache)
    settled(cache)
    put(tree, {"c.yaml": manifest("c")})
    (tree / "b.yaml").rename(tree / "z.yaml")
    desired = load_tree(tree, cache)
    assert [str(each.source) for each in desired.resources] == [f"{tree}/{name}.yaml:1" for name in "azc"]
    (tree / "c.yaml").unlink()
    assert load_tree(tree, cache) == load_tree(tree)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
        lambda file: file.write_bytes(file.read_bytes().replace(b"backup", b"evil!!")),
        lambda file: file.write_bytes(b"\x00\xff" * 100),
        lambda file: file.write_bytes(bytes_digest(b"[]").encode() + b"\n[]"),
        lambda file: file.write_bytes(bytes_digest(b"[" * 10**5).encode() + b"\n" + b"[" * 10**5),
        lambda file: rewrite(file, format=99),
        lambda file: rewrite(file, tree="/elsewhere"),
        lambda file: rewrite(file, files={"a.yaml": 5, "b.yaml": [], "empty.yaml": [[1, 2, 3, 4], "x", [[1]]]}),
        lambda file: rewrite(file, files=[1, 2]),
        lambda file: rewrite(file, written="soon"),
        lambda file: (file.unlink(), file.mkdir()),
        become_pipe,
        lambda file: (file.rename(file.with_name("moved")), file.symlink_to("moved")),
        lambda file: file.chmod(0o666),
    ],
)  # fmt: skip
def test_a_cache_that_cannot_be_trusted_is_no_cache(tree: Path, cache: Path, damage: object) -> None:
    expected = load_tree(tree, cache)
    settled(cache)
    forge(cache)
    damage(cache_file(cache))  # type: ignore[operator]
    assert load_tree(tree, cache) == expected
    assert load_tree(tree, cache) == expected


def test_rows_of_another_shape_are_read_from_the_file(tree: Path, cache: Path) -> None:
    expected = load_tree(tree, cache)
    settled(cache)
    files = json.loads(cache_file(cache).read_bytes().partition(b"\n")[2])["files"]
    for bad in ([["x"]], [[1, 2, 3, 4]], 7, [["Automation", "a", 1, {}, "", None, 5]], None):
        files["a.yaml"][2] = bad
        rewrite(cache_file(cache), files=files)
        assert load_tree(tree, cache) == expected
        settled(cache)


def test_another_version_or_set_of_kinds_starts_afresh(tree: Path, cache: Path) -> None:
    load_tree(tree, cache)
    settled(cache)
    forge(cache)
    other = KindCatalogue(BUILT_IN | {"Other": "nowhere:Nothing"})
    assert command(load(tree, kinds=other, host=GitHost(), cache_dir=cache)) == ["backup", "a"]


def test_an_unwritable_cache_is_no_error(tree: Path, tmp_path: Path) -> None:
    expected = load_tree(tree)
    (tmp_path / "file").write_text("x")
    assert load_tree(tree, tmp_path / "file") == expected
    assert load_tree(tree, tmp_path / "file" / "below") == expected
    assert load_tree(tree, Path("/proc/nowhere")) == expected
    assert (tmp_path / "file").read_text() == "x"


def test_a_full_disk_leaves_the_old_cache_and_no_rubbish(
    tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_tree(tree, cache)
    before = cache_file(cache).read_bytes()
    put(tree, {"c.yaml": manifest("c")})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert len(load_tree(tree, cache).resources) == 3
    assert cache_file(cache).read_bytes() == before


def test_a_file_with_problems_is_never_cached_and_the_rest_is(tree: Path, cache: Path) -> None:
    put(tree, {"bad.yaml": manifest("bad", schedule="5")})
    first = problems(tree, cache)
    settled(cache)
    assert problems(tree, cache) == first
    assert set(json.loads(cache_file(cache).read_bytes().partition(b"\n")[2])["files"]) == {
        "a.yaml",
        "b.yaml",
        "empty.yaml",
    }


def test_problems_between_cached_files_are_found_with_their_places(tree: Path, cache: Path) -> None:
    load_tree(tree, cache)
    settled(cache)
    (tree / "b.yaml").unlink()
    (problem,) = problems(tree, cache)
    assert problem.message == "Automation/b is not in the manifests"
    assert (problem.line, problem.column) == (8, 15)
    assert problems(tree, cache) == (problem,)


def test_a_folder_and_a_file_of_it_have_caches_of_their_own(tree: Path, cache: Path) -> None:
    load_tree(tree, cache)
    load_tree(tree / "b.yaml", cache)
    assert len(list(cache.iterdir())) == 2


def test_caches_do_not_pile_up(tmp_path: Path, cache: Path) -> None:
    for number in range(40):
        load_tree(put(tmp_path / f"tree{number}", {"a.yaml": manifest("a")}), cache)
    assert len(list(cache.iterdir())) == 32


def test_a_cached_load_imports_neither_yaml_nor_validation(tree: Path, cache: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.load.build import load_tree;"
        "load_tree(Path(sys.argv[1]), Path(sys.argv[2]));"
        "print([name for name in ('pydantic', 'ruamel.yaml', 'ryaml', 'cronsim', 'difflib') if name in sys.modules])"
    )
    load_tree(tree, cache)
    settled(cache)
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tree), str(cache)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert ended.stdout == "[]\n"


def test_two_processes_at_once_do_no_harm(tree: Path, cache: Path) -> None:
    put(tree, {f"n{number}.yaml": manifest(f"n{number}") for number in range(60)})
    program = (
        "import sys; from pathlib import Path; from tests.load.build import load_tree;\n"
        "for _ in range(8): print(load_tree(Path(sys.argv[1]), Path(sys.argv[2])).revision.digest)"
    )
    arguments = [sys.executable, "-c", program, str(tree), str(cache)]
    root = Path(__file__).parents[2]
    started = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)]
    said = {line for each in started for line in each.communicate()[0].split()}
    assert said == {load_tree(tree).revision.digest}
    assert [each.returncode for each in started] == [0, 0]


def test_errors_are_raised_alike_with_and_without_the_fast_reader(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tree, {"bad.yaml": manifest("bad", schedule='"75 * * * *"')})
    fast = problems(tree)
    expected = load_tree(tree / "b.yaml")
    monkeypatch.setattr("reconciler.load.parse._fast_loader", lambda: None)
    assert problems(tree) == fast
    assert load_tree(tree / "b.yaml") == expected
    with pytest.raises(LoadError):
        load_tree(tree)
