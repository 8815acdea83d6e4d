"""The File plugin keeps every promise, in memory and on a real disk; and what is special about files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.limits import OUTPUT_LIMIT
from reconciler.host.local import LocalHost
from reconciler.host.protocol import FileStatus
from reconciler.model.address import ResourceId
from reconciler.model.change import Action
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict, UnsupportedSpec
from reconciler.model.resource import Resource, Source
from reconciler.model.state import Ownership, State
from reconciler.provider import Provider, Wanted
from reconciler.testing.builders import address, change, resource
from reconciler.testing.conformance import Harness, ProviderConformance
from tests.plugins.loading import loaded

TWIN_MODE = 0o600
SPARED = {f"/srv/other-{index}": data for index, data in enumerate((b"", b"theirs\r\n", b"\xff\0"))}


def files() -> Provider:
    return loaded().providers["file"]


def file(name: str, content: str = "hello\n", **spec: Json) -> Resource:
    filled: dict[str, Json] = {"path": f"/srv/conf-{name}", "content": content, "mode": "0644", **spec}
    return resource(f"File/conf-{name}", source="files.yaml", line=1, **filled)


class DiskHost(FakeHost):
    """Files really stand on a disk, below a folder of their own; faults and the log work as in memory."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root, self.disk = root, LocalHost()
        (root / "srv").mkdir(parents=True)

    def at(self, path: Path) -> Path:
        return self.root / str(path).lstrip("/")

    def read(self, path: Path, *, limit: int = OUTPUT_LIMIT) -> bytes | None:
        return self._checked("read", path, lambda: self.disk.read(self.at(path), limit=limit))

    def status(self, path: Path) -> FileStatus | None:
        return self._checked("status", path, lambda: self.disk.status(self.at(path)))

    def write(
        self, path: Path, content: bytes, *, mode: int = 0o600, owner: str | None = None, group: str | None = None
    ) -> None:
        place = self.at(path)
        self._checked("write", path, lambda: self.disk.write(place, content, mode=mode, owner=owner, group=group))

    def remove(self, path: Path) -> None:
        self._checked("remove", path, lambda: self.disk.remove(self.at(path)))

    def _checked(self, method: str, path: Path, effect):  # type: ignore[no-untyped-def]
        def permitted():  # type: ignore[no-untyped-def]
            self._permit(method, path)
            return effect()

        return self._call(method, str(path), permitted)


class Files(Harness):
    def provider(self) -> Provider:
        return files()

    def host(self) -> FakeHost:
        host = FakeHost()
        host.folders.add("/srv")
        return host

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        return (
            (file("a"), file("a", "other\n")),
            (file("b", "x"), file("b", "x", mode="0600")),
            (file("c", ""), file("c", "\n\n")),
            (file("d", "same"), file("d", "not the same", mode="4755")),
        )

    def hostile(self, text: str) -> Resource:
        return file("hostile", text)

    def put(self, host: FakeHost, path: str, data: bytes, mode: int) -> None:
        host.files[path], host.modes[path] = data, mode

    def everything(self, host: FakeHost) -> Mapping[str, tuple[bytes, int]]:
        return {path: (data, host.modes.get(path, 0o644)) for path, data in host.files.items()}

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        self.put(host, f"/srv/{id_.name}", b"by hand \xff", 0o640)

    def add_foreign(self, host: FakeHost) -> None:
        for path, data in SPARED.items():
            self.put(host, path, data, 0o640)

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:
        self.put(host, str(resource.spec["path"]), b"written by a person\n", TWIN_MODE)
        return True

    def content(self, host: FakeHost) -> bytes:
        return repr(sorted(self.everything(host).items())).encode()

    def foreign_bytes(self, host: FakeHost) -> bytes:
        kept = {
            path: file
            for path, file in self.everything(host).items()
            if path in SPARED or file == (b"written by a person\n", TWIN_MODE)
        }
        return repr(sorted(kept.items())).encode()

    def break_reading(self, host: FakeHost) -> None:
        host.denied |= {f"/srv/conf-{name}" for name in "abcd"}


