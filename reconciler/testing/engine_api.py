"""A container engine in memory, for tests of providers and plugins: the Docker Engine API as a service of a FakeHost.

Strict: what a real engine refuses is refused. Trouble on demand, and a log of requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from reconciler.host.protocol import Response
from reconciler.model.errors import CommandTimeout
from reconciler.testing.engine_answers import answer_json, layer, ports, row, runs, said

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_BODY = frozenset({"Image", "Cmd", "Entrypoint", "WorkingDir", "User", "Hostname", "Env", "ExposedPorts", "Labels"})
_STOPPING = frozenset({"StopSignal", "StopTimeout", "HostConfig"})
_HOST_CONFIG = frozenset(["Binds", "PortBindings", "RestartPolicy", "NetworkMode"])
FINISHED = "2026-01-15T12:00:00.000000000Z"


@dataclass
class EngineApi:
    """`images` maps names to ids; `failing` image commands end at once; `registry` holds what can be pulled."""

    images: dict[str, str] = field(default_factory=dict)
    registry: dict[str, str] = field(default_factory=dict)
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    volumes: set[str] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)  # ports of this machine that somebody else listens on
    log: list[str] = field(default_factory=list)
    says: str = "no such file or directory"
    late: int = 0  # how many starts are refused for a port that a container has just left, as Podman does
    vanishing: int = 0  # how many networks are refused because an interface went while it looked at all of them
    _leaving: dict[int, int] = field(default_factory=dict)
    _answers: list[tuple[re.Pattern[str], Callable[[], Response]]] = field(default_factory=list)
    _made: int = 0

    def __post_init__(self) -> None:
        for name in ("bridge", "host", "none"):
            self.networks.setdefault(name, {"Name": name, "Labels": {}})

    # Trouble

    def answer(self, pattern: str, status: int, body: bytes) -> None:
        """From now on answer requests that match (`POST /containers`) with this."""
        self._answers.append((re.compile(pattern), lambda: Response(status, {}, body)))

    def hang(self, pattern: str) -> None:
        """From now on never answer such requests."""

        def late() -> Response:
            raise CommandTimeout("cannot talk to the engine: no whole answer within 30 s")

        self._answers.append((re.compile(pattern), late))

    def heal(self) -> None:
        self._answers.clear()

    def __call__(self, method: str, target: str, body: bytes) -> Response:
        self.log.append(f"{method} {target}")
        for pattern, respond in self._answers:
            if pattern.search(f"{method} {target}"):
                return respond()
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        data = json.loads(body) if body else {}
        if "\\ud8" in body.decode("ascii"):
            return said(400, "invalid UTF-8")
        for verb, path, handler in self._routes():
            match = re.fullmatch(path, parts.path)
            if verb == method and match is not None:
                return handler(*map(unquote, match.groups()), query, data)
        return said(404, f"page not found: {method} {parts.path}")

    def _routes(self) -> Sequence[tuple[str, str, Callable[..., Response]]]:
        one = r"/containers/([^/]+)"
        return (
            ("GET", "/containers/json", self._list),
            ("POST", "/containers/create", self._create),
            ("GET", f"{one}/json", self._inspect),
            ("GET", f"{one}/logs", self._logs),
            ("POST", f"{one}/(start|stop|pause|unpause)", self._run),
            ("POST", f"{one}/rename", self._rename),
            ("DELETE", one, self._delete),
            ("POST", "/images/create", self._pull),
            ("GET", "/images/json", self._images),
            ("GET", "/images/(.+)/json", self._image),
            ("POST", "/networks/create", self._make_network),
            ("POST", "/networks/([^/]+)/connect", self._connect),
            ("GET", "/networks", self._networks),
            ("GET", "/networks/([^/]+)", self._network),
            ("DELETE", "/networks/([^/]+)", self._delete_network),
        )

    def named(self, name: str) -> dict[str, Any] | None:
        """The container of that name or id."""
        found = self.containers.get(name)
        return found or next((one for one in self.containers.values() if one["Name"] == f"/{name}"), None)

    def _list(self, query: Mapping[str, str], _body: object) -> Response:
        filters: dict[str, list[str]] = json.loads(query.get("filters", "{}"))
        if set(filters) - {"label", "name"} or query.get("all") != "1":
            return said(400, f"invalid filter: {filters}")
        rows = [row(one) for one in reversed(self.containers.values())]
        names = filters.get("name")
        rows = [row for row in rows if all(label in row["Labels"] for label in filters.get("label", ()))]
        rows = [row for row in rows if not names or any(re.search(name, row["Names"][0]) for name in names)]
        return answer_json(200, rows)

    def _create(self, query: Mapping[str, str], body: dict[str, Any]) -> Response:
        name, host = query.get("name", ""), body.get("HostConfig", {})
        if set(body) - _BODY - _STOPPING or set(host) - _HOST_CONFIG or _NAME.fullmatch(name) is None:
            return said(400, f"Invalid container name ({name}) or unknown field")
        if any("\0" in text for text in [*body.get("Env", []), *(body.get("Cmd") or [])]):
            return said(400, "invalid NUL")
        if self.named(name) is not None:
            return said(409, f'Conflict. The container name "/{name}" is already in use')
        if body["Image"] not in self.images:
            return said(404, f"No such image: {body['Image']}")
        network = host.get("NetworkMode", "bridge")
        if network not in self.networks:
            return said(404, f"network {network} not found")
        self._made += 1
        id_ = sha256(f"container {self._made}".encode()).hexdigest()
        self.volumes |= {bind.split(":")[0] for bind in host.get("Binds", ()) if not bind.startswith("/")}
        self.containers[id_] = {
            "Id": id_,
            "Name": f"/{name}",
            "Image": self.images[body["Image"]],
            "Config": {**body, "HostConfig": None},
            "HostConfig": host,
            "State": {"Status": "created", "ExitCode": 0, "StartedAt": "", "FinishedAt": ""},
            "RestartCount": 0,
            "NetworkSettings": {"Networks": {network: {}}},
            "Mounts": [],
        }
        return answer_json(201, {"Id": id_, "Warnings": []})

    def _inspect(self, name: str, _query: object, _body: object) -> Response:
        found = self.named(name)
        return answer_json(200, found) if found else said(404, f"No such container: {name}")

    def _logs(self, name: str, _query: object, _body: object) -> Response:
        if self.named(name) is None:
            return said(404, f"No such container: {name}")
        text = self.says.encode()
        return Response(200, {}, b"\x02\0\0\0" + len(text).to_bytes(4, "big") + text)

    def _run(self, name: str, verb: str, _query: object, _body: object) -> Response:
        found = self.named(name)
        if found is None:
            return said(404, f"No such container: {name}")
        state = found["State"]
        wanted = {"start": "running", "stop": "exited", "pause": "paused", "unpause": "running"}[verb]
        if verb in ("start", "stop") and (
            state["Status"] == wanted or (verb == "stop" and state["Status"] in ("created", "stopped"))
        ):
            return Response(304, {}, b"")
        if (verb == "pause") != (state["Status"] == "running") and verb in ("pause", "unpause"):
            return said(409, f"Container {name} is {state['Status']}")
        if verb == "start":
            return self._start(found)
        state["Status"] = wanted
        if verb == "stop":
            state |= {"ExitCode": 143, "FinishedAt": FINISHED}
            self._leaving |= dict.fromkeys(ports(found), self.late)
        return Response(204, {}, b"")

    def _start(self, found: dict[str, Any]) -> Response:
        busy = self.taken | {port for one in self.containers.values() if runs(one) for port in ports(one)}
        late = {port for port in ports(found) if self._leaving.get(port)}
        self._leaving |= {port: self._leaving[port] - 1 for port in late}
        clash = (busy & set(ports(found))) | late
        if found["State"]["Status"] == "paused":
            return said(409, "cannot start a paused container, try unpause instead")
        if clash:
            return said(
                500, f"driver failed programming external connectivity: port {min(clash)} is already allocated"
            )
        if found["Config"].get("Cmd") == ["false"]:
            found["State"] |= {"Status": "exited", "ExitCode": 1, "FinishedAt": FINISHED}
            self._leaving |= dict.fromkeys(ports(found), self.late)
        else:
            found["State"] |= {"Status": "running", "ExitCode": 0, "FinishedAt": ""}
        return Response(204, {}, b"")

    def _rename(self, name: str, query: Mapping[str, str], _body: object) -> Response:
        found, new = self.named(name), query["name"]
        if found is None:
            return said(404, f"No such container: {name}")
        if _NAME.fullmatch(new) is None or self.named(new) is not None:
            return said(409, f'Conflict. The container name "/{new}" is already in use')
        found["Name"] = f"/{new}"
        return Response(204, {}, b"")

    def _delete(self, name: str, query: Mapping[str, str], _body: object) -> Response:
        found = self.named(name)
        if found is None:
            return said(404, f"No such container: {name}")
        if runs(found) and query.get("force") != "1":
            return said(409, "You cannot remove a running container")
        del self.containers[found["Id"]]
        return Response(204, {}, b"")

    def _pull(self, query: Mapping[str, str], _body: object) -> Response:
        between = "@" if query["tag"].startswith("sha256:") else ":"
        name = f"{query['fromImage']}{between}{query['tag']}"
        if name not in self.registry:
            lines = [{"status": f"Pulling {name}"}, {"error": f"manifest for {name} not found"}]
        else:
            self.images[name] = self.registry[name]
            lines = [{"status": f"Pulling {name}", "id": query["tag"]}, *layer("a1"), *layer("b2")]
        return Response(200, {}, b"\r\n".join(json.dumps(line).encode() for line in lines))

    def _image(self, name: str, _query: object, _body: object) -> Response:
        id_ = self.images.get(name) or (name if name in self.images.values() else None)
        return answer_json(200, {"Id": id_, "Config": {}}) if id_ else said(404, f"No such image: {name}")

    def _images(self, _query: object, _body: object) -> Response:
        return answer_json(200, [{"Id": id_, "RepoTags": [name]} for name, id_ in self.images.items()])

    def _make_network(self, _query: object, body: dict[str, Any]) -> Response:
        if body["Name"] in self.networks:
            return said(409, f"network with name {body['Name']} already exists")
        if self.vanishing:
            self.vanishing -= 1
            return said(500, "route ip+net: no such network interface")
        self.networks[body["Name"]] = {"Name": body["Name"], "Labels": body.get("Labels", {})}
        return answer_json(201, {"Id": body["Name"]})

    def _connect(self, name: str, _query: object, body: dict[str, Any]) -> Response:
        found = self.named(body["Container"])
        if found is None or name not in self.networks:
            return said(404, f"network {name} not found")
        found["NetworkSettings"]["Networks"][name] = {}
        return Response(200, {}, b"")

    def _networks(self, query: Mapping[str, str], _body: object) -> Response:
        wanted = set(json.loads(query["filters"])["label"])
        return answer_json(
            200, [one for one in self.networks.values() if wanted <= set(map("=".join, one["Labels"].items()))]
        )

    def _network(self, name: str, _query: object, _body: object) -> Response:
        found = self.networks.get(name)
        return answer_json(200, found) if found else said(404, f"network {name} not found")

    def _delete_network(self, name: str, _query: object, _body: object) -> Response:
        if any(name in one["NetworkSettings"]["Networks"] and runs(one) for one in self.containers.values()):
            return said(403, f"network {name} has active endpoints")
        return Response(204, {}, b"") if self.networks.pop(name, None) else said(404, f"network {name} not found")
