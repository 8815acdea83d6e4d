"""The tcp and file probes."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from reconciler.health.check import check
from reconciler.host.fake import FakeHost
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Completed, Host
from reconciler.model.resource import Probe

MINUTE = 60


def tcp(host: Host | None = None, timeout: float = 20, **options: Any) -> str | None:
    return check(Probe("tcp", options), host or LocalHost(), timeout=timeout)


def file(path: Path | str, host: Host | None = None, **options: Any) -> str | None:
    return check(Probe("file", {"path": str(path), "exists": True, **options}), host or LocalHost(), timeout=20)


def test_an_open_port_passes_and_a_closed_one_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert tcp(address="127.0.0.1", port=port, within=2) is None
    assert tcp(address="127.0.0.1", port=port) == f"cannot connect to 127.0.0.1:{port}: connection refused"


def test_the_shorter_limit_of_the_two_counts() -> None:
    class Slow(FakeHost):
        limits: list[float] = []

        def connect(self, address: str, port: int, *, timeout: float) -> None:
            self.limits.append(timeout)

    host = Slow()
    tcp(host, 3, address="x", port=1, within=9)
    tcp(host, 30, address="x", port=1, within=9)
    tcp(host, 30, address="x", port=1)
    assert host.limits == [3, 9, 2]


def test_a_file_that_is_there_passes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello\nworld\n")
    assert file(tmp_path / "a") is None
    assert file(tmp_path) is None
    assert file(tmp_path / "a", maxAge=MINUTE, minSize=12, matches="^world$") is None
    assert file(tmp_path / "none", exists=False) is None


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a").touch()
    assert file("~/a") is None
    assert str(file("~no-such-user-here/a")).startswith("cannot find ~no-such-user-here/a")


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert file(path) == f"{path} should exist, but there is no such file"
    path.write_bytes(b"hello")
    assert file(path, exists=False) == f"{path} should be absent, but it exists"
    assert file(path, minSize=6) == f"{path} should have at least 6 bytes, but has 5"
    assert file(path, matches="x") == f"the content of {path} does not match /x/: found `hello`"
    os.utime(path, (0, time.time() - 3600))
    assert file(path, maxAge=MINUTE) == f"{path} should have changed within 1m, but last did 1h ago"


def test_sizes_around_the_limit_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    assert [file(path, minSize=size) is None for size in (0, 1, 99, 100, 101)] == [True, True, True, True, False]


def test_a_large_size_is_measured_without_reading(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as large:
        large.truncate(5 * 2**30)
    start = time.monotonic()
    assert file(path, minSize=5 * 2**30) is None
    assert file(path, minSize=10) is None
    assert "has less" in str(file(path, minSize=5 * 2**30 + 1))
    assert time.monotonic() - start < 2
    assert "too long" in str(file(path, matches="x")) or "longer than" in str(file(path, matches="x"))


def test_what_cannot_be_read_is_a_failure_and_not_absence() -> None:
    host = FakeHost(files={"/a": b"x"})
    host.denied.add("/a")
    assert file("/a", host, matches="x") == "cannot read /a: permission denied"
    host.fail_at(1, "the disk is gone")
    assert "the disk is gone" in str(file("/a", host, exists=False))


def test_a_file_that_goes_away_while_we_look_is_a_failure() -> None:
    host = FakeHost(files={"/a": b"x"})
    host.on_call(lambda call: host.files.pop("/a", None) if call.method == "read" else None)
    assert "has 0" in str(file("/a", host, minSize=1))


def test_time_comes_from_the_host() -> None:
    host = FakeHost(files={"/a": b"x"})
    host.write(Path("/a"), b"y")
    host.time.advance(59)
    assert file("/a", host, maxAge=MINUTE) is None
    host.time.advance(2)
    assert file("/a", host, maxAge=MINUTE) == "/a should have changed within 1m, but last did 1m 1s ago"


def test_a_search_through_binary_content_passes_no_escape_codes_on() -> None:
    host = FakeHost(files={"/a": b"\x1b[31m\xff\0" * 1000})
    assert str(file("/a", host, matches="none")).isprintable()


def test_an_exec_probe_can_be_answered_by_a_fake_host() -> None:
    host = FakeHost(programs={"ok": lambda _argv, _stdin: Completed(0, b"fine", b"")})
    assert check(Probe("exec", {"command": ["ok"], "matches": "fine"}), host, timeout=1) is None
