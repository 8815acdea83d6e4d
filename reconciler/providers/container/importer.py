"""Containers that somebody else made, as manifests; what cannot be carried over is said. Reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.address import NAME_PATTERN
from reconciler.model.data import Json
from reconciler.model.lazy import pattern
from reconciler.provider import Imported
from reconciler.providers.container.api import Engine, Object
from reconciler.providers.container.rows import row_of

_NAME = pattern(NAME_PATTERN)
_POLICIES = {"always": "always", "unless-stopped": "always", "on-failure": "on-failure", "no": "no", "": "no"}
_SIGNALS = {"15": "SIGTERM", "2": "SIGINT", "3": "SIGQUIT", "1": "SIGHUP", "9": "SIGKILL"}
_PLAIN_NETWORKS = frozenset({"default", "bridge", "podman", "slirp4netns", "pasta", ""})
# What a container may have and no manifest can say: place in the engine's description -> what to call it.
_BEYOND = {
    "Privileged": "privileged mode",
    "CapAdd": "added capabilities",
    "CapDrop": "dropped capabilities",
    "Devices": "devices",
    "Dns": "name servers",
    "ExtraHosts": "extra hosts",
    "Memory": "a memory limit",
    "NanoCpus": "a processor limit",
    "ReadonlyRootfs": "a read-only root",
    "SecurityOpt": "security options",
    "Tmpfs": "tmpfs mounts",
}


def foreign(engine: Engine, mark: str) -> tuple[Imported, ...]:
    """Every running container without our mark, sorted by name."""
    rows = sorted((row_of(item) for item in engine.containers()), key=lambda row: row.name)
    found = []
    for row in rows:
        if mark in row.labels or not row.runs or not row.stands:
            continue
        about = engine.container(row.id)
        if about is None:
            continue
        where, text = f"container {row.name}", f"{row.image} as {row.name}"
        if _NAME.fullmatch(row.name) is None or len(row.name) < 2:
            why = f"a manifest cannot be called {row.name}: rename the container to small letters, digits, . and -"
            found.append(Imported(where, text, None, why))
            continue
        spec, notes = spec_of(about, engine.image(row.image_id or row.image) or {})
        refused = _refused(spec)
        manifest = None if refused else _manifest(row.name, spec)
        found.append(Imported(where, text, manifest, refused, tuple(notes)))
    return tuple(found)


def _manifest(name: str, spec: Mapping[str, Json]) -> dict[str, Json]:
    return {"apiVersion": "reconciler/v1", "kind": "Service", "metadata": {"name": name}, "spec": dict(spec)}


def _refused(spec: Mapping[str, Json]) -> str | None:
    """Why the kind itself would not take it; the kind is what says what may stand in a manifest."""
    from reconciler.kinds.service import Service

    try:
        Service.spec_data(spec)
    except ValueError as error:
        return f"a manifest would refuse it: {error}"
    return None


def spec_of(about: Object, image: Object) -> tuple[dict[str, Json], list[str]]:
    """A service's spec from an inspection, without what the image says already; and what it cannot say."""
    config, host = _mapping(about, "Config"), _mapping(about, "HostConfig")
    base = _mapping(image, "Config")
    notes: list[str] = []
    spec: dict[str, Json] = {"supervisor": "container", "image": str(config.get("Image") or about.get("ImageName"))}
    command = config.get("Cmd")
    if command and command != base.get("Cmd"):
        spec["command"] = command
    if config.get("Entrypoint") and config.get("Entrypoint") != base.get("Entrypoint"):
        spec["entrypoint"] = config["Entrypoint"]
    for ours, theirs in (("workingDirectory", "WorkingDir"), ("user", "User")):
        # An image that says nothing means /; Podman says so of a container, Docker does not.
        if config.get(theirs) and config.get(theirs) not in (
            base.get(theirs),
            "/" if ours == "workingDirectory" else "",
        ):
            spec[ours] = config[theirs]
    if config.get("Hostname") and not str(about.get("Id", "")).startswith(str(config["Hostname"])):
        spec["hostname"] = config["Hostname"]
    environment = _environment(config, base, notes)
    if environment:
        spec["environment"] = environment
    _add(spec, "ports", _ports(host, notes))
    _add(spec, "volumes", sorted(_volumes(host, about, notes)))
    _add(spec, "networks", _networks(about, host))
    policy = str(_mapping(host, "RestartPolicy").get("Name") or "")
    spec["restart"] = {"policy": _POLICIES.get(policy, "no")}
    signal = str(config.get("StopSignal") or "SIGTERM")
    spec["stop"] = {"signal": _SIGNALS.get(signal, signal), "grace": f"{config.get('StopTimeout') or 10}s"}
    notes += [f"{what} cannot be carried over" for name, what in _BEYOND.items() if host.get(name)]
    return spec, notes


