"""The http probe against real servers, good and bad."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from reconciler.health.check import check
from reconciler.host.fake import FakeHost
from reconciler.model.resource import Probe

pytestmark = pytest.mark.usefixtures("no_proxy")


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxy settings that would break every request, if they were obeyed."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        pages: dict[str, tuple[int, bytes]] = {
            "/": (200, b"all is well"),
            "/json": (200, b'{"db": {"state": "up", "n": 1, "on": true, "list": [{"x": null}]}, "a.b": 2}'),
            "/echo": (200, json.dumps([self.command, dict(self.headers)]).encode()),
            "/error": (500, b"no database\n\x1b[31m"),
            "/binary": (200, bytes(range(256))),
            "/deep": (200, b"[" * 200_000),
            "/large": (200, b"x" * 2**21),
        }
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status, body = pages.get(self.path, (404, b"nothing here"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up early is what these tests are about."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with Quiet(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def raw(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does as it likes with its one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    answer(connection)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join(10)
        assert not thread.is_alive()


def ask(url: str, *, timeout: float = 20, **options: Any) -> str | None:
    return check(Probe("http", {"url": url, **options}), FakeHost(), timeout=timeout)


def test_a_good_answer_passes_and_proxies_are_ignored(site: str) -> None:
    assert ask(site) is None
    assert ask(site.replace("127.0.0.1", "localhost")) is None
    assert ask(f"{site}/error", status=500) is None
    assert ask(site, matches="^all is") is None


def test_a_wrong_status_is_said(site: str) -> None:
    assert ask(f"{site}/none") == f"GET {site}/none should answer 200, but answered 404"
    assert ask(f"{site}/error", matches="x") == (
        f"GET {site}/error should answer 200, but answered 500; it said `no database ⏎ ?[31m`"
    )


def test_a_redirect_is_an_answer_and_is_not_followed(site: str) -> None:
    assert ask(f"{site}/moved", status=302) is None
    assert "answered 302 to `/`" in str(ask(f"{site}/moved"))


def test_method_and_headers_are_sent(site: str) -> None:
    assert ask(f"{site}/echo", method="POST", headers={"X-Probe": "yes"}, matches='"POST".*"X-Probe": "yes"') is None
    assert ask(site, method="HEAD") is None


@pytest.mark.parametrize(
    ("path", "value"), [("db.state", "up"), ("db.n", 1), ("db.on", True), ("db.list.0.x", None), ("a.b", 2)]
)
def test_json_values_are_found_at_dotted_paths(site: str, path: str, value: Any) -> None:
    assert ask(f"{site}/json", json={path: value}) is None


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("db.state", "down", 'should have db.state = "down", but has "up"'),
        ("db.on", 1, "should have db.on = 1, but has true"),
        ("db.n", True, "should have db.n = true, but has 1"),
        ("db.none", "x", 'should have db.none = "x", but has no db.none'),
        ("db.list.7", 1, "but has no db.list.7"),
        ("db.state.deeper", 1, "but has no db.state.deeper"),
        ("db.list", [], 'but has [{"x": null}]'),
    ],
)
def test_a_wrong_json_value_is_said(site: str, path: str, value: Any, why: str) -> None:
    assert why in str(ask(f"{site}/json", json={path: value}))


@pytest.mark.parametrize("page", ["/", "/binary", "/deep"])
def test_what_is_no_json_is_said(site: str, page: str) -> None:
    why = str(ask(site + page, json={"a": 1}))
    assert "should be JSON, found `" in why
    assert why.isprintable()
    assert len(why) < 400


def test_a_long_answer_is_read_only_so_far(site: str) -> None:
    assert ask(f"{site}/large") is None
    assert ask(f"{site}/large", matches="^xxx") is None
    assert "longer than 1048576 bytes" in str(ask(f"{site}/large", json={"a": 1}))


def test_an_endless_answer_ends_at_the_limit() -> None:
    def endless(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"y" * 65536)

    with raw(endless) as url:
        assert "does not match /no/" in str(ask(url, matches="no"))
    with raw(endless) as url:
        assert ask(url) is None


def test_a_closed_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "Connection refused" in str(ask(f"http://127.0.0.1:{port}/"))


def in_time(url: str, **options: Any) -> str:
    start = time.monotonic()
    why = ask(url, within=0.4, **options)
    assert time.monotonic() - start < 1.2
    return str(why)


def test_silence_ends_in_time() -> None:
    with raw(lambda connection: connection.recv(4096) and connection.recv(4096) and None) as url:
        assert in_time(url).endswith("did not answer within 0.4 s")


def drip(head: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_drip_of_bytes_ends_in_time_and_is_cut_off(head: bytes) -> None:
    start = time.monotonic()
    with raw(drip(head)) as url:
        assert in_time(url, matches="never").endswith("did not answer within 0.4 s")
    assert time.monotonic() - start < 3, "the connection lived on"


def test_the_callers_limit_counts_too() -> None:
    with raw(drip(b"")) as url:
        assert "did not answer within 0.2 s" in str(ask(url, within=60, timeout=0.2))


@pytest.mark.parametrize(
    "garbage", [b"\0\xff" * 100, b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"HTTP/1.1 two hundred\r\n\r\n"]
)
def test_garbage_is_a_failure_with_a_reason(garbage: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(garbage)

    with raw(answer) as url:
        why = str(ask(url))
    assert " failed: " in why
    assert why.isprintable()


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    with raw(answer) as url:
        assert " failed: " in str(ask(url, matches="half"))


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Any) -> None:
    import ssl

    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl program to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"https://localhost:{server.server_port}/"
        why = str(ask(url, within=5))
        trusting = "import sys; from tests.health.test_http import ask; print(ask(sys.argv[1], within=5))"
        done = subprocess.run(
            [sys.executable, "-c", trusting, url],
            env={"SSL_CERT_FILE": str(certificate), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
        )
        server.shutdown()
        thread.join()
    assert "CERTIFICATE_VERIFY_FAILED" in why
    assert done.stdout == "None\n", done.stderr


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://", {}),
        ("http://[::1", {}),
        ("ftp://x/", {}),
        ("http://no-such.invalid/", {}),
        ("http://a..b/", {}),
        ("", {}),
    ],
)
def test_an_address_that_is_none_is_a_failure(url: str, headers: dict[str, str]) -> None:
    assert isinstance(ask(url, headers=headers), str)


def test_a_header_that_cannot_be_sent_is_a_failure(site: str) -> None:
    assert isinstance(ask(site, headers={"X": "a\r\nInjected: yes"}), str)
    assert isinstance(ask(site, headers={"X": "grüße ✓"}), str)
