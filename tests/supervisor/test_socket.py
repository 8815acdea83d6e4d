"""The socket: for its own user only, and nothing that a client does holds the supervisor up."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.supervisor.place import Site, until


def connected(here: Site) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(str(here.folder / "socket"))
    return client


@pytest.fixture
def running(here: Site) -> Site:
    here.define({"Service/a": {"command": ["sleep", "3600"]}})
    here.start()
    here.reaches("a", "running")
    return here


def test_another_user_is_refused_even_where_the_files_would_let_him(running: Site) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        if os.environ.get("CI"):
            pytest.fail("needs root and setpriv")
        pytest.skip("needs root and setpriv")
    assert (running.folder / "socket").stat().st_mode & 0o777 == 0o600
    for path, mode in ((running.state, 0o755), (running.folder, 0o755), (running.folder / "socket", 0o777)):
        path.chmod(mode)
    client = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'POST /stop HTTP/1.1\\r\\n\\r\\n'); print(s.recv(1000).decode())"
    )
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    argv = [*nobody, "/usr/bin/python3", "-c", client, str(running.folder / "socket")]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert "403 Forbidden" in done.stdout or "BrokenPipe" in done.stderr or "ConnectionReset" in done.stderr, done
    assert running.service("a")["state"] == "running"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"\x00\xff" * 40 + b"\r\n\r\n", b"400"),
        (b"GET /status\r\n\r\n", b"400"),
        (b"x" * 9000, b"400"),
        (b"GET /nothing HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /status HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /stop HTTP/1.1\r\n\r\n", b"405"),
    ],
)
def test_nonsense_is_refused(running: Site, said: bytes, answer: bytes) -> None:
    with connected(running) as client:
        client.sendall(said)
        assert client.recv(1000).startswith(b"HTTP/1.1 " + answer)
    assert running.service("a")["state"] == "running"


def test_half_a_request_is_dropped_after_a_while(running: Site) -> None:
    with connected(running) as client:
        client.sendall(b"GET /sta")
        started = time.monotonic()
        assert running.service("a")["state"] == "running"
        assert time.monotonic() - started < 2
        assert client.recv(10) == b""
        assert time.monotonic() - started < 15


def test_a_thousand_connections_do_not_keep_anybody_out(running: Site) -> None:
    code = (
        "import socket,sys,time\nheld=[]\nfor _ in range(1000):\n"
        "  s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); held.append(s)\n"
        "print('held', flush=True); time.sleep(30)"
    )
    argv = [
        sys.executable,
        "-c",
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (2048, 4096))\n{code}",
    ]
    with ExitStack() as stack:
        crowd = subprocess.Popen([*argv, str(running.folder / "socket")], stdout=subprocess.PIPE, text=True)
        stack.callback(crowd.wait)
        stack.callback(crowd.kill)
        assert crowd.stdout is not None
        stack.callback(crowd.stdout.close)
        assert crowd.stdout.readline() == "held\n"
        started = time.monotonic()
        assert running.service("a")["state"] == "running"
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "text", ["", "{", '{"v":2,"entries":[]}', '{"v":1,"entries":[{"id":"Service/a"}]}', "[]", "\x00"]
)
def test_definitions_that_cannot_be_used_change_nothing_and_it_says_so(running: Site, text: str) -> None:
    pid, digest = running.service("a")["pid"], running.status()["digest"]
    running.write(text)
    found = running.ask("POST", "/reload")
    assert found["digest"] == digest
    assert "cannot use" in found["refused"]
    assert "what ran before goes on" in found["refused"]
    assert found["services"]["Service/a"]["pid"] == pid
    running.kill()
    running.start()  # a fresh one goes on by the last good copy
    assert running.service("a")["pid"] == pid
    assert "cannot use" in running.status()["refused"]


def test_a_file_of_definitions_that_is_gone_ends_nothing_and_it_says_so(running: Site) -> None:
    pid = running.service("a")["pid"]
    (running.folder / "definitions.json").unlink()
    found = running.ask("POST", "/reload")
    assert "definitions.json: it is gone; what ran before goes on" in found["refused"]
    assert found["services"]["Service/a"]["pid"] == pid
    running.kill()
    running.start()
    assert running.service("a")["pid"] == pid
    assert "it is gone" in running.status()["refused"]
    running.kill()
    (running.folder / "accepted.json").unlink()
    running.start()  # nothing says what is wanted, so nothing says that this is not
    assert running.status()["services"] == {}
    assert Path(f"/proc/{pid}").exists()
    running.define({"Service/a": {"command": ["sleep", "3600"]}})
    assert running.reaches("a", "running")["pid"] == pid
    running.define({})
    assert running.ask("POST", "/reload")["services"] == {}
    (running.folder / "definitions.json").unlink()  # as the provider does, once all has ended
    assert running.status()["refused"] == ""


def test_a_look_is_never_stale(running: Site) -> None:
    """Whoever dies between the write of the definitions and the call to reload leaves nothing half done."""
    running.define({"Service/b": {"command": ["sleep", "3600"]}})
    assert "Service/b" in running.status()["services"]
    until(lambda: list(running.status()["services"]) == ["Service/b"])


def test_a_socket_whose_path_is_too_long_is_explained(here: Site) -> None:
    here.state = here.state / ("x" * 100)
    process = here.popen("start")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "at most 107 bytes; set RECONCILER_STATE_DIR to a shorter one" in err
