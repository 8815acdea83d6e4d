"""Claims on this very machine, by the command line: a real listener, a real journal, and a plan made elsewhere."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from subprocess import PIPE

import pytest

from tests.cli.conftest import workplace  # noqa: F401 - a fixture
from tests.cli.workplace import Workplace
from tests.plugins.loading import ROOT

OWNER = """\
apiVersion: reconciler/v1
kind: File
metadata: {{name: {name}}}
spec: {{path: {folder}/{name}, content: x}}
"""
PORT = """\
apiVersion: reconciler/v1
kind: Port
metadata: {{name: {name}}}
spec: {{port: {port}, address: 127.0.0.1, owner: File/{owner}, verify: {{within: 1s}}}}
"""


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


@pytest.fixture
def place(workplace: Workplace) -> Workplace:  # noqa: F811
    """The owners are files, so that the tests themselves decide who listens."""
    shutil.copytree(
        ROOT / "plugins/file", workplace.folder / "plugins/file", ignore=shutil.ignore_patterns("__pycache__")
    )
    workplace.write("reconciler.yaml", "plugins: [file]\n")
    for name in ("one", "two"):
        workplace.write(f"desired/{name}.yaml", OWNER.format(name=name, folder=workplace.folder))
    return workplace


def claim(place: Workplace, server: socket.socket, name: str = "http", owner: str = "one") -> None:
    port = server.getsockname()[1]
    place.write(f"desired/{name}.yaml", PORT.format(name=name, port=port, owner=owner))


def test_a_port_that_somebody_holds_is_refused_until_its_owner_stands(
    place: Workplace, server: socket.socket
) -> None:
    claim(place, server)
    refused = place.run("apply", "--yes")
    assert refused.code == 5
    assert "File/one does not stand on this host yet" in refused.out + refused.err
    assert place.run("apply", "--yes", "--target", "File/one").code == 0
    assert place.run("apply", "--yes").code == 0
    assert place.run("plan", "--detailed-exitcode").code == 0


def test_an_owner_that_does_not_listen_ends_in_a_rollback(place: Workplace, server: socket.socket) -> None:
    claim(place, server)
    server.close()
    ran = place.run("apply", "--yes")
    assert ran.code == 7, ran.out + ran.err
    assert "File/one does not listen on tcp port" in ran.out + ran.err
    assert not (place.folder / "one").exists()
    assert place.run("ports", "-o", "json").out.count('"applied": true') == 0


def test_a_plan_against_a_snapshot_knows_who_listens_there(place: Workplace, server: socket.socket) -> None:
    claim(place, server)
    assert place.run("snapshot", "--out", "host.json").code == 0
    here = place.run("plan", "-o", "json")
    server.close()
    there = place.run("plan", "--against", "host.json", "-o", "json")
    assert "does not stand on this host yet" in there.out
    assert there.out == here.out
    listeners = json.loads((place.folder / "host.json").read_text())["snapshot"]["facts"]["port"]["listeners"]
    assert listeners
    assert {key for one in listeners for key in one} <= {"protocol", "port", "address", "program"}


def test_two_owners_of_one_port_stop_the_plan(place: Workplace, server: socket.socket) -> None:
    claim(place, server)
    claim(place, server, "other", "two")
    server.close()
    ran = place.run("plan")
    assert "only one can have it" in ran.out


def test_a_claim_stays_where_another_process_holds_the_port_that_it_moves_to(
    place: Workplace, server: socket.socket
) -> None:
    claim(place, server)
    place.run("apply", "--yes", "--target", "File/one")
    assert place.run("apply", "--yes").code == 0
    script = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdin
        assert other.stdout
        port = int(other.stdout.readline())
        place.write("desired/http.yaml", PORT.format(name="http", port=port, owner="one"))
        refused = place.run("apply", "--yes")
        other.stdin.close()
    assert refused.code == 5
    assert f"File/one cannot move from tcp port {server.getsockname()[1]} of 127.0.0.1" in refused.out + refused.err