class FilesOnDisk(Files):
    folder: ClassVar[Path]  # of the test class; a fresh one inside it for each host

    def host(self) -> FakeHost:
        return DiskHost(Path(tempfile.mkdtemp(dir=self.folder)))

    def put(self, host: FakeHost, path: str, data: bytes, mode: int) -> None:
        assert isinstance(host, DiskHost)
        host.disk.write(host.at(Path(path)), data, mode=mode)

    def everything(self, host: FakeHost) -> Mapping[str, tuple[bytes, int]]:
        assert isinstance(host, DiskHost)
        found = {f"/{path.relative_to(host.root)}": path for path in host.root.rglob("*") if path.is_file()}
        return {name: (path.read_bytes(), path.stat().st_mode & 0o7777) for name, path in found.items()}


class TestFile(ProviderConformance):
    harness = Files()


class TestFileOnDisk(ProviderConformance):
    row = "file (real files)"
    harness = FilesOnDisk()

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        FilesOnDisk.folder = tmp_path


def wanted(name: str = "a", content: str = "hello\n", **spec: Json) -> State:
    return files().canonical(file(name, content, **spec))


def review(host: FakeHost, before: State | None, after: State | None, *, action: Action | None = None) -> list[str]:
    provider = files()
    id_ = address("File/conf-a")
    facts = provider.observe(host, [Wanted(id_, after, before)]).facts
    changes = [change(str(id_), before, after, provider="file", action=action)]
    return [f.message for f in provider.review(facts, {} if after is None else {id_: after}, changes)]  # type: ignore[attr-defined]


def test_a_file_of_somebody_else_is_refused_and_shown_as_foreign() -> None:
    host = FakeHost(files={"/srv/conf-a": b"hello\n"})
    (seen,) = files().observe(host, [Wanted(address("File/conf-a"), wanted(), None)]).found
    assert seen.ownership is Ownership.FOREIGN
    assert review(host, None, wanted()) == ["/srv/conf-a is a file that is not ours"]


def test_a_link_in_the_place_of_a_file_is_refused_and_never_written_through() -> None:
    host = FakeHost()
    host.links.add("/srv/conf-a")
    assert review(host, None, wanted()) == ["/srv/conf-a is a link that is not ours"]
    create = change("File/conf-a", None, wanted(), provider="file")
    with pytest.raises(Conflict, match="no regular file"):
        files().apply(host, [create])
    assert host.links == {"/srv/conf-a"}


def test_a_file_of_ours_that_became_something_else_is_trouble() -> None:
    host = FakeHost()
    host.links.add("/srv/conf-a")
    (seen,) = files().observe(host, [Wanted(address("File/conf-a"), wanted(), wanted())]).found
    assert seen.trouble == "/srv/conf-a is no regular file any more but a link"


def test_a_file_without_a_folder_is_refused_before_anything_is_done() -> None:
    assert review(FakeHost(), None, wanted()) == ["the folder of /srv/conf-a does not exist"]


def test_a_file_cannot_move() -> None:
    host = FakeHost(files={"/srv/conf-a": b"hello\n"})
    assert review(host, wanted(), wanted("b")) == ["File/conf-a cannot move from /srv/conf-a to /srv/conf-b"]


def test_two_manifests_cannot_want_one_path() -> None:
    one, other = address("File/one"), address("File/other")
    found = files().review({}, {one: wanted(), other: wanted()}, [])  # type: ignore[attr-defined]
    assert [finding.message for finding in found] == ["File/one and File/other both want /srv/conf-a"]


def test_a_file_is_not_removed_where_another_manifest_took_it_over() -> None:
    gone = change("File/old", wanted(), None, provider="file")
    found = files().review({}, {address("File/new"): wanted()}, [gone])  # type: ignore[attr-defined]
    assert [f.message for f in found] == ["File/old would remove /srv/conf-a, which File/new wants"]


