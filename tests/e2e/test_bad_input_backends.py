"""An engine that is down, denied, failing or talking nonsense: a message for a tired person, nothing half-done.

A real engine behind a proxy that misbehaves; beside it stands a crontab line that has nothing to do with it.
"""

from __future__ import annotations

import socket as sockets
from pathlib import Path

import pytest

from tests.e2e.beside_engine import BOOM, Place
from tests.e2e.bystander import account_folder, as_account, told
from tests.e2e.proxy import Rule, answer

pytestmark = [pytest.mark.engines, pytest.mark.cron]

SPEECHLESS = answer("500 Internal Server Error", b"<html>", kind="text/html")
GARBAGE = bytes(range(128, 256)) * 3 + b"\r\n\r\n"
HALF = answer("200 OK", b'[{"Id":', length=5000)
READS = {
    "500": (BOOM, "the container engine failed at GET /containers/json: database is locked", "journalctl -u docker"),
    "500 without a reason": (SPEECHLESS, "it ends with status 500 and does not say why", "journalctl -u docker"),
    "garbage": (GARBAGE, "it is not HTTP", "DOCKER_HOST"),
    "nothing": (b"", "it is empty", "DOCKER_HOST"),
    "half an answer": (HALF, "it ends too early", "DOCKER_HOST"),
    "no JSON": (answer("200 OK", b"hello"), "what it says to GET /containers/json is not JSON", "DOCKER_HOST"),
    "another type": (answer("200 OK", b'{"a": 1}'), "its answer is not a list of objects", "DOCKER_HOST"),
    "wrong fields": (answer("200 OK", b'[{"Id": 5, "Names": "x", "State": {}}]'), "left out", "DOCKER_HOST"),
    "labels of another type": (
        answer("200 OK", b'[{"Id": "x", "Names": ["/x"], "State": "running", "Image": "i", "Labels": [1]}]'),
        "left out what it always says",
        "DOCKER_HOST",
    ),
    "a gigabyte": (answer("200 OK", b"[", length=10**9), "its answer is longer than 16777216 bytes", "DOCKER_HOST"),
    "a gigabyte that it does not announce": (
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 17 * 2**20,
        "its answer is longer than 16777216 bytes",
        "DOCKER_HOST",
    ),
}


@pytest.mark.parametrize("name", READS)
def test_an_engine_that_cannot_be_understood_stops_the_plan(place: Place, name: str) -> None:
    said, words, hint = READS[name]
    before = place.everything()
    place.proxy.rule = lambda _method, target: said if target.startswith("/containers/json") else None
    for command in (("plan", "desired"), ("apply", "desired", "--yes")):
        told(place.run(*command), 1, "cannot look at the containers", words, str(place.proxy.path), hint=hint)
        assert place.everything() == before


def test_an_engine_that_is_down_stops_the_plan(place: Place, tmp_path: Path) -> None:
    before = place.everything()
    dead, file = tmp_path / "dead.sock", tmp_path / "file"
    with sockets.socket(sockets.AF_UNIX) as gone:
        gone.bind(str(dead))
    file.write_text("")
    for path, words, hint in (
        (dead, "nobody answers there; the container engine does not run", "start the container engine"),
        (tmp_path / "none.sock", "there is no such socket", "start the container engine"),
        (file, "it is not a socket", "DOCKER_HOST"),
    ):
        place.reach(path)
        for command in (("plan", "desired"), ("apply", "desired", "--yes")):
            told(place.run(*command), 1, str(path), words, hint=hint)
    assert place.everything() == before


def test_a_socket_that_one_may_not_use_is_named_with_who_may(place: Place) -> None:
    before = place.everything()
    place.proxy.path.chmod(0o600)
    for command in (("plan", "desired"), ("apply", "desired", "--yes")):
        with account_folder(place.machine) as folder:
            done = as_account(place.machine, folder, *command)
        told(done, 1, str(place.proxy.path), "permission denied", hint="one of its group")
    assert place.everything() == before


WRITES = {
    "500": (BOOM, "the container engine failed at POST", "database is locked"),
    "garbage": (GARBAGE, "it is not HTTP", "POST"),
    "half an answer": (HALF, "ends too early", "POST"),
}


@pytest.mark.parametrize("request_", ["/containers/create", "/start", "/rename", "/stop"])
@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_fails_is_undone_with_all_that_came_with_it(place: Place, request_: str, name: str) -> None:
    said, *words = WRITES[name]
    before = place.everything()
    place.proxy.rule = once("POST", request_, said)
    done = place.apply()
    told(done, 7, f"cannot update Service/{place.name}", *words, f"container {place.name}", hint="")
    assert "The host is as it was before." in done.stderr
    assert place.everything() == before


def once(method: str, part: str, said: bytes) -> Rule:
    """The first such request fails, so that the way back is open."""
    left = [said]

    def rule(asked: str, target: str) -> bytes | None:
        return left.pop() if left and asked == method and part in target.partition("?")[0] else None

    return rule


@pytest.mark.parametrize(
    ("image", "pull", "hint"),
    [
        ("localhost/nowhere:9", "never", "load it into the engine"),
        ("127.0.0.1:1/nowhere:9", "missing", "why the engine does not get through to the registry"),
    ],
    ids=["never", "no-registry"],
)
def test_an_image_that_does_not_exist_is_named(place: Place, image: str, pull: str, hint: str) -> None:
    before = place.everything()
    place.web(image=image, pull=pull)
    told(place.apply(), 7, image, f"Service/{place.name}, container {place.name}", hint=hint)
    assert place.everything() == before


def test_a_port_taken_between_plan_and_apply_is_named_with_how_to_find_its_holder(place: Place) -> None:
    before = place.everything()
    with sockets.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        web = {"host": port, "target": 80, "address": "127.0.0.1"}
        place.web(networks=[], ports=[web])
        assert place.run("plan", "desired", "--out", "saved.json").returncode == 0
        taken.listen()
        done = place.run("apply", "saved.json", "--yes")
    told(done, 7, str(port), "in use", f"container {place.name}", hint="ss -ltnp")
    assert place.everything() == before


def test_a_container_removed_between_snapshot_and_write_is_left_so_and_said(place: Place) -> None:
    table = place.machine.table()
    place.proxy.rule = place.removing
    done = place.apply()
    assert done.returncode in (3, 7), done.stderr  # 7 where the line beside it was written first, and undone
    told(done, done.returncode, "somebody removed its container", f"container {place.name}", hint="docker ps --all")
    assert (place.machine.table(), place.containers()) == (table, [])
    place.proxy.rule = lambda _method, _target: None
    place.innocent("0 6 * * *")
    place.web()
    assert place.apply().returncode == 0
    assert place.machine.table() == table


def test_a_saved_plan_for_a_container_that_is_gone_is_stale(place: Place) -> None:
    table = place.machine.table()
    assert place.run("plan", "desired", "--out", "saved.json").returncode == 0
    place.clear()
    told(place.run("apply", "saved.json", "--yes"), 3, "something changed since", hint="reconcile plan")
    assert (place.machine.table(), place.containers()) == (table, [])
    place.innocent("0 6 * * *")
    place.web()
    assert place.apply().returncode == 0