def _add(spec: dict[str, Json], name: str, value: Sequence[Json]) -> None:
    if value:
        spec[name] = value


def _mapping(item: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    found = item.get(name)
    return found if isinstance(found, dict) else {}


def _environment(config: Object, base: Object, notes: list[str]) -> dict[str, str]:
    from reconciler.kinds.fields import variable_name

    inherited = set(cast("Sequence[str]", base.get("Env") or ()))
    found: dict[str, str] = {}
    for pair in cast("Sequence[str]", config.get("Env") or ()):
        name, _, value = pair.partition("=")
        if pair in inherited or name in ("PATH", "HOSTNAME", "HOME", "TERM", "container"):
            continue
        try:
            found[variable_name(name)] = value
        except ValueError as error:
            notes.append(f"its variable {name} is left out: {error}")
    return found


def _ports(host: Object, notes: list[str]) -> list[Json]:
    found: list[Json] = []
    for key, bindings in sorted(_mapping(host, "PortBindings").items()):
        target, _, protocol = key.partition("/")
        for binding in cast("Sequence[Mapping[str, str]]", bindings or ()):
            if not binding.get("HostPort"):
                notes.append(f"port {key} is published on a port that the engine chose; it is left out")
                continue
            found.append(
                {
                    "host": int(binding["HostPort"]),
                    "target": int(target),
                    "address": binding.get("HostIp") or "0.0.0.0",  # noqa: S104 - what the engine means
                    "protocol": protocol or "tcp",
                }
            )
    return found


def _volumes(host: Object, about: Object, notes: list[str]) -> list[str]:
    found: list[str] = []
    for bind in cast("Sequence[str]", host.get("Binds") or ()):
        source, target, *mode = bind.split(":")
        read_only = bool(mode) and "ro" in mode[0].split(",")
        found.append(f"{source}:{target}{':ro' if read_only else ''}")
    targets = {volume.split(":")[1] for volume in found}
    for mount in cast("Sequence[Mapping[str, Json]]", about.get("Mounts") or ()):
        if mount.get("Destination") in targets:
            continue
        name = str(mount.get("Name") or "")
        if mount.get("Type") == "volume" and name and re.fullmatch(r"[0-9a-f]{64}", name) is None:
            found.append(f"{name}:{mount['Destination']}{'' if mount.get('RW', True) else ':ro'}")
        elif mount.get("Type") == "bind":
            found.append(f"{mount['Source']}:{mount['Destination']}{'' if mount.get('RW', True) else ':ro'}")
        else:
            notes.append(f"the nameless volume at {mount.get('Destination')} stays with the old container")
    return found


def _networks(about: Object, host: Object) -> list[str]:
    mode = str(host.get("NetworkMode") or "")
    if mode in ("host", "none"):
        return [mode]
    names = _mapping(_mapping(about, "NetworkSettings"), "Networks")
    return sorted(name for name in names if name not in _PLAIN_NETWORKS)
