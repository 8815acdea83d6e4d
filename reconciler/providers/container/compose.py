"""A compose file, already parsed, as manifests: what can be said the same way is, and the rest is listed. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.model.address import NAME_PATTERN
from reconciler.model.data import Json
from reconciler.provider import Imported

_POLICIES = {"always": "always", "unless-stopped": "always", "on-failure": "on-failure", "no": "no"}
_PORT = re.compile(
    r"(?:(?P<address>[0-9.]+|\[[0-9a-fA-F:]+\]):)?(?P<host>[0-9]+):(?P<target>[0-9]+)(?:/(?P<protocol>tcp|udp))?"
)
_SILENT = frozenset({"container_name", "build", "image"})  # spoken of where they are read


@dataclass(slots=True)
class _Draft:
    """One service while it is read: its spec so far, and what could not be carried over."""

    spec: dict[str, Json] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def lose(self, what: str) -> None:
        self.notes.append(f"{what} cannot be carried over")


def compose(document: Mapping[str, Json]) -> tuple[Imported, ...]:
    """Every service of the file, in its order, as a manifest with notes, or why it cannot be one."""
    services = document.get("services")
    if not isinstance(services, dict):
        return (Imported("the compose file", "", None, "it has no services"),)
    volumes = _external(document.get("volumes"))
    found = [_service(name, about, volumes) for name, about in services.items()]
    lost = sorted(set(document) - {"services", "version", "name", "volumes", "networks"})
    if lost:
        found.append(Imported("the compose file", ", ".join(lost), None, f"{', '.join(lost)}: not carried over"))
    return tuple(found)


def _external(volumes: Json) -> Mapping[str, str]:
    """Compose puts the project before the name of a volume; only one with a name of its own keeps it."""
    if not isinstance(volumes, dict):
        return {}
    named = {key: about.get("name") for key, about in volumes.items() if isinstance(about, dict)}
    return {key: name for key, name in named.items() if isinstance(name, str)}


def _service(name: str, about: Json, volumes: Mapping[str, str]) -> Imported:
    where = f"service {name}"
    if not isinstance(about, dict):
        return Imported(where, "", None, "it is not a mapping")
    called = str(about.get("container_name") or name)
    if re.fullmatch(NAME_PATTERN, called) is None or len(called) < 2:
        return Imported(where, called, None, f"a manifest cannot be called {called}")
    if not isinstance(about.get("image"), str):
        return Imported(where, called, None, "it names no image: build it, give it a name and write that")
    draft = _Draft({"supervisor": "container", "image": about["image"]})
    if "build" in about:
        draft.notes.append("build is not carried over: the image must be there already")
    for key, value in about.items():
        reader = _READERS.get(key)
        if reader is not None:
            reader(draft, value)
        elif key not in _SILENT:
            draft.lose(key)
    _stop(draft, about)
    draft.spec.setdefault("restart", {"policy": "no"})
    _name_volumes(draft, volumes)
    if "$" in str(draft.spec):
        draft.notes.append("it holds $: compose would fill in variables there, a manifest keeps the text")
    manifest: dict[str, Json] = {
        "apiVersion": "reconciler/v1",
        "kind": "Service",
        "metadata": {"name": called},
        "spec": draft.spec,
    }
    why = _refused(draft.spec)
    return Imported(where, called, None if why else manifest, why, tuple(draft.notes))


def _refused(spec: Mapping[str, Json]) -> str | None:
    from reconciler.kinds.service import Service

    try:
        Service.spec_data(spec)
    except ValueError as error:
        return f"a manifest would refuse it: {error}"
    return None


def _command(draft: _Draft, value: Json) -> None:
    draft.spec["command"] = shlex.split(value) if isinstance(value, str) else value  # compose runs no shell


def _environment(draft: _Draft, value: Json) -> None:
    from reconciler.kinds.fields import variable_name

    pairs = value.items() if isinstance(value, dict) else [_pair(str(item)) for item in _list(value)]
    found: dict[str, Json] = {}
    for name, item in pairs:
        if item is None:
            draft.lose(f"the variable {name} from the environment of compose")
            continue
        try:
            found[variable_name(name)] = str(item).lower() if isinstance(item, bool) else str(item)
        except ValueError as error:
            draft.notes.append(f"the variable {name} is left out: {error}")
    if found:
        draft.spec["environment"] = found


def _pair(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    return name, value if equals else None


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _ports(draft: _Draft, value: Json) -> None:
    found: list[Json] = []
    for item in _list(value):
        port = _port(item)
        if port is None:
            draft.lose(f"the port {item}")
        else:
            found.append(port)
    if found:
        draft.spec["ports"] = found


def _port(item: Json) -> Json:
    """Compose publishes on every address where none is given; a manifest must say so."""
    everywhere = "0.0.0.0"  # noqa: S104
    if isinstance(item, dict):
        published, target = str(item.get("published", "")), item.get("target")
        if not published.isdigit() or not isinstance(target, int):
            return None
        address, protocol = item.get("host_ip") or everywhere, item.get("protocol") or "tcp"
        return {"host": int(published), "target": target, "address": address, "protocol": protocol}
    match = _PORT.fullmatch(str(item))
    if match is None:
        return None
    return {
        "host": int(match["host"]),
        "target": int(match["target"]),
        "address": (match["address"] or everywhere).strip("[]"),
        "protocol": match["protocol"] or "tcp",
    }


def _volumes(draft: _Draft, value: Json) -> None:
    found: list[Json] = []
    for item in _list(value):
        text = item if isinstance(item, str) else _mount(item)
        source, colon, rest = (text or "").partition(":")
        if not text or not colon or source.startswith(".") or not rest.startswith("/"):
            draft.lose(f"the volume {item}")
        else:
            found.append(text)
    if found:
        draft.spec["volumes"] = found


def _mount(item: Json) -> str | None:
    if not isinstance(item, dict) or item.get("type") not in ("volume", "bind") or not item.get("source"):
        return None
    return f"{item['source']}:{item.get('target')}{':ro' if item.get('read_only') else ''}"


def _name_volumes(draft: _Draft, names: Mapping[str, str]) -> None:
    volumes: list[Json] = []
    for volume in _list(draft.spec.get("volumes")):
        source, _, rest = str(volume).partition(":")
        if not source.startswith(("/", "~")) and source not in names:
            draft.notes.append(f"the volume {source} is called PROJECT_{source} by compose: its data stay there")
        volumes.append(f"{names.get(source, source)}:{rest}")
    if volumes:
        draft.spec["volumes"] = volumes


def _networks(draft: _Draft, value: Json) -> None:
    names = sorted(value) if isinstance(value, dict) else [str(item) for item in _list(value)]
    if isinstance(value, dict) and any(value.values()):
        draft.lose("aliases and addresses on networks")
    kept = [name for name in names if name != "default"]
    if kept:
        draft.spec["networks"] = kept


def _restart(draft: _Draft, value: Json) -> None:
    word = "no" if value is False else str(value).partition(":")[0]
    if ":" in str(value):
        draft.lose("the number of restarts")
    draft.spec["restart"] = {"policy": _POLICIES.get(word, "no")}


def _depends(draft: _Draft, value: Json) -> None:
    names = sorted(value) if isinstance(value, dict) else [str(item) for item in _list(value)]
    draft.spec["dependsOn"] = [f"Service/{name}" for name in names]


def _network_mode(draft: _Draft, value: Json) -> None:
    if value in ("host", "none", "bridge"):
        draft.spec["networks"] = [value]
    else:
        draft.lose(f"network_mode {value}")


def _stop(draft: _Draft, about: Mapping[str, Json]) -> None:
    found = {"signal": about.get("stop_signal"), "grace": about.get("stop_grace_period")}
    stop: dict[str, Json] = {name: value for name, value in found.items() if value is not None}
    if stop:
        draft.spec["stop"] = stop


def _as(name: str) -> Callable[[_Draft, Json], None]:
    def read(draft: _Draft, value: Json) -> None:
        draft.spec[name] = str(value)

    return read


def _ignored(draft: _Draft, value: Json) -> None:
    """Read together with others."""


_READERS: Mapping[str, Callable[[_Draft, Json], None]] = {
    "command": _command,
    "environment": _environment,
    "ports": _ports,
    "volumes": _volumes,
    "networks": _networks,
    "network_mode": _network_mode,
    "restart": _restart,
    "depends_on": _depends,
    "working_dir": _as("workingDirectory"),
    "user": _as("user"),
    "hostname": _as("hostname"),
    "stop_signal": _ignored,
    "stop_grace_period": _ignored,
}
