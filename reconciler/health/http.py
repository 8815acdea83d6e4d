"""The http probe: an address that must answer in time, with the right status and content.

The only importer of the HTTP library. No proxies, no redirects, certificates always checked.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from reconciler.health.excerpt import excerpt, short
from reconciler.health.match import mismatch
from reconciler.host.bounded import bounded
from reconciler.host.protocol import Host
from reconciler.model.data import Json

BODY_LIMIT = 2**20


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    location: str | None


@dataclass(slots=True)
class _Connections:
    """The sockets of one request, so that a server which never ends its answer can be cut off."""

    sockets: list[socket.socket] = field(default_factory=list)

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self.sockets.append(info["return_value"].get_extra_info("socket"))

    def cut(self) -> None:
        for connection in self.sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def check(options: Mapping[str, Json], _host: Host, timeout: float) -> str | None:
    """Send one request and judge the answer."""
    own = options.get("within", 2)
    limit = min(float(own) if isinstance(own, int | float) else 2.0, timeout)
    name = f"{options.get('method', 'GET')} {short(str(options['url']))}"
    connections = _Connections()
    try:
        answer = bounded(lambda: _ask(options, limit, connections), limit)
    except (TimeoutError, httpx.TimeoutException):
        connections.cut()
        return f"{name} did not answer within {limit:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return f"{name} failed: {short(str(error)) or type(error).__name__}"
    return _judge(options, name, answer)


def _ask(options: Mapping[str, Json], limit: float, connections: _Connections) -> _Answer:
    url, headers = str(options["url"]), options.get("headers")
    sent = {"User-Agent": "reconciler", "Accept-Encoding": "identity"}
    if isinstance(headers, Mapping):
        sent |= {key: str(value) for key, value in headers.items()}
    wants_body = "json" in options or "matches" in options
    deadline = time.monotonic() + limit
    with (
        httpx.Client(verify=_trust(url), trust_env=False, timeout=limit, headers=sent) as client,
        client.stream(str(options.get("method", "GET")), url, extensions={"trace": connections.trace}) as response,
    ):
        body = bytearray()
        for part in response.iter_raw() if wants_body else ():
            body += part
            if len(body) > BODY_LIMIT:
                break
            if time.monotonic() > deadline:
                raise TimeoutError
        return _Answer(response.status_code, bytes(body), response.headers.get("location"))


def _trust(url: str) -> Any:
    """Both the public authorities and those that this machine trusts; loading them costs time, so only for https."""
    context: Any = httpx.create_ssl_context(trust_env=False) if url.lower().startswith("https:") else False
    if context:
        context.load_default_certs()
    return context


def _judge(options: Mapping[str, Json], name: str, answer: _Answer) -> str | None:
    expected = options.get("status", 200)
    if answer.status != expected:
        to = f" to {excerpt(answer.location)}" if answer.location else ""
        said = f"; it said {excerpt(answer.body)}" if answer.body else ""
        return f"{name} should answer {expected}, but answered {answer.status}{to}{said}"
    wanted = options.get("json")
    if isinstance(wanted, Mapping):
        why = _wrong_json(wanted, name, answer.body)
        if why is not None:
            return why
    if "matches" in options:
        return mismatch(options["matches"], answer.body[:BODY_LIMIT], f"the answer to {name}")
    return None


def _wrong_json(wanted: Mapping[str, Json], name: str, body: bytes) -> str | None:
    if len(body) > BODY_LIMIT:
        return f"the answer to {name} should be JSON, but is longer than {BODY_LIMIT} bytes"
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return f"the answer to {name} should be JSON, found {excerpt(body)}"
    for path, expected in wanted.items():
        found = _at(document, path)
        if found is _MISSING:
            return f"the answer to {name} should have {path} = {_spelled(expected)}, but has no {path}"
        if not _equal(found, expected):
            return f"the answer to {name} should have {path} = {_spelled(expected)}, but has {_spelled(found)}"
    return None


_MISSING = object()


def _at(document: Any, path: str) -> Any:
    """The value at a dotted path; numbers count in lists. A key that holds dots itself is found whole."""
    if isinstance(document, dict) and path in document:
        return document[path]
    first, _, rest = path.partition(".")
    if isinstance(document, dict) and first in document and rest:
        return _at(document[first], rest)
    if isinstance(document, list) and first.isdecimal() and int(first) < len(document):
        return _at(document[int(first)], rest) if rest else document[int(first)]
    return _MISSING


def _equal(found: Any, expected: Json) -> bool:
    """Equality as JSON has it: `true` is not `1`."""
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, dict) and isinstance(expected, Mapping):
        return found.keys() == expected.keys() and all(_equal(found[key], expected[key]) for key in found)
    if isinstance(found, list) and isinstance(expected, Sequence) and not isinstance(expected, str):
        return len(found) == len(expected) and all(map(_equal, found, expected))
    return bool(found == expected)


def _spelled(value: Any) -> str:
    return short(json.dumps(value, ensure_ascii=False))
