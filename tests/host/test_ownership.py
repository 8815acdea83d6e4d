"""What a path is and whom it belongs to, and files written for others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.host.deadline import DeadlineHost
from reconciler.host.fake import FakeHost
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Host, Listener
from reconciler.host.readonly import ReadOnlyHost
from reconciler.host.system import group_name, user_name
from reconciler.model.errors import HostError

OWN = user_name(os.geteuid())


def test_the_status_of_a_path_does_not_follow_links(tmp_path: Path) -> None:
    host = LocalHost()
    file = tmp_path / "file"
    host.write(file, b"x", mode=0o640)
    (tmp_path / "link").symlink_to(file)
    found = host.status(file)
    assert found is not None
    assert (found.type, found.mode, found.owner) == ("file", 0o640, OWN)
    kinds = [host.status(path) for path in (tmp_path, tmp_path / "link", Path("/dev/null"))]
    assert [status.type for status in kinds if status] == ["folder", "link", "other"]
    assert host.status(tmp_path / "none") is None
    assert host.status(file / "inside") is None


def test_a_file_can_be_written_for_its_owner(tmp_path: Path) -> None:
    host, file = LocalHost(), tmp_path / "file"
    group = group_name(os.getegid())
    host.write(file, b"x", mode=0o4755, owner=OWN, group=group)
    assert (file.stat().st_uid, file.stat().st_gid) == (os.geteuid(), os.getegid())
    assert file.stat().st_mode & 0o7777 == 0o4755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_may_give_a_file_away_by_name_or_number(tmp_path: Path) -> None:
    host, file = LocalHost(), tmp_path / "file"
    host.write(file, b"x", owner="nobody", group="54321")
    status = host.status(file)
    assert status is not None
    assert (status.owner, status.group) == ("nobody", "54321")


@pytest.mark.parametrize("who", [{"owner": "no-such-user"}, {"group": "no-such-group"}])
def test_a_file_for_nobody_is_refused_and_the_old_one_stays(tmp_path: Path, who: dict[str, str]) -> None:
    host, file = LocalHost(), tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(HostError, match="there is no such"):
        host.write(file, b"new", **who)  # type: ignore[arg-type]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_wrapped_hosts_pass_the_new_looks_through() -> None:
    inner = FakeHost(files={"/etc/a": b"x"})
    inner.sockets.append(Listener("tcp", 80, "::", 5, "web"))
    wrapped: tuple[Host, ...] = (ReadOnlyHost(inner), DeadlineHost(inner, 100.0))
    for host in wrapped:
        assert host.status(Path("/etc/a")) == inner.status(Path("/etc/a"))
        assert host.listeners() == (Listener("tcp", 80, "::", 5, "web"),)
        assert (host.can_bind("127.0.0.1", 80, "tcp"), host.can_bind("", 81, "tcp")) == ("it is in use", None)
    DeadlineHost(inner, 100.0).write(Path("/etc/b"), b"x", owner="ada", group="staff")
    assert inner.owners["/etc/b"] == ("ada", "staff")
