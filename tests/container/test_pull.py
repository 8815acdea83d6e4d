"""How far a pull is: what is told, how often, and when it ends that gets nowhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.engine.rollout import Engine as Doing
from reconciler.host.fake import Call, FakeHost
from reconciler.journal.journal import Journal
from reconciler.model.data import Json
from reconciler.model.errors import ExitCode, Hindered, HostError
from reconciler.model.event import Event, EventType
from reconciler.providers.container.api import Engine, Refusal
from reconciler.providers.container.make import ensure_image
from reconciler.providers.container.provider import Container
from reconciler.providers.container.pull import Pull
from reconciler.providers.container.spec import canonical
from tests.container.world import SOCKET, engine_of, fake_host, service
from tests.engine.world import World


def stream(*lines: dict[str, Json]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\r\n" for line in lines)


def layer(id_: str, status: str, current: int | None = None, **more: Json) -> dict[str, Json]:
    detail: dict[str, Json] = {} if current is None else {"current": current, **more}
    return {"status": status, "progressDetail": detail, "id": id_}


def test_layers_and_bytes_are_told_at_most_twice_a_second() -> None:
    host = fake_host()
    engine_of(host).images.clear()
    host.pace = 0.1
    Engine(host, Path(SOCKET)).pull("app:1")
    assert host.said == [
        "pulling app:1",
        "pulling app:1, 0 of 1 layers, 2.0 MB fetched",
        "pulling app:1, 1 of 2 layers, 4.0 MB fetched, 2.0 MB unpacked",
        "pulling app:1, 2 of 2 layers, 4.0 MB fetched, 4.0 MB unpacked",
    ]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_stream_may_be_cut_anywhere(size: int) -> None:
    host = FakeHost()
    said = stream(
        {"status": "Pulling from library/app", "id": "1"},
        layer("a", "Already exists"),
        layer("b", "Downloading", 1_500_000, total=3_000_000),
        layer("b", "Extracting", 12, units="s"),
    )
    pull = Pull("app:1", host)
    for start in range(0, len(said), size):
        pull.feed(said[start : start + size])
    pull.end()
    assert host.said[-1] == "pulling app:1, 1 of 2 layers, 3.0 MB fetched, unpacking for 12s"
    assert pull.error is None


@pytest.mark.parametrize(
    "noise", [b"", b"not json\n", b"[]\n", b'{"id": 1}\n', b'{"status": [], "id": "a"}\n', b"\xff\n"]
)
def test_noise_in_the_stream_is_passed_over(noise: bytes) -> None:
    host = FakeHost()
    pull = Pull("app:1", host)
    pull.feed(noise)
    pull.end()
    assert host.said == ["pulling app:1"]


def test_the_error_at_the_end_counts_even_without_a_line_end() -> None:
    host = fake_host()
    engine_of(host).answer(
        "images/create", 200, stream(layer("a", "Downloading", 5)) + b'{"error": "no space\\nleft"}'
    )
    with pytest.raises(Refusal, match="cannot pull app:1: no space left"):
        Engine(host, Path(SOCKET)).pull("app:1")


def test_a_line_without_an_end_is_no_reason_to_keep_it_all() -> None:
    pull = Pull("app:1", FakeHost())
    pull.feed(b"x" * 2**20)
    with pytest.raises(HostError, match="a line without an end"):
        pull.feed(b"x")


class Containers(World):
    """Whole rollouts with the engine in memory."""

    def __init__(self, folder: Path) -> None:
        provider = Container({"DOCKER_HOST": f"unix://{SOCKET}", "HOME": "/root"})
        super().__init__(folder, host=fake_host(), providers={"container": provider})
        self.events: list[Event] = []
        engine_of(self.host).images.clear()

    def engine(self, journal: Journal) -> Doing:
        return replace(super().engine(journal), listener=self.events.append)


@pytest.fixture
def containers(tmp_path: Path) -> Containers:
    return Containers(tmp_path)


def test_a_pull_may_take_longer_than_a_step_while_it_gets_on(containers: Containers) -> None:
    containers.host.pace = 40.0  # seconds for each of 13 lines
    assert containers.apply(service("web")).code is ExitCode.DONE
    told = [event.message for event in containers.events if event.type is EventType.STEP_PROGRESS]
    assert told[-1] == "Service/web: pulling app:1, 2 of 2 layers, 4.0 MB fetched, 4.0 MB unpacked"
    assert containers.host.time.monotonic() > 400


def test_a_pull_that_says_nothing_ends(containers: Containers) -> None:
    containers.host.pace = 130.0
    outcome = containers.apply(service("web"))
    assert outcome.code is ExitCode.ROLLED_BACK
    assert "cannot get the image app:1" in outcome.message
    assert "nothing came for 120 s" in outcome.message
    assert containers.host.time.monotonic() < 200


def test_a_pull_that_talks_and_gets_nowhere_ends(containers: Containers) -> None:
    same = stream(*[layer("a", "Downloading", 1000)] * 100)
    engine_of(containers.host).answer("images/create", 200, same)
    containers.host.pace = 10.0
    outcome = containers.apply(service("web"))
    assert outcome.code is ExitCode.ROLLED_BACK
    assert "the time for this step is used up" in outcome.message
    assert containers.host.time.monotonic() < 200


def test_a_pull_that_never_ends_ends_after_half_an_hour(containers: Containers) -> None:
    steady = stream(*[layer("a", "Downloading", count * 1_000_000) for count in range(1000)])
    engine_of(containers.host).answer("images/create", 200, steady)
    containers.host.pace = 10.0
    assert containers.apply(service("web")).code is ExitCode.ROLLED_BACK
    assert 1700 < containers.host.time.monotonic() < 1900


def test_a_signal_ends_a_pull_and_blames_nobody(containers: Containers) -> None:
    def pulled(call: Call) -> None:
        if "images/create" in call.target:
            containers.signals = 1

    containers.host.on_call(pulled)
    outcome = containers.apply(service("web"))
    assert (outcome.code, outcome.message) == (ExitCode.ROLLED_BACK, "stopped by SIGTERM")
    with containers.journal() as journal:
        assert journal.quarantine() == ()
    assert engine_of(containers.host).containers == {}


def test_an_engine_that_refuses_a_pull_is_heard(containers: Containers) -> None:
    engine_of(containers.host).answer("images/create", 500, b'{"message": "toomanyrequests"}')
    assert "toomanyrequests" in containers.apply(service("web")).message


@pytest.mark.parametrize(
    ("status", "said", "blamed"),
    [
        (500, 'Get "http://localhost/v2/": dial tcp 127.0.0.1:80: connect: connection refused', False),
        (200, "pinging container registry a.b: dial tcp: lookup a.b on 10.0.0.1:53: no such host", False),
        (500, "net/http: request canceled while waiting for connection (Client.Timeout exceeded)", False),
        (500, "received unexpected HTTP status: 503 Service Unavailable", False),
        (500, "toomanyrequests: You have reached your pull rate limit", False),
        (404, "pull access denied for app, repository does not exist", True),
        (200, "reading manifest 1 in a.b/app: manifest unknown", True),
    ],
)
def test_only_an_image_that_the_registry_does_not_have_is_the_manifests_fault(
    containers: Containers, status: int, said: str, blamed: bool
) -> None:
    key = "error" if status == 200 else "message"
    engine_of(containers.host).answer("images/create", status, json.dumps({key: said}).encode())
    outcome = containers.apply(service("web"))
    assert (outcome.code, said in outcome.message) == (ExitCode.ROLLED_BACK, True)
    with containers.journal() as journal:
        assert bool(journal.quarantine()) == blamed


def test_a_pull_that_the_engine_never_ends_blames_nobody(containers: Containers) -> None:
    containers.host.pace = 130.0
    containers.apply(service("web"))
    with containers.journal() as journal:
        assert journal.quarantine() == ()


def test_a_real_engine_that_reaches_no_registry_hinders(engine: Engine) -> None:
    nowhere = canonical(service("web", image="127.0.0.1:9/rt-nope:1"))
    with pytest.raises(Hindered, match=r"cannot get the image 127\.0\.0\.1:9/rt-nope:1: .*connection refused"):
        ensure_image(engine, nowhere)
