"""HTTP over a Unix socket: whatever the other side does, a whole answer or a clear error, in time."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.host.deadline import DeadlineHost
from reconciler.host.fake import FakeHost
from reconciler.host.limits import NoService
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Response
from reconciler.host.readonly import ReadOnlyHost
from reconciler.model.errors import CommandTimeout, HostError

Talk = Callable[[socket.socket, bytes], None]


class Server:
    """A socket where each connection gets the same treatment; what was received is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.received: list[bytes] = []
        self.talk: Talk = lambda connection, _: connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.received.append(connection.recv(65536))
                try:
                    self.talk(connection, self.received[-1])
                except OSError:
                    continue

    def say(self, *parts: bytes, pause: float = 0.0) -> None:
        def talk(connection: socket.socket, _: bytes) -> None:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)

        self.talk = talk

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.thread.join(5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "s")
    yield found
    found.close()


def get(server: Server, *, timeout: float = 5, limit: int = 1000) -> Response:
    return LocalHost().request(server.path, "GET", "/x?y=1", timeout=timeout, limit=limit)


def test_a_request_is_sent_whole_and_its_answer_read_by_length(server: Server) -> None:
    server.say(b"HTTP/1.1 201 Created\r\nX-Some: Thing\r\nContent-Length: 5\r\n\r\nhello and more")
    answer = LocalHost().request(server.path, "POST", "/a", body=b'{"b":1}', timeout=5)
    assert answer == Response(201, {"x-some": "Thing", "content-length": "5"}, b"hello")
    head, _, body = server.received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a HTTP/1.1\r\n")
    assert b"Content-Length: 7" in head
    assert body == b'{"b":1}'


def test_chunks_are_joined_wherever_they_are_cut(server: Server) -> None:
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\nB\r\npedia in\r\n\r\r\n0\r\n\r\n"
    server.say(*(whole[i : i + 1] for i in range(len(whole))))
    assert get(server).body == b"Wikipedia in\r\n\r"


def test_a_body_without_a_length_ends_with_the_connection(server: Server) -> None:
    server.say(b"HTTP/1.0 200 OK\r\n\r\n", b"until", b" the end")
    assert get(server).body == b"until the end"


def test_a_head_is_answered_without_a_body(server: Server) -> None:
    server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
    assert LocalHost().request(server.path, "HEAD", "/", timeout=5).body == b""


def test_an_interim_answer_is_passed_over(server: Server) -> None:
    server.say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
    assert get(server).status == 200


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (b"", "it is empty"),
        (b"HTTP/1.1 200 OK\r\nContent-Len", "it ends too early"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "it ends too early"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "it ends too early"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", "a chunk has no size"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nab", "a chunk has no size"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", "a chunk is longer than it says"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "its length is not a number"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header line has no colon"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "it is not HTTP"),
        (b"HTTP/1.1 twohundred\r\n\r\n", "it is not HTTP"),
        (b"\xff" * 100_000, "no end of its head"),
    ],
)
def test_a_broken_answer_says_what_is_wrong_with_it(server: Server, said: bytes, cause: str) -> None:
    server.say(said)
    with pytest.raises(HostError, match=cause):
        get(server)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000,
    ],
)
def test_an_answer_longer_than_the_limit_is_given_up(server: Server, said: bytes) -> None:
    server.say(said)
    with pytest.raises(HostError, match="longer than 1000 bytes"):
        get(server)


def test_silence_ends_with_the_time_given(server: Server) -> None:
    server.say(pause=0.0)
    server.talk = lambda connection, _: time.sleep(0.5)
    started = time.monotonic()
    with pytest.raises(CommandTimeout, match=r"no whole answer within 0\.1 s"):
        get(server, timeout=0.1)
    assert time.monotonic() - started < 0.4


def test_one_byte_at_a_time_does_not_stretch_the_time_given(server: Server) -> None:
    server.say(*[b"H"] * 30, pause=0.02)
    with pytest.raises(CommandTimeout):
        get(server, timeout=0.1)


def test_an_answer_that_comes_before_the_request_was_read_is_heard(server: Server) -> None:
    server.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    answer = LocalHost().request(server.path, "POST", "/a", body=b"x" * 4_000_000, timeout=5)
    assert answer.status == 413


def test_a_missing_socket_and_a_dead_one_are_told_from_other_trouble(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "dead"))
    dead.close()
    for name, cause in (("none", "there is no such socket"), ("dead", "nobody answers there")):
        with pytest.raises(NoService, match=cause):
            LocalHost().request(tmp_path / name, "GET", "/", timeout=1)


