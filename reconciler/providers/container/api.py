"""The Docker Engine API as far as it is needed: one method per request, answers checked for their shape.

Paths carry no version: engines differ in the oldest they still accept, and only fields that all have are used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TypeAlias, cast
from urllib.parse import quote, urlencode

from reconciler.host.limits import NoService
from reconciler.host.protocol import Host, Response
from reconciler.model.data import Json, digest
from reconciler.model.errors import CommandTimeout, HostError
from reconciler.model.frozen import dataclass

Object: TypeAlias = Mapping[str, Json]

TIMEOUT = 30.0
PULL_SILENCE = 120.0  # seconds without a word of the engine
LIMIT = 16 * 2**20
LOG_LINES = 20
_RESTART = (
    "`docker info` asks the same engine; its own log says more (`journalctl -u docker`), and a restart may help"
)
_ANOTHER = "is that the socket of Docker or Podman? DOCKER_HOST and `docker context ls` say which one is meant"
_PORT_TAKEN = "`reconcile ports` and `ss -ltnp` show who has the port: stop that, or choose another port"


class Refusal(HostError):
    """The engine answered, and the answer was no. `status` is that of HTTP."""

    def __init__(self, message: str, status: int, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Engine:
    """One container engine behind its socket. Keeps nothing; every method is one request."""

    host: Host
    socket: Path
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # says where credentials are

    @property
    def holder(self) -> str:
        """Who we are to an engine that others use too: the user, and the state folder where it is unusual."""
        facts = self.host.facts()
        return f"{facts.user}:{digest(facts.state)[:8]}" if facts.state else facts.user

    def containers(self, filters: Mapping[str, Sequence[str]] | None = None) -> list[Object]:
        """Every container, stopped ones too."""
        query = {"all": "1"} | ({"filters": json.dumps(filters)} if filters else {})
        return _objects(self._json("GET", f"/containers/json?{urlencode(query)}"))

    def container(self, name: str) -> Object | None:
        return self._found(f"/containers/{_part(name)}/json")

    def image(self, name: str) -> Object | None:
        return self._found(f"/images/{_part(name)}/json")

    def images(self) -> list[Object]:
        return _objects(self._json("GET", "/images/json"))

    def network(self, name: str) -> Object | None:
        return self._found(f"/networks/{_part(name)}")

    def create(self, name: str, body: Object) -> str:
        """Make a container without starting it; its id."""
        made = _object(self._json("POST", f"/containers/create?name={_part(name)}", body))
        id_ = made.get("Id")
        if not isinstance(id_, str):
            raise _strange("it made a container and does not name it")
        return id_

    def start(self, id_: str) -> None:
        self._do("POST", f"/containers/{_part(id_)}/start", fine=(304,))

    def stop(self, id_: str, grace: float) -> bool:
        """Its stop signal, then SIGKILL after its own time of grace, which it was made with. False: it had ended."""
        answer = self._do("POST", f"/containers/{_part(id_)}/stop", fine=(304,), timeout=TIMEOUT + grace)
        return answer.status != 304

    def pause(self, id_: str) -> None:
        self._do("POST", f"/containers/{_part(id_)}/pause")

    def unpause(self, id_: str) -> None:
        self._do("POST", f"/containers/{_part(id_)}/unpause")

    def rename(self, id_: str, name: str) -> None:
        self._do("POST", f"/containers/{_part(id_)}/rename?name={_part(name)}")

    def remove(self, id_: str) -> None:
        """With force, and never with its volumes."""
        self._do("DELETE", f"/containers/{_part(id_)}?force=1&v=0", fine=(404,))

    def make_network(self, name: str, labels: Mapping[str, str]) -> None:
        self._do("POST", "/networks/create", {"Name": name, "CheckDuplicate": True, "Labels": labels})

    def connect(self, network: str, id_: str) -> None:
        self._do("POST", f"/networks/{_part(network)}/connect", {"Container": id_})

    def networks(self, labels: Sequence[str]) -> set[str]:
        """Names of those that carry all of these labels, as NAME=VALUE."""
        query = urlencode({"filters": json.dumps({"label": list(labels)})})
        return {str(item.get("Name")) for item in _objects(self._json("GET", f"/networks?{query}"))}

    def remove_network(self, name: str) -> None:
        self._do("DELETE", f"/networks/{_part(name)}", fine=(404,))

    def pull(self, image: str) -> None:
        """Fetch an image. The engine says in the stream of progress, not in the status, whether that failed."""
        from reconciler.providers.container.credentials import credentials
        from reconciler.providers.container.pull import Pull

        name, tag = split_reference(image)
        query = urlencode({"fromImage": name, "tag": tag})
        shown = credentials(self.host, self.environ, image)
        headers = {"X-Registry-Auth": shown} if shown else {}
        pull = Pull(image, self.host)
        done = self._do("POST", f"/images/create?{query}", headers=headers, timeout=PULL_SILENCE, each=pull.feed)
        pull.end()
        if pull.error is not None:
            raise Refusal(f"cannot pull {image}: {pull.error}", done.status)

    def logs(self, id_: str) -> str:
        """The last lines of its output, both streams."""
        target = f"/containers/{_part(id_)}/logs?stdout=1&stderr=1&tail={LOG_LINES}"
        return _without_frames(self._do("GET", target).body).decode("utf-8", "replace").strip()

    def _found(self, target: str) -> Object | None:
        try:
            return _object(self._json("GET", target))
        except Refusal as error:
            if error.status == 404:
                return None
            raise

    def _json(self, method: str, target: str, body: Object | None = None) -> Json:
        answer = self._do(method, target, body).body
        try:
            return cast(Json, json.loads(answer))
        except (ValueError, RecursionError) as error:
            raise _strange(f"what it says to {method} {_bare(target)} is not JSON") from error

    def _do(
        self,
        method: str,
        target: str,
        body: Object | None = None,
        *,
        fine: Sequence[int] = (),
        headers: Mapping[str, str] = {},
        timeout: float = TIMEOUT,
        each: Callable[[bytes], None] | None = None,
    ) -> Response:
        data = b"" if body is None else json.dumps(body).encode("ascii")
        try:
            answer = self.host.request(
                self.socket, method, target, body=data, headers=headers, timeout=timeout, limit=LIMIT, each=each
            )
        except NoService as error:
            hint = "start the container engine, or set DOCKER_HOST to the socket of the one you mean"
            raise NoService(f"{error.message}; the container engine does not run", hint=hint) from error
        except CommandTimeout as error:
            raise CommandTimeout(error.message, hint=f"the engine hangs or is overloaded: {_RESTART}") from error
        except HostError as error:
            raise HostError(error.message, hint=error.hint or _ANOTHER) from error
        if 200 <= answer.status < 300 or answer.status in fine:
            return answer
        raise _refusal(answer, f"{method} {_bare(target)}")


def split_reference(image: str) -> tuple[str, str]:
    """Name, and tag or digest. Without either an engine would fetch every tag there is."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    head, colon, tag = image.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (image, "latest")


