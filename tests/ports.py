"""Ports for tests to listen on, each free now and no other test process's, until it has ended.

All are below those that the system gives to outgoing connections. A block of them belongs to the process that keeps
the first of it bound: workers of one run and runs beside each other never choose from the same block.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle, islice

BLOCKS = range(20000, 32600, 100)


@cache
def _block() -> tuple[socket.socket, Iterator[int]]:
    """What keeps a block, and its ports: one after the other, so that a port rests before it is used again."""
    for first in BLOCKS:
        kept = socket.socket()
        try:
            kept.bind(("", first))
        except OSError:
            kept.close()
            continue
        return kept, cycle(range(first + 1, first + BLOCKS.step))
    raise AssertionError("no block of ports is free")


def free_port() -> int:
    _, ports = _block()
    for port in islice(ports, BLOCKS.step):
        with suppress(OSError), socket.socket() as tried:
            tried.bind(("", port))
            return port
    raise AssertionError("no port is free")
