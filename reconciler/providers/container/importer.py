"""Containers that somebody else made, as manifests; what cannot be carried over is said. Reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from reconciler.model.address import NAME_PATTERN
from reconciler.model.data import Json
from reconciler.model.lazy import pattern
from reconciler.provider import Imported
from reconciler.providers.container.api import Engine, Object
from reconciler.providers.container.rows import Row, row_of
from reconciler.providers.container.spec import POLICIES, RESTART_NOTES

_NAME = pattern(NAME_PATTERN)
_SIGNALS = {"15": "SIGTERM", "2": "SIGINT", "3": "SIGQUIT", "1": "SIGHUP", "9": "SIGKILL"}
_PLAIN_NETWORKS = frozenset({"default", "bridge", "podman", "slirp4netns", "pasta", ""})
# What a container may have and no manifest can say: place in the engine's description -> what to call it.
_BEYOND = {
    "Privileged": "privileged mode",
    "CapAdd": "added capabilities",
    "CapDrop": "dropped capabilities",
    "Devices": "devices",
    "DeviceRequests": "requests for devices",
    "Dns": "name servers",
    "DnsSearch": "search domains",
    "ExtraHosts": "extra hosts",
    "GroupAdd": "added groups",
    "Init": "an init process",
    "Memory": "a memory limit",
    "MemoryReservation": "a memory reservation",
    "NanoCpus": "a processor limit",
    "CpuQuota": "a processor quota",
    "CpuShares": "processor shares",
    "CpusetCpus": "chosen processors",
    "ReadonlyRootfs": "a read-only root",
    "SecurityOpt": "security options",
    "Sysctls": "kernel settings",
    "Tmpfs": "tmpfs mounts",
    "VolumesFrom": "volumes of other containers",
    "Links": "links to other containers",
}
# Labels of those who made it: on a container that they did not make these would be a lie.
_MAKERS = ("reconciler.", "com.docker.compose.", "io.podman.", "io.buildah.", "PODMAN_SYSTEMD_UNIT")


@dataclass(frozen=True, slots=True)
class Draft:
    """A container as a manifest would have it, and what no manifest can say."""

    spec: dict[str, Json]
    labels: dict[str, str]
    notes: tuple[str, ...]
    passing: bool  # it removes itself when it stops


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
        found.append(_imported(row, about, engine.image(row.image_id or row.image) or {}))
    return tuple(found)


def _imported(row: Row, about: Object, image: Object) -> Imported:
    draft = read(about, image)
    why = _refused(draft.spec)
    if draft.passing:
        why = "it was started with --rm: a container that takes its place could not be undone"
    metadata: dict[str, Json] = {"name": row.name, **({"labels": dict(draft.labels)} if draft.labels else {})}
    manifest: dict[str, Json] = {
        "apiVersion": "reconciler/v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": draft.spec,
    }
    where, text = f"container {row.name}", f"{row.image} as {row.name}"
    restart = RESTART_NOTES.get(str(_mapping(_mapping(about, "HostConfig"), "RestartPolicy").get("Name")))
    return Imported(where, text, None if why else manifest, why, (*draft.notes, *filter(None, [restart])))


def _refused(spec: Mapping[str, Json]) -> str | None:
    """Why the kind itself would not take it; the kind is what says what may stand in a manifest."""
    from reconciler.kinds.service import Service

    try:
        Service.spec_data(spec)
    except ValueError as error:
        return f"a manifest would refuse it: {error}"
    return None


def read(about: Object, image: Object) -> Draft:
    """A service's spec and labels from an inspection, without what the image says already; and what it cannot say."""
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
    policy = _mapping(host, "RestartPolicy")
    spec["restart"] = {"policy": POLICIES.get(str(policy.get("Name") or ""), "no")}
    if policy.get("MaximumRetryCount"):
        notes.append("the number of restarts cannot be carried over")
    signal = str(config.get("StopSignal") or "SIGTERM")
    spec["stop"] = {"signal": _SIGNALS.get(signal, signal), "grace": f"{config.get('StopTimeout') or 10}s"}
    notes += [f"{what} cannot be carried over" for name, what in _BEYOND.items() if host.get(name)]
    if config.get("Healthcheck") and config.get("Healthcheck") != base.get("Healthcheck"):
        notes.append("its own health check cannot be carried over: write `health` with what to ask from outside")
    return Draft(spec, _labels(config, base, notes), tuple(notes), bool(host.get("AutoRemove")))


def _labels(config: Object, base: Object, notes: list[str]) -> dict[str, str]:
    from reconciler.kinds.envelope import Metadata

    inherited, found = _mapping(base, "Labels"), {}
    for name, value in sorted(_mapping(config, "Labels").items()):
        if inherited.get(name) == value or name.startswith(_MAKERS):
            continue
        try:
            Metadata.model_validate({"name": "x", "labels": {name: value}})
        except ValueError:
            notes.append(f"its label {name} cannot be carried over")
        else:
            found[name] = str(value)
    if "com.docker.compose.project" in _mapping(config, "Labels"):
        notes.append("compose made it, and will not know what takes its place: take it out of the compose file")
    return found


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
