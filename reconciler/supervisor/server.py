"""The socket: small HTTP exchanges with whoever is the same user or root. Nothing that a client does holds us up.

Connections are bounded in number, bytes and time; the newest is always served, at the cost of the oldest.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable
from typing import Protocol

from reconciler.runner import tree

MOST = 64  # connections at once
HEAD = 8192  # bytes of a request
PATIENCE = 5.0  # seconds for a request to arrive, or for an answer to be taken
WORDS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}


class Loop(Protocol):
    """What the server needs of the main loop."""

    def watch(self, descriptor: int, ready: Callable[[], None], events: int = select.POLLIN) -> None: ...
    def unwatch(self, descriptor: int) -> None: ...
    def after(self, seconds: float, act: Callable[[], None]) -> None: ...


class Request:
    """One exchange. `answer` may be called at once or later."""

    def __init__(self, server: Server, connection: socket.socket) -> None:
        self._server, self._connection = server, connection
        self._number = connection.fileno()
        self._received = b""
        self._left = b""
        self.method = self.target = ""
        self.done = False

    def receive(self) -> None:
        try:
            part = self._connection.recv(HEAD)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self.close()
            return
        if self.method:
            return  # a body is of no interest
        self._received += part
        head, end, _ = self._received.partition(b"\r\n\r\n")
        if not end and len(self._received) <= HEAD:
            return
        words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        if not end or len(words) != 3 or not words[2].startswith("HTTP/1."):
            self.answer(400, "this is not HTTP")
            return
        self.method, self.target = words[0], words[1]
        self._server.handle(self)

    def answer(self, status: int, text: str) -> None:
        """Send the answer, a JSON text or a sentence, and hang up."""
        if self.done or self._left:
            return
        body = text.encode()
        kind = "application/json" if text[:1] == "{" else "text/plain; charset=utf-8"
        head = f"HTTP/1.1 {status} {WORDS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        self._left = f"{head}Connection: close\r\n\r\n".encode() + body
        self._server.loop.after(PATIENCE, self.close)
        self.send()

    def send(self) -> None:
        try:
            self._left = self._left[self._connection.send(self._left) :]
        except BlockingIOError:
            pass
        except OSError:
            self._left = b""
        if self._left:
            self._server.loop.watch(self._number, self.send, select.POLLOUT)
        else:
            self.close()

    def expire(self) -> None:
        """Hang up where no whole request has come."""
        if not self.method:
            self.close()

    def close(self) -> None:
        if self.done:
            return
        self.done = True
        self._server.loop.unwatch(self._number)
        self._connection.close()
        self._server.open.remove(self)


class Server:
    """Listens at `path`. `handle` is given each whole request."""

    def __init__(self, path: str, loop: Loop, handle: Callable[[Request], None]) -> None:
        self.loop, self.handle = loop, handle
        self.open: list[Request] = []
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.lexists(path):
            os.unlink(path)  # left by one that was killed: the lock is ours
        before = os.umask(0o177)
        try:
            self._socket.bind(path)
        finally:
            os.umask(before)
        self._socket.listen(1024)
        self._socket.setblocking(False)
        loop.watch(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(MOST):
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError:  # no descriptor is left: the oldest gives up its own
                if not self.open:
                    return
                self.open[0].close()
                continue
            self._greet(connection)

    def _greet(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if len(self.open) >= MOST:
            next((one for one in self.open if not one.method), self.open[0]).close()
        request = Request(self, connection)
        self.open.append(request)
        if _peer(connection) not in (0, os.geteuid()):
            request.answer(403, "this socket serves its own user only")
            return
        self.loop.watch(connection.fileno(), request.receive)
        self.loop.after(PATIENCE, request.expire)

    def close(self) -> None:
        for request in tuple(self.open):
            request.close()
        self.loop.unwatch(self._socket.fileno())
        os.unlink(self._path)
        self._socket.close()


def _peer(connection: socket.socket) -> int:
    """The user at the other end, as the kernel knows it; -1 where it does not say."""
    try:
        if tree.LINUX:
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", raw)[1])
        raw = connection.getsockopt(0, 1, 76)  # LOCAL_PEERCRED: struct xucred
        return int(struct.unpack_from("=II", raw)[1])
    except OSError:
        return -1