def test_a_path_too_long_for_a_socket_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="too long"):
        LocalHost().request(tmp_path / ("x" * 200), "GET", "/", timeout=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every socket; the next test is for root")
def test_a_socket_of_others_says_permission_denied(server: Server) -> None:
    server.path.chmod(0)
    with pytest.raises(HostError, match="permission denied"):
        get(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_socket_of_others_says_permission_denied_to_who_was_root(server: Server) -> None:
    server.path.chmod(0)
    try:
        os.seteuid(65534)
        with pytest.raises(HostError, match="permission denied") as caught:
            get(server)
    finally:
        os.seteuid(0)
    assert caught.value.hint is not None or "denied" in caught.value.message


@pytest.mark.parametrize("target", ["x", "/a b", "/a\r\nHost: evil", "/ü"])
def test_a_target_cannot_smuggle_a_header(server: Server, target: str) -> None:
    with pytest.raises(HostError, match="not a request target"):
        LocalHost().request(server.path, "GET", target, timeout=1)
    assert server.received == []


def test_only_reading_methods_pass_a_read_only_host() -> None:
    inner = FakeHost(services={"/s": lambda method, *_: Response(200, {}, method.encode())})
    host = ReadOnlyHost(inner)
    for method in ("GET", "HEAD"):
        assert host.request(Path("/s"), method, "/", timeout=1).body == method.encode()
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        with pytest.raises(HostError, match=f"cannot {method} /x: this host is read-only"):
            host.request(Path("/s"), method, "/x", timeout=1)
    inner.request(Path("/s"), "POST", "/x", timeout=1)
    assert [(call.target, call.writes) for call in inner.log] == [
        ("GET /", False),
        ("HEAD /", False),
        ("POST /x", True),
    ]


def test_a_fake_host_refuses_what_a_real_one_would() -> None:
    host = FakeHost(services={"/s": lambda *_: Response(200, {}, b"12345")})
    with pytest.raises(NoService, match="no such socket"):
        host.request(Path("/none"), "GET", "/", timeout=1)
    with pytest.raises(HostError, match="longer than 4 bytes"):
        host.request(Path("/s"), "GET", "/", timeout=1, limit=4)
    host.denied.add("/s")
    with pytest.raises(HostError, match="permission denied"):
        host.request(Path("/s"), "GET", "/", timeout=1)


def test_a_deadline_holds_for_requests(server: Server) -> None:
    server.talk = lambda connection, _: time.sleep(0.5)
    local = LocalHost()
    with pytest.raises(CommandTimeout):
        DeadlineHost(local, local.clock.monotonic() + 0.1).request(server.path, "GET", "/", timeout=60)
    with pytest.raises(CommandTimeout, match="used up"):
        DeadlineHost(local, local.clock.monotonic() - 1).request(server.path, "GET", "/", timeout=60)


def test_an_answer_is_handed_over_as_it_comes(server: Server) -> None:
    """Each part renews the time: the whole takes longer than the timeout."""
    chunks = [b"3\r\nabc\r\n", b"2\r\nde\r\n", b"1\r\nf\r\n", b"0\r\n\r\n"]
    server.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *chunks, pause=0.2)
    parts: list[tuple[bytes, float]] = []
    began = time.monotonic()

    def take(part: bytes) -> None:
        parts.append((part, time.monotonic() - began))

    answer = LocalHost().request(server.path, "POST", "/x", timeout=0.5, limit=3, each=take)
    assert (answer.status, answer.body) == (200, b"")
    assert [part for part, _ in parts] == [b"abc", b"de", b"f"]
    assert parts[2][1] - parts[0][1] > 0.3
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\nsome", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsome"]
)
def test_whatever_frames_an_answer_it_can_be_handed_over(server: Server, head: bytes) -> None:
    server.say(head)
    parts: list[bytes] = []
    LocalHost().request(server.path, "POST", "/x", timeout=5, each=parts.append)
    assert b"".join(parts) == b"some"


def test_an_answer_that_stops_coming_ends_in_time(server: Server) -> None:
    server.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", pause=3)
    began = time.monotonic()
    with pytest.raises(CommandTimeout, match=r"nothing more came within 0\.3 s"):
        LocalHost().request(server.path, "POST", "/x", timeout=0.3, each=lambda _: None)
    assert time.monotonic() - began < 1.5


def test_a_part_longer_than_the_limit_is_refused(server: Server) -> None:
    server.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n")
    with pytest.raises(HostError, match="longer than 8 bytes"):
        LocalHost().request(server.path, "POST", "/x", timeout=5, limit=8, each=lambda _: None)


def test_a_refusal_is_a_whole_answer(server: Server) -> None:
    server.say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")
    parts: list[bytes] = []
    answer = LocalHost().request(server.path, "POST", "/x", timeout=5, each=parts.append)
    assert (answer.status, answer.body, parts) == (404, b"gone", [])


def test_a_step_hears_nobody_out_once_its_time_is_over_or_it_is_to_stop(server: Server) -> None:
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    local = LocalHost()
    for end, cause in ((0.3, "the time for this step is used up"), (60.0, "stopped by SIGTERM")):
        server.say(whole, *[b"1\r\nx\r\n"] * 20, pause=0.1)
        stopping = (lambda: "SIGTERM") if end == 60.0 else lambda: None
        host = DeadlineHost(local, local.clock.monotonic() + end, stopping=stopping)
        with pytest.raises(HostError, match=cause):
            host.request(server.path, "POST", "/x", timeout=60, each=lambda _: None)


def test_a_look_is_given_up_sooner_and_says_what_it_waits_for(server: Server) -> None:
    told: list[str] = []
    looking = ReadOnlyHost(LocalHost(), told.append, patience=0.4, silence=0.1)
    server.talk = lambda _connection, _request: time.sleep(1)
    with pytest.raises(CommandTimeout, match=r"within 0\.4 s"):
        looking.request(server.path, "GET", "/x", timeout=30)
    assert told == [f"waiting for {server.path} to answer, for at most 0.4 s"]


def test_a_look_that_is_answered_says_nothing(server: Server) -> None:
    told: list[str] = []
    looking = ReadOnlyHost(LocalHost(), told.append, silence=0.2)
    assert looking.request(server.path, "GET", "/x", timeout=30).status == 204
    time.sleep(0.3)
    assert told == []
