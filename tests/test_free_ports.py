"""Ports that tests listen on: no two test processes choose the same, and none is used twice in a row."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.ports import BLOCKS, free_port

ELSEWHERE = "from tests.ports import free_port\nprint([free_port() for _ in range(200)], flush=True)\ninput()"


def test_a_free_port_rests_before_it_is_given_again() -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
    assert all(BLOCKS.start < port < 32768 for port in ports)


def test_one_that_is_used_is_passed_over() -> None:
    with socket.socket() as used:
        used.bind(("127.0.0.1", free_port()))
        assert used.getsockname()[1] not in {free_port() for _ in range(2 * BLOCKS.step)}


def test_processes_beside_each_other_never_choose_the_same() -> None:
    command, root = [sys.executable, "-c", ELSEWHERE], Path(__file__).parents[1]
    others = [
        subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    chosen = [{free_port() for _ in range(200)}]
    for other in others:
        assert other.stdout is not None
        chosen.append(set(map(int, other.stdout.readline().strip("[]\n").split(","))))
    for other in others:
        other.communicate("\n")
    assert len(set.union(*chosen)) == sum(map(len, chosen))
