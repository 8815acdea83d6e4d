"""Where the engine is looked for: as the docker client does, then where others put theirs."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from reconciler.host.fake import FakeHost
from reconciler.model.errors import ObserveError
from reconciler.provider import Supported, Unsupported
from reconciler.providers.container.provider import Container
from reconciler.providers.container.sockets import find
from reconciler.testing.engine_api import EngineApi

META = f"/h/.docker/contexts/meta/{sha256(b'work').hexdigest()}/meta.json"
EVERY = [
    "/var/run/docker.sock",
    "/run/user/7/docker.sock",
    "/run/user/7/podman/podman.sock",
    "/run/podman/podman.sock",
    "/h/.docker/run/docker.sock",
    "/h/.colima/default/docker.sock",
]
ENVIRON = {"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/7"}


def context(address: str, name: str = "work") -> dict[str, bytes]:
    meta = {"Name": name, "Endpoints": {"docker": {"Host": address}}}
    return {"/h/.docker/config.json": b'{"currentContext": "work"}', META: json.dumps(meta).encode()}


def test_the_usual_sockets_are_tried_in_order() -> None:
    for index, path in enumerate(EVERY):
        host = FakeHost(services=dict.fromkeys(EVERY[index:], EngineApi()))
        assert find(host, ENVIRON) == Path(path)


def test_docker_host_comes_before_everything() -> None:
    host = FakeHost(services={EVERY[0]: EngineApi()}, files=context("unix:///ctx.sock"))
    assert find(host, {**ENVIRON, "DOCKER_HOST": "unix:///mine.sock"}) == Path("/mine.sock")


def test_the_chosen_context_comes_before_the_usual_sockets() -> None:
    host = FakeHost(services={EVERY[0]: EngineApi()}, files=context("unix:///ctx.sock"))
    assert find(host, ENVIRON) == Path("/ctx.sock")
    assert find(host, {**ENVIRON, "DOCKER_CONTEXT": "default"}) == Path(EVERY[0])
    moved = {path.replace("/h/.docker", "/cfg"): text for path, text in context("unix:///moved.sock").items()}
    assert find(FakeHost(files=moved), {"DOCKER_CONFIG": "/cfg"}) == Path("/moved.sock")


@pytest.mark.parametrize(
    ("environ", "files", "why"),
    [
        ({"DOCKER_HOST": "tcp://1.2.3.4:2375"}, {}, "DOCKER_HOST names tcp://1.2.3.4:2375, and only unix sockets"),
        ({"DOCKER_HOST": "ssh://a@b"}, {}, "DOCKER_HOST names ssh://a@b"),
        ({"DOCKER_HOST": "unix://relative"}, {}, "DOCKER_HOST names unix://relative"),
        (ENVIRON, context("ssh://a@b"), "the docker context work names ssh://a@b"),
        ({"HOME": "/h", "DOCKER_CONTEXT": "gone"}, {}, "the docker context gone is chosen, and it is not defined"),
        (ENVIRON, {"/h/.docker/config.json": b"{"}, "cannot read /h/.docker/config.json: it is not JSON"),
        ({}, {}, "there is no socket of a container engine"),
    ],
)
def test_what_cannot_be_used_says_why(environ: dict[str, str], files: dict[str, bytes], why: str) -> None:
    host = FakeHost(files=files)
    answer = Container(environ).probe(host)
    assert isinstance(answer, Unsupported)
    assert answer.why.startswith(why)
    with pytest.raises(ObserveError, match="cannot look at the containers"):
        Container(environ).observe(host, ())


def test_looking_for_a_socket_asks_no_engine() -> None:
    host = FakeHost(services={EVERY[0]: EngineApi()})
    assert Container(ENVIRON).probe(host) == Supported()
    assert [call.method for call in host.log if call.method == "request"] == []
