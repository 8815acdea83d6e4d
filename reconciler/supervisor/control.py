"""`run`, `start`, `stop`, `retry`, `status`: what can be said to the supervisor from a command line."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import NoReturn

from reconciler.runner import tree
from reconciler.supervisor.place import Diary, Lock, Place

PATIENCE = 30.0  # seconds until a supervisor that was started must answer
LONGEST_PATH = 103 if sys.platform == "darwin" else 107  # bytes of a socket's path


class Trouble(Exception):
    """It could not be done. The text says why."""


def ask(place: Place, method: str, target: str, seconds: float) -> str | None:
    """The body of the answer; None where nobody listens or nobody answers in time."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(place.socket)
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: supervisor\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    except OSError:
        return None
    finally:
        connection.close()
    return answer.partition(b"\r\n\r\n")[2].decode() or None


def said(command: str, answer: str) -> str:
    """What became of a command, for people; a status is for programs too, and stays as it is."""
    found = json.loads(answer)
    if command == "status":
        return answer
    if command == "stop":
        return "the supervisor has ended its services and ends"
    again = found.get("again", [])
    return f"tried once more: {', '.join(again)}" if again else "nothing was given up or has ended: nothing to try"


def run(place: Place, *, ready: int = -1, stay: bool = False) -> int:
    """Be the supervisor, in the foreground, until told to stop. `ready`: a descriptor to report to.

    `stay`: with nothing to do as well; and where another one runs, in the foreground, wait to take its place.
    """
    _check(place)
    if ready >= 0:
        os.set_inheritable(ready, False)  # or every service would hold it
    lock = Lock(place)
    until = time.monotonic() + PATIENCE
    while not lock.take():  # one that has just been killed or is ending lets go of it in a moment
        if ask(place, "GET", "/status", 1.0) is not None or time.monotonic() > until:
            waits = stay and ready < 0
            more = "; this one waits to take its place" if waits else ""
            _report(ready, f"a supervisor runs already, pid {lock.holder}{more}")
            if not waits:
                return 0
            lock.wait()
            break
        time.sleep(0.02)
    from reconciler.supervisor.resident import Resident

    diary = Diary(place.log, -1 if ready >= 0 else 2)
    try:
        try:
            resident = Resident(place, diary, stay=stay)
        except OSError as error:  # a disk that is full or read-only; services that ran before are left alone
            diary(f"cannot start: {error}")
            _report(ready, f"cannot start the supervisor: {error.strerror or error} ({place.folder})")
            return 1
        _report(ready, f"started, pid {os.getpid()}")
        resident.run()
        resident.close()
    except Exception:
        import traceback

        diary(f"a bug ended the supervisor; services go on by themselves\n{traceback.format_exc()}")
        raise
    return 0


def start(place: Place, *, stay: bool = False) -> str:
    """Start it in the background; returns once it answers. `stay`: as for `run`. Raises Trouble."""
    _check(place)
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()  # its caller's end is not its own
        if os.fork() != 0:
            os._exit(0)
        _become(place, writing, stay)
    os.close(writing)
    os.wait()
    said = b""
    while not said.endswith(b"\n") and (part := os.read(reading, 4096)):
        said += part
    os.close(reading)
    if said.startswith(b"cannot"):
        raise Trouble(said.decode().strip())
    until = time.monotonic() + PATIENCE
    while ask(place, "GET", "/status", 5.0) is None:
        if not said or time.monotonic() > until:
            raise Trouble(f"cannot start the supervisor: it does not answer; see {place.log}")
        time.sleep(0.02)
    return said.decode().strip()


def _become(place: Place, ready: int, stay: bool) -> NoReturn:
    """The child: a fresh interpreter, without the marks and settings of whoever started it."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for target in (0, 1, 2):
            os.dup2(null, target)
        os.set_inheritable(ready, True)
        os.chdir("/")
        dropped = (tree.MARK, "LC_ALL", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID")
        environ = {name: value for name, value in os.environ.items() if name not in dropped}
        module = [sys.executable, "-m", "reconciler.supervisor", "run", "--state", place.state]
        options = [*(["--stay"] if stay else []), "--ready", str(ready)]
        os.execve(sys.executable, [*module, *options], environ)
    finally:
        os._exit(127)


def _check(place: Place) -> None:
    if len(os.fsencode(place.socket)) > LONGEST_PATH:
        raise Trouble(
            f"cannot listen on {place.socket}: a socket's path has at most {LONGEST_PATH} bytes; "
            "set RECONCILER_STATE_DIR to a shorter one"
        )
    try:
        place.prepare()
    except OSError as error:
        raise Trouble(f"cannot start the supervisor: cannot make {place.folder}: {error.strerror}") from error


def _report(ready: int, message: str) -> None:
    if ready < 0:
        os.write(2, f"{message}\n".encode())
        return
    try:
        os.write(ready, f"{message}\n".encode())
    except OSError:
        return  # nobody waits for it any more
    finally:
        os.close(ready)
