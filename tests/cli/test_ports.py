"""`reconcile ports`: the register beside what really listens, in words and as data."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator

import pytest

from reconciler.cli.ports import Row, text
from reconciler.host.protocol import Listener
from reconciler.model.port import Claim
from tests.cli.workplace import Workplace

PORT = """\
apiVersion: reconciler/v1
kind: Port
metadata: {{name: {name}}}
spec: {{port: {port}, protocol: {protocol}, owner: Automation/crm}}
"""


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def listed(workplace: Workplace) -> dict[str, list[dict[str, object]]]:
    ran = workplace.run("ports", "-o", "json")
    assert ran.code == 0, ran.err
    found: dict[str, list[dict[str, object]]] = json.loads(ran.out)
    return found


def test_a_claim_is_shown_with_who_listens(workplace: Workplace, server: socket.socket) -> None:
    number = server.getsockname()[1]
    workplace.manifest("crm")
    workplace.write("desired/port.yaml", PORT.format(name="http", port=number, protocol="tcp"))
    (claim,) = listed(workplace)["claims"]
    assert (claim["id"], claim["owner"], claim["applied"], claim["listening"]) == (
        "Port/http",
        "Automation/crm",
        False,
        True,
    )
    assert [one["pid"] for one in claim["listeners"]] == [os.getpid()]  # type: ignore[attr-defined]
    ran = workplace.run("ports")
    assert f"tcp {number}" in ran.out
    assert "Port/http (not applied yet)" in ran.out


def test_who_listens_without_being_registered_is_shown(workplace: Workplace, server: socket.socket) -> None:
    number = server.getsockname()[1]
    found = listed(workplace)
    assert found["claims"] == []
    assert number in [one["port"] for one in found["unregistered"]]
    ran = workplace.run("ports")
    assert "No port is registered." in ran.out
    assert f"tcp {number}" in ran.out.partition("Not registered")[2]


def test_a_claim_that_nobody_fills_is_shown(workplace: Workplace) -> None:
    workplace.manifest("crm")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    workplace.write("desired/port.yaml", PORT.format(name="dns", port=number, protocol="udp"))
    assert [claim["listening"] for claim in listed(workplace)["claims"]] == [False]
    assert "nobody" in workplace.run("ports").out


def test_nothing_changes_on_the_host(workplace: Workplace) -> None:
    workplace.manifest("crm")
    workplace.write("desired/port.yaml", PORT.format(name="http", port=3500, protocol="tcp"))
    workplace.run("ports")
    before = {name: data for name, data in workplace.files().items() if not name.startswith(str(workplace.cache))}
    workplace.run("ports")
    after = {name: data for name, data in workplace.files().items() if not name.startswith(str(workplace.cache))}
    assert after == before
    assert not (workplace.state / "journal.db").exists()


def test_the_name_of_a_program_cannot_forge_a_line() -> None:
    row = Row("Port/a", Claim("tcp", 1, ""), "Note/a", True, (Listener("tcp", 1, "::", 5, "x\n\x1b[31m"),), False)
    shown = text([row], [])
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2
    assert "(5)" in shown
