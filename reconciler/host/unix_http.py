"""One HTTP/1.1 exchange over a Unix socket: bounded in time and size, with no connection kept.

`_socket` is the part of `socket` that this needs: importing it costs nothing, where `http.client` takes 18 ms.
"""

from __future__ import annotations

import _socket
import errno
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from reconciler.host.limits import NoService
from reconciler.host.protocol import Response
from reconciler.model.errors import CommandTimeout, HostError

_CHUNK = 65536
_HEAD_LIMIT = 65536
_NO_BODY = frozenset({204, 304})


def request(
    socket: Path,
    method: str,
    target: str,
    *,
    body: bytes,
    headers: Mapping[str, str] = {},
    timeout: float,
    limit: int,
    each: Callable[[bytes], None] | None = None,
) -> Response:
    """Send one request and read the whole answer. Raises HostError for any outside trouble.

    With `each`, the body of a success goes there, part by part; time and limit are those of one part.
    """
    head = _request_head(method, target, body, headers)
    stream = _Stream(socket, timeout, limit)
    try:
        stream.connect()
        stream.send(head + body)
        return _response(stream, method, each)
    except _Malformed as error:
        raise HostError(f"cannot understand the answer of {socket} to {method} {_path(target)}: {error}") from None
    finally:
        stream.close()


class _Malformed(Exception):
    """The answer is not HTTP, or ends too early; the text says how."""


def _request_head(method: str, target: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    if not target.startswith("/") or not target.isascii() or not target.isprintable() or " " in target:
        raise HostError(f"cannot send {method} {target!r}: it is not a request target")
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", "Accept: */*"]
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise HostError(f"cannot send {method} {_path(target)}: the header {name} is not plain text")
        lines.append(f"{name}: {value}")
    if body or method not in ("GET", "HEAD"):
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _path(target: str) -> str:
    return target.partition("?")[0]


class _Stream:
    """A connection with one deadline until it is renewed, and what was received and not yet consumed."""

    def __init__(self, path: Path, timeout: float, limit: int) -> None:
        self._path = path
        self._timeout = timeout
        self._limit = limit
        self._renewed = False
        self._deadline = time.monotonic() + timeout
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | getattr(_socket, "SOCK_CLOEXEC", 0))
        self._received = bytearray()

    def close(self) -> None:
        self._socket.close()

    def renew(self) -> None:
        """Time counts from now."""
        self._renewed = True
        self._deadline = time.monotonic() + self._timeout

    def _wait(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        self._socket.settimeout(left)

    def _late(self) -> CommandTimeout:
        what = "nothing more came" if self._renewed else "no whole answer"
        return CommandTimeout(f"cannot talk to {self._path}: {what} within {self._timeout:g} s")

    def connect(self) -> None:
        self._wait()
        try:
            self._socket.connect(str(self._path))
        except TimeoutError as error:
            raise self._late() from error
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NoService(f"cannot talk to {self._path}: there is no such socket") from error
        except ConnectionRefusedError as error:
            if not self._path.is_socket():  # refused in the same words
                raise HostError(f"cannot talk to {self._path}: it is not a socket") from error
            raise NoService(f"cannot talk to {self._path}: nobody answers there") from error
        except PermissionError as error:
            hint = "run as a user who may use that socket, for example one of its group"
            raise HostError(f"cannot talk to {self._path}: permission denied", hint=hint) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
            raise self._trouble(error) from error

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._wait()
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError as error:
                raise self._late() from error
            except (BrokenPipeError, ConnectionResetError):
                return  # it may have answered already; what it said is worth more than this
            except OSError as error:
                raise self._trouble(error) from error

    def _more(self) -> bool:
        """Receive something; False where the other side has ended."""
        self._wait()
        try:
            part = self._socket.recv(_CHUNK)
        except TimeoutError as error:
            raise self._late() from error
        except ConnectionResetError:
            return False
        except OSError as error:
            raise self._trouble(error) from error
        self._received += part
        return bool(part)

    def _trouble(self, error: Exception) -> HostError:
        cause = getattr(error, "strerror", None) or str(error)
        if getattr(error, "errno", None) == errno.ENOTSOCK:
            cause = "it is not a socket"
        return HostError(f"cannot talk to {self._path}: {cause.lower()}")

    def until(self, mark: bytes, limit: int) -> bytes:
        """Everything before the mark, which is consumed too."""
        start = 0
        while (at := self._received.find(mark, start)) < 0:
            start = max(0, len(self._received) - len(mark) + 1)
            if len(self._received) > limit:
                raise _Malformed(f"no end of its head in {limit} bytes")
            if not self._more():
                raise _Malformed("it ends too early" if self._received else "it is empty")
        found = bytes(self._received[:at])
        del self._received[: at + len(mark)]
        return found

    def exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            if not self._more():
                raise _Malformed("it ends too early")
        found = bytes(self._received[:size])
        del self._received[:size]
        return found

    def rest(self) -> Iterator[bytes]:
        while self._received or self._more():
            found = bytes(self._received)
            self._received.clear()
            yield found

    def bounded(self, size: int) -> None:
        if size > self._limit:
            raise HostError(f"cannot talk to {self._path}: its answer is longer than {self._limit} bytes")


def _response(stream: _Stream, method: str, each: Callable[[bytes], None] | None) -> Response:
    while True:
        lines = stream.until(b"\r\n\r\n", _HEAD_LIMIT).decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
            raise _Malformed("it is not HTTP")
        if not code.startswith("1"):  # 100 Continue and its like come before the answer
            break
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise _Malformed("a header line has no colon")
        headers[name.strip().lower()] = value.strip()
    status = int(code)
    empty = method == "HEAD" or status in _NO_BODY
    parts = iter(()) if empty else _parts(stream, headers)
    if each is None or not 200 <= status < 300:
        return Response(status, headers, _joined(stream, parts))
    for part in parts:
        stream.bounded(len(part))
        each(part)
        stream.renew()
    return Response(status, headers, b"")


def _joined(stream: _Stream, parts: Iterable[bytes]) -> bytes:
    body = bytearray()
    for part in parts:
        body += part
        stream.bounded(len(body))
    return bytes(body)


def _parts(stream: _Stream, headers: dict[str, str]) -> Iterator[bytes]:
    """The body as it comes; each part is bounded before it is received."""
    if headers.get("transfer-encoding", "").lower().endswith("chunked"):
        yield from _chunks(stream)
        return
    length = headers.get("content-length")
    if length is None:
        yield from stream.rest()
        return
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise _Malformed("its length is not a number")
    stream.bounded(int(length))
    yield stream.exactly(int(length))


def _chunks(stream: _Stream) -> Iterator[bytes]:
    while True:
        word = stream.until(b"\r\n", _HEAD_LIMIT).partition(b";")[0].strip()
        try:
            size = int(word, 16) if word.isalnum() else -1
        except ValueError:
            size = -1
        if size < 0:
            raise _Malformed("a chunk has no size")
        if size == 0:
            return  # trailers are of no interest, and the connection ends here
        stream.bounded(size)
        part = stream.exactly(size)
        if stream.exactly(2) != b"\r\n":
            raise _Malformed("a chunk is longer than it says")
        yield part
