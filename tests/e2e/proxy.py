"""A proxy on a Unix socket between the product and a real container engine, which misbehaves as a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

ASK_TIMEOUT = 60.0
GIVEN_UP = 90.0  # seconds after which a hanging answer ends by itself


class Late:
    """The engine gets the request at once and does it; its answer comes too late or never."""


Answer: TypeAlias = "bytes | Late | None"  # None: as the engine says
Rule: TypeAlias = Callable[[str, str], Answer]  # of method and target


class Proxy:
    """`rule` decides each answer and may be changed at any time; `asked` are the requests so far."""

    def __init__(self, path: Path, engine: Path) -> None:
        self.path = path
        self.rule: Rule = lambda _method, _target: None
        self.asked: list[str] = []
        self._engine = engine
        self._closing = threading.Event()
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen(16)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        self._closing.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(ASK_TIMEOUT)
            try:
                request = _request(client)
                method, target = request.split(b" ", 2)[:2]
                self.asked.append(f"{method.decode()} {target.decode()}")
                answer = self.rule(method.decode(), target.decode())
                if isinstance(answer, bytes):
                    client.sendall(answer)
                    return
                self._forward(request, client, silent=isinstance(answer, Late))
            except OSError:
                return  # the product hung up, as it may

    def _forward(self, request: bytes, client: socket.socket, *, silent: bool) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
            engine.settimeout(ASK_TIMEOUT)
            engine.connect(str(self._engine))
            engine.sendall(request)
            while part := engine.recv(65536):
                if not silent:
                    client.sendall(part)
        if silent:
            self._closing.wait(GIVEN_UP)


def _request(client: socket.socket) -> bytes:
    """Head and body, as long as the head says."""
    found = b""
    while b"\r\n\r\n" not in found:
        part = client.recv(65536)
        if not part:
            raise ConnectionError("no request")
        found += part
    head, _, body = found.partition(b"\r\n\r\n")
    sizes = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    missing = int(sizes[0]) - len(body) if sizes else 0
    while missing > 0:
        part = client.recv(65536)
        if not part:
            raise ConnectionError("half a request")
        found += part
        missing -= len(part)
    return found


def answer(status: str, body: bytes, *, length: int | None = None, kind: str = "application/json") -> bytes:
    """A whole HTTP answer, or one that promises another length than it has."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode() + body
