"""From a service's spec to the state of its container, and from a state to what the engine is asked to make. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import ceil
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.data import Json, canonical_text
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.lazy import pattern
from reconciler.model.limits import Limits
from reconciler.model.resource import Resource
from reconciler.model.state import State

ID = "reconciler.id"
HOLDER = "reconciler.holder"  # whose reconciler made it: an engine is shared by users, and by state folders
STATE = "reconciler.state"
DIGEST = "reconciler.digest"
IMAGE = "reconciler.image"
NETWORK = "reconciler.network"
RELEASED = "reconciler.released"
PREFIX = "reconciler."

OBSERVED_ONLY = (
    "status",
    "name",
    "record",
    "lost",
    "passing",
)  # a state has these only where a container is not as it was made
ENGINE_NETWORKS = frozenset({"host", "none", "bridge", "default"})

_HOSTNAME = pattern(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,62})")
_UNFIT = pattern("[\0\ud800-\udfff]")
# `always` would start a container that was set aside, when the engine starts again.
_RESTART = {"always": "unless-stopped", "on-failure": "on-failure", "no": "no"}
# Policies of others, in our word; and what a person who reads that word should know.
POLICIES = {"always": "always", "unless-stopped": "always", "on-failure": "on-failure", "no": "no", "": "no"}
RESTART_NOTES = {
    "unless-stopped": "restart: unless-stopped is written as policy: always, which makes it unless-stopped again",
    "always": "restart: always becomes unless-stopped: what somebody stopped stays so when the engine starts again",
}


def canonical(resource: Resource) -> State:
    """The state of the container that this resource asks for. Raises UnsupportedSpec, naming the field."""
    limits = Limits()
    _refuse_foreign_wishes(resource.id, resource.spec, limits)
    wanted = _wanted(resource, limits)
    attributes = {name: value for name, value in wanted.items() if value is not None and value not in ([], {})}
    for name, value in attributes.items():
        with limits:
            _refuse_unfit("metadata.labels" if name == "labels" else name, value)
    limits.end()
    return State(attributes)


def _wanted(resource: Resource, limits: Limits) -> dict[str, Json]:
    spec = resource.spec
    networks = sorted(set(_texts(spec.get("networks"))))
    _refuse_networks(networks, spec, limits)
    pull = spec.get("pull") or "missing"
    wanted: dict[str, Json] = {
        "image": spec.get("image"),
        "pull": pull if pull != "missing" else None,
        "command": _argv(spec.get("command")),
        "entrypoint": _argv(spec.get("entrypoint")),
        "user": spec.get("user"),
        "environment": spec.get("environment"),
        "volumes": sorted(_texts(spec.get("volumes"))),
        "networks": networks,
        "restart": cast("Mapping[str, str]", spec.get("restart") or {}).get("policy", "always"),
        "stop": _stop(cast("Mapping[str, Json]", spec.get("stop") or {})),
    }
    with limits:
        wanted["workingDirectory"] = _directory(spec.get("workingDirectory"))
    with limits:
        wanted["hostname"] = _hostname(spec.get("hostname"))
    with limits:
        wanted["ports"] = _ports(cast("Sequence[Mapping[str, Json]]", spec.get("ports") or ()))
    with limits:
        wanted["labels"] = _labels(resource.labels or {})
    return wanted


def _refuse_foreign_wishes(id_: ResourceId, spec: Mapping[str, Json], limits: Limits) -> None:
    if spec.get("image") is None:
        hint = "write image, or use supervisor: systemd, launchd or embedded"
        limits.add("a container needs an image", field="image", hint=hint)
    if spec.get("supervisor") in ("systemd", "launchd"):
        limits.add(f"{spec['supervisor']} is asked for, not containers", field="supervisor")
    if spec.get("scope") is not None:
        cause = "a container belongs to its engine, not to a session"
        limits.add(cause, field="scope", hint="choose the engine with DOCKER_HOST, or use supervisor: systemd")
    if cast("Mapping[str, Json]", spec.get("restart") or {}).get("budget"):
        cause = "a container engine counts no restarts in a time"
        limits.add(cause, field="restart.budget", hint="leave it out, or use supervisor: embedded or systemd")
    if len(id_.name) < 2:
        limits.add("container names have at least two characters", field="metadata.name")
    if ".reconciler-" in id_.name:
        cause = "names with .reconciler- are kept for containers that are set aside"
        limits.add(cause, field="metadata.name", hint="give it another name")


def _refuse_networks(networks: Sequence[str], spec: Mapping[str, Json], limits: Limits) -> None:
    special = ENGINE_NETWORKS.intersection(networks)
    if special and len(networks) > 1:
        cause = f"the network {min(special)} cannot be combined with others"
        limits.add(cause, field="networks", hint="keep that one, or the others")
    if special & {"host", "none"} and spec.get("ports"):
        cause = f"no port can be published on the network {min(special)}"
        limits.add(cause, field="ports", hint="leave ports out, or name another network")


def _argv(value: Json) -> Json:
    return ["/bin/sh", "-c", value] if isinstance(value, str) else value


def _directory(value: Json) -> Json:
    if isinstance(value, str) and not value.startswith("/"):
        raise UnsupportedSpec(f"{value!r} is not a folder inside a container", field="workingDirectory")
    return value


def _hostname(value: Json) -> Json:
    if isinstance(value, str) and _HOSTNAME.fullmatch(value) is None:
        raise UnsupportedSpec(f"{value!r} is not a host name", field="hostname")
    return value


def _ports(ports: Sequence[Mapping[str, Json]]) -> list[Json]:
    found: dict[tuple[str, str, int], Mapping[str, Json]] = {}
    for port in ports:
        address, protocol = str(port.get("address", "127.0.0.1")), str(port.get("protocol", "tcp"))
        key = (protocol, address, int(str(port["host"])))
        if key in found:
            raise UnsupportedSpec(f"port {key[2]} of {address} is published twice", field="ports")
        found[key] = {"host": key[2], "target": int(str(port["target"])), "address": address, "protocol": protocol}
    return [found[key] for key in sorted(found)]


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    for name in labels:
        if name.startswith(PREFIX):
            raise UnsupportedSpec(
                f"the label {name} is ours to set", field="metadata.labels", hint="give it another name"
            )
    return labels


def _stop(stop: Mapping[str, Json]) -> dict[str, Json]:
    grace = stop.get("grace")
    return {"signal": stop.get("signal") or "SIGTERM", "grace": 10 if grace is None else grace}


def _texts(value: Json) -> list[str]:
    return [str(item) for item in cast("Sequence[Json]", value or ())]


def _refuse_unfit(name: str, value: Json) -> None:
    """What no container can be given. Looked for in every text, names of variables and labels too."""
    if isinstance(value, str):
        if _UNFIT.search(value):
            raise UnsupportedSpec("a NUL character or half a character cannot be passed to a container", field=name)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_unfit(name, key)
            _refuse_unfit(name, item)
    elif isinstance(value, Sequence):
        for item in value:
            _refuse_unfit(name, item)


def as_made(state: State) -> State:
    """The state without what only an observation can hold: how the container was made."""
    return State({name: value for name, value in state.attributes.items() if name not in OBSERVED_ONLY})


def collide(one: State, other: State) -> bool:
    """Whether two at once would want the same port or write to the same volume."""
    if other.attributes.get("networks") == ["host"]:
        return True
    published = [
        (p["host"], p["protocol"])
        for state in (one, other)
        for p in cast("Sequence[Mapping[str, Json]]", state.attributes.get("ports", ()))
    ]
    volumes = any(not volume.endswith(":ro") for volume in _texts(other.attributes.get("volumes")))
    return len(set(published)) < len(published) or volumes


def marks(id_: ResourceId, state: State, image: str, holder: str, *, released: bool = False) -> dict[str, str]:
    """The labels that make a container ours, or say that it was, and tell later what it was made from."""
    if released:
        return {RELEASED: str(id_), HOLDER: holder}
    made, told = as_made(state), {ID: str(id_), HOLDER: holder}
    return told | {STATE: canonical_text(made.attributes), DIGEST: made.digest, IMAGE: image}


def body(state: State, labels: Mapping[str, str], home: str) -> dict[str, Json]:
    """What the engine is asked to make. `home` is what ~ means in the path of a folder on this machine."""
    wanted = state.attributes
    ports = cast("Sequence[Mapping[str, Json]]", wanted.get("ports", ()))
    bindings: dict[str, list[Json]] = {}
    for port in ports:
        published = {"HostIp": port["address"], "HostPort": str(port["host"])}
        bindings.setdefault(f"{port['target']}/{port['protocol']}", []).append(published)
    networks = _texts(wanted.get("networks"))
    stop = cast("Mapping[str, Json]", wanted.get("stop", {}))
    host_config: dict[str, Json] = {
        "Binds": [_bind(volume, home) for volume in _texts(wanted.get("volumes"))],
        "PortBindings": bindings,
        "RestartPolicy": {"Name": _RESTART[str(wanted.get("restart", "always"))]},
        "NetworkMode": networks[0] if networks else None,
    }
    made: dict[str, Json] = {
        "Image": wanted["image"],
        "Entrypoint": wanted.get("entrypoint"),
        "Cmd": wanted.get("command"),
        "WorkingDir": wanted.get("workingDirectory"),
        "User": wanted.get("user"),
        "Hostname": wanted.get("hostname"),
        "Env": [
            f"{name}={value}"
            for name, value in sorted(cast("Mapping[str, str]", wanted.get("environment", {})).items())
        ],
        "ExposedPorts": {name: {} for name in bindings},
        "Labels": {**cast("Mapping[str, str]", wanted.get("labels", {})), **labels},
        "StopSignal": stop.get("signal"),
        "StopTimeout": ceil(cast(float, stop.get("grace", 10))),
        "HostConfig": {name: value for name, value in host_config.items() if value is not None},
    }
    return {name: value for name, value in made.items() if value is not None}


def _bind(volume: str, home: str) -> str:
    return f"{home}{volume[1:]}" if volume.startswith("~/") else volume


def document(id_: ResourceId, state: State) -> str:
    """The container as text for a person: its name and what it was made from."""
    return json.dumps({"container": id_.name, **state.attributes}, ensure_ascii=False, indent=2, sort_keys=True)