def _part(text: str) -> str:
    return quote(text, safe="/:@")


def _bare(target: str) -> str:
    return target.partition("?")[0]


def _refusal(answer: Response, request: str) -> Refusal:
    """What the engine says no to. A taken port is a fault of the engine to Docker, and a refusal to Podman."""
    said = _said(answer)
    taken = "address already in use" in said or "already allocated" in said
    if answer.status < 500 or taken:
        message = f"the container engine refuses: {said}"
        return Refusal(message, answer.status, hint=_PORT_TAKEN if taken else None)
    return Refusal(f"the container engine failed at {request}: {said}", answer.status, hint=_RESTART)


def _said(answer: Response) -> str:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    text = said.get("message") if isinstance(said, dict) else None
    if isinstance(text, str) and text.strip():
        return " ".join(text.split())[:500]
    return f"it ends with status {answer.status} and does not say why"


def _strange(what: str) -> HostError:
    return HostError(f"cannot understand the container engine: {what}", hint=_ANOTHER)


def _object(value: Json) -> Object:
    if not isinstance(value, dict):
        raise _strange("its answer is not an object")
    return value


def _objects(value: Json) -> list[Object]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _strange("its answer is not a list of objects")
    return value


def _without_frames(data: bytes) -> bytes:
    """Output of a container without a terminal comes in frames: stream, three zeros, length, text."""
    found, rest = bytearray(), data
    while len(rest) >= 8 and rest[0] in (0, 1, 2) and rest[1:4] == b"\0\0\0":
        size = int.from_bytes(rest[4:8], "big")
        found += rest[8 : 8 + size]
        rest = rest[8 + size :]
    return bytes(found + rest)