def test_an_undo_brings_content_mode_and_owner_back() -> None:
    host = FakeHost(files={"/srv/conf-a": b"\xfftheirs"})
    host.modes["/srv/conf-a"], host.owners["/srv/conf-a"] = 0o751, ("ada", "staff")
    first = wanted()
    (seen,) = files().observe(host, [Wanted(address("File/conf-a"), wanted(owner="root:wheel"), first)]).found
    update = change("File/conf-a", seen.state, wanted(owner="root:wheel"), provider="file", restore=seen.restore)
    files().apply(host, [update])
    assert (host.files["/srv/conf-a"], host.owners["/srv/conf-a"]) == (b"hello\n", ("root", "wheel"))
    files().apply(host, [update.inverse()])
    assert host.files["/srv/conf-a"] == b"\xfftheirs"
    assert (host.modes["/srv/conf-a"], host.owners["/srv/conf-a"]) == (0o751, ("ada", "staff"))


def test_without_a_word_about_it_the_owner_stays() -> None:
    host = FakeHost(files={"/srv/conf-a": b"old"})
    host.owners["/srv/conf-a"] = ("ada", "staff")
    (seen,) = files().observe(host, [Wanted(address("File/conf-a"), wanted(), wanted())]).found
    files().apply(host, [change("File/conf-a", seen.state, wanted(), provider="file", restore=seen.restore)])
    assert host.owners["/srv/conf-a"] == ("ada", "staff")


def test_an_owner_that_is_not_there_changes_nothing_on_a_real_disk(tmp_path: Path) -> None:
    place = tmp_path / "motd"
    spec: dict[str, Json] = {"path": str(place), "content": "x", "mode": "0644", "owner": "no-such-user"}
    state = files().canonical(resource("File/motd", **spec))
    with pytest.raises(ApplyError, match="no such account") as caught:
        files().apply(LocalHost(), [change("File/motd", None, state, provider="file")])
    assert caught.value.hint == "create it, or correct the manifest"
    assert list(tmp_path.iterdir()) == []


def test_the_plan_shows_a_digest_and_the_content() -> None:
    text = files().document(address("File/conf-a"), wanted(owner="root"))
    head, digest, content = text.partition("# digest ")
    assert head == "# /srv/conf-a\n# mode 0644, owner root\n"
    assert digest
    assert content.endswith("\nhello\n")


def test_a_source_is_read_beside_its_manifest_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "tree/files").mkdir(parents=True)
    (tmp_path / "tree/files/motd").write_bytes(b"\xff\0")
    (tmp_path / "secret").write_text("no")
    (tmp_path / "tree/out").symlink_to("../secret")

    def read(source: str) -> State:
        spec: dict[str, Json] = {"path": "/etc/motd", "source": source, "mode": "0644"}
        manifest = Source(str(tmp_path / "tree/a.yaml"), 1)
        return files().canonical(Resource(address("File/motd"), spec, manifest))

    assert read("files/motd").attributes["base64"] == "/wA="
    for source, words in (("out", "leads out"), ("none", "cannot read"), ("files", "not a regular file")):
        with pytest.raises(UnsupportedSpec, match=words):
            read(source)


def test_a_file_that_is_too_long_is_refused() -> None:
    with pytest.raises(UnsupportedSpec, match="more than"):
        wanted(content="x" * (2**20 + 1))


def test_content_may_hold_many_lines_and_no_nul() -> None:
    kind = loaded().kinds.spec_model("File")
    assert kind.spec_data({"path": "/etc/motd", "content": "new\nline2\n"})["content"] == "new\nline2\n"
    with pytest.raises(ValueError, match="NUL"):
        kind.spec_data({"path": "/etc/motd", "content": "a\0b"})
