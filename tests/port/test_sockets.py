"""The real tables of this machine, and tables as other machines have them."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.host.local import LocalHost
from reconciler.host.protocol import Listener
from reconciler.host.readonly import ReadOnlyHost
from reconciler.host.sockets import from_proc, from_psutil
from reconciler.model.errors import HostError

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LOCAL = "0100007F" if sys.byteorder == "little" else "7F000001"


def line(address: str, state: str, inode: int) -> str:
    return f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n"


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def mine(found: tuple[Listener, ...], protocol: str, port: int) -> list[Listener]:
    return [one for one in found if (one.protocol, one.port) == (protocol, port)]


def test_a_listener_is_seen_with_its_process(server: socket.socket) -> None:
    port = server.getsockname()[1]
    (found,) = mine(ReadOnlyHost(LocalHost()).listeners(), "tcp", port)
    assert (found.address, found.pid) == ("127.0.0.1", os.getpid())
    assert found.program


@pytest.mark.skipif(sys.platform != "linux", reason="two ways to look exist on Linux only")
def test_both_ways_to_look_agree(server: socket.socket) -> None:
    port = server.getsockname()[1]
    assert mine(from_proc(), "tcp", port) == mine(from_psutil(), "tcp", port)


def test_udp_and_ipv6_are_seen() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as six,
    ):
        datagrams.bind(("127.0.0.1", 0))
        try:
            six.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        six.listen()
        found = LocalHost().listeners()
        assert [one.address for one in mine(found, "udp", datagrams.getsockname()[1])] == ["127.0.0.1"]
        assert [one.address for one in mine(found, "tcp", six.getsockname()[1])] == ["::1"]


def test_what_is_taken_cannot_be_bound(server: socket.socket) -> None:
    port = server.getsockname()[1]
    host = ReadOnlyHost(LocalHost())
    assert host.can_bind("127.0.0.1", port, "tcp") == "it is in use"
    assert host.can_bind("", port, "tcp") == "it is in use"
    server.close()
    assert host.can_bind("", port, "tcp") is None
    assert host.can_bind("192.0.2.1", port, "udp") == "that is not an address of this machine"


def test_trying_leaves_nothing_behind() -> None:
    host = LocalHost()
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    assert host.can_bind("", port, "tcp") is None
    assert mine(host.listeners(), "tcp", port) == []
    assert host.can_bind("", port, "tcp") is None


def test_a_table_is_read_as_the_kernel_writes_it(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    rows = line(f"{LOCAL}:0DAC", "0A", 77) + line(f"{LOCAL}:0DAD", "01", 78)
    (tmp_path / "net/tcp").write_text(HEAD + rows)
    (tmp_path / "net/udp").write_text(HEAD + line("00000000:0035", "07", 79))
    process = tmp_path / "812/fd"
    process.mkdir(parents=True)
    (process / "3").symlink_to("socket:[77]")
    (tmp_path / "812/comm").write_text("crm\n")
    assert from_proc(tmp_path) == (Listener("udp", 53, "0.0.0.0"), Listener("tcp", 3500, "127.0.0.1", 812, "crm"))


def test_a_machine_without_tables_is_an_error_and_not_a_machine_without_listeners(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot list listening ports"):
        from_proc(tmp_path)
