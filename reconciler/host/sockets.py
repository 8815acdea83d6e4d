"""Who listens on this machine, and whether a port can be taken: the kernel's own tables, and an attempt.

Reads and tries only: nothing here ever accepts a connection. Names of programs, never their arguments.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from reconciler.host.protocol import Listener
from reconciler.model.errors import HostError

_TABLES = {"tcp": b"0A", "tcp6": b"0A", "udp": b"07", "udp6": b"07"}  # LISTEN; UDP that is connected to nobody
_CAUSES = {
    errno.EADDRINUSE: "it is in use",
    errno.EACCES: "it may not be taken without the right",
    errno.EADDRNOTAVAIL: "that is not an address of this machine",
}


def listeners() -> tuple[Listener, ...]:
    """Every socket that waits for others, sorted; with its process where this user may know it."""
    platform: str = sys.platform
    return from_proc() if platform == "linux" else from_psutil()


def from_proc(proc: Path = Path("/proc")) -> tuple[Listener, ...]:
    """The same by reading Linux's /proc, all in one go: no program is run and no library loaded."""
    rows: list[tuple[str, str, int, bytes]] = []
    for name, state in _TABLES.items():
        rows += _rows(proc, name, state)
    holders = _holders(proc, {inode for *_, inode in rows})
    found = set()
    for protocol, address, port, inode in rows:
        pid = holders.get(inode)
        found.add(Listener(protocol, port, address, pid, None if pid is None else _program(proc, pid)))
    return ordered(found)


def ordered(found: Iterable[Listener]) -> tuple[Listener, ...]:
    return tuple(sorted(found, key=lambda one: (one.port, one.protocol, one.address, one.pid or 0)))


def _rows(proc: Path, name: str, state: bytes) -> Iterator[tuple[str, str, int, bytes]]:
    """Protocol, address, port and inode of each waiting socket of one table."""
    try:
        lines = (proc / "net" / name).read_bytes().splitlines()[1:]
    except FileNotFoundError as error:
        if name.endswith("6"):  # a kernel without IPv6
            return
        raise HostError(f"cannot list listening ports: there is no {proc}/net/{name}") from error
    except OSError as error:
        raise HostError(f"cannot list listening ports: {proc}/net/{name}: {error.strerror}") from error
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == state:
            address, _, port = fields[1].partition(b":")
            yield name[:3], _address(address), int(port, 16), fields[9]


def _address(text: bytes) -> str:
    """`0100007F` as 127.0.0.1: words of 32 bits in the machine's own byte order."""
    raw = bytes.fromhex(text.decode("ascii"))
    words = (raw[i : i + 4] for i in range(0, len(raw), 4))
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _holders(proc: Path, inodes: set[bytes]) -> dict[bytes, int]:
    """The first process that has each socket open; those of other users stay unknown unless we are root."""
    wanted = {f"socket:[{inode.decode('ascii')}]": inode for inode in inodes}
    found: dict[bytes, int] = {}
    try:
        ids = sorted(int(name) for name in os.listdir(proc) if name.isdigit())  # noqa: PTH208 - thousands of names
    except OSError as error:
        raise HostError(f"cannot list processes: {proc}: {error.strerror}") from error
    for pid in ids:
        if not wanted:
            break
        for link in _links(f"{proc}/{pid}/fd"):
            inode = wanted.pop(link, None)
            if inode is not None:
                found[inode] = pid
    return found


def _links(folder: str) -> Iterator[str]:
    """Where the open files of a process point; nothing where it is gone or somebody else's."""
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            with suppress(OSError):
                yield os.readlink(f"{folder}/{name}")  # noqa: PTH115


def _program(proc: Path, pid: int) -> str | None:
    try:
        return (proc / str(pid) / "comm").read_bytes().rstrip(b"\n").decode("utf-8", "replace")
    except OSError:
        return None


def from_psutil() -> tuple[Listener, ...]:
    """The same on any platform."""
    import psutil  # type: ignore[import-untyped,unused-ignore]

    try:
        rows = [(row, row.pid) for row in psutil.net_connections("inet")]
    except psutil.AccessDenied:  # macOS shows all of them to root only; one's own are better than none
        rows = _own()
    except (psutil.Error, OSError) as error:
        raise HostError(f"cannot list listening ports: {error}") from error
    found = set()
    for row, pid in rows:
        datagram = row.type == socket.SOCK_DGRAM
        if row.laddr and (row.status == psutil.CONN_LISTEN or (datagram and not row.raddr)):
            address = {"*": "0.0.0.0"}.get(row.laddr.ip, row.laddr.ip)  # noqa: S104 - compared, never bound
            name = None
            with suppress(psutil.Error):
                name = psutil.Process(pid).name() if pid else None
            found.add(Listener("udp" if datagram else "tcp", row.laddr.port, address, pid or None, name))
    return ordered(found)


def _own() -> list[tuple[Any, int]]:
    import psutil

    found: list[tuple[Any, int]] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            found += [(row, process.pid) for row in process.net_connections("inet")]
    return found


def can_bind(address: str, port: int, protocol: str) -> str | None:
    """Why nobody could listen there now, in words, or None. "" stands for every address of the machine."""
    if address:
        return _attempt(socket.AF_INET6 if ":" in address else socket.AF_INET, address, port, protocol)
    why = _attempt(socket.AF_INET, "", port, protocol)
    return why or (_attempt(socket.AF_INET6, "", port, protocol) if _has_ipv6() else None)


def _attempt(family: socket.AddressFamily, address: str, port: int, protocol: str) -> str | None:
    """Bind and let go, without listening: nobody can connect meanwhile."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM) as attempt:
            if protocol == "tcp":  # connections that ended a moment ago are in nobody's way
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                attempt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            attempt.bind((address, port))
    except OSError as error:
        return _CAUSES.get(error.errno or 0) or (error.strerror or str(error)).lower()
    return None


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as attempt:
            attempt.bind(("::1", 0))
    except OSError:
        return False
    return True
