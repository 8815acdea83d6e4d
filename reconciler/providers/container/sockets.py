"""Where the engine listens: DOCKER_HOST, the docker context, then the usual sockets. Reads only, asks no engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.errors import HostError, ReconcileError


class NoEngine(ReconcileError):
    """No container engine can be used here; the message is a sentence for people."""


def find(host: Host, environ: Mapping[str, str]) -> Path:
    """The socket of the engine, chosen as the docker client chooses. Raises NoEngine, or HostError.

    A socket whose engine is down is still the answer: another engine would not hold the same containers.
    """
    named = environ.get("DOCKER_HOST")
    if named:
        return _unix(named, "DOCKER_HOST")
    home = Path(environ.get("HOME") or "/root")
    context = _context(host, environ, home)
    if context is not None:
        return context
    for path in _usual(environ, home):
        if host.modified(path) is not None:
            return path
    raise NoEngine(
        "there is no socket of a container engine",
        hint="start Docker, or `systemctl --user enable --now podman.socket`, or set DOCKER_HOST=unix:///path",
    )


def _unix(address: str, source: str) -> Path:
    scheme, colon, path = address.partition("://")
    if not colon or scheme != "unix" or not path.startswith("/"):
        raise NoEngine(
            f"{source} names {address}, and only unix sockets of this machine are supported",
            hint=f"set {source} to unix:///path/to/docker.sock, or run reconcile on that machine",
        )
    return Path(path)


def _context(host: Host, environ: Mapping[str, str], home: Path) -> Path | None:
    """The socket of the context that `docker context use` chose; None for the default one."""
    folder = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    name = environ.get("DOCKER_CONTEXT")
    if not name:
        chosen = _mapping(host, folder / "config.json").get("currentContext")
        name = chosen if isinstance(chosen, str) else ""
    if name in ("", "default"):
        return None
    from hashlib import sha256

    meta = folder / "contexts" / "meta" / sha256(name.encode("utf-8", "surrogateescape")).hexdigest() / "meta.json"
    endpoints = _mapping(host, meta).get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    address = docker.get("Host") if isinstance(docker, dict) else None
    if not isinstance(address, str):
        hint = "`docker context ls` lists them; `docker context use default` goes back to the usual socket"
        raise NoEngine(f"the docker context {name} is chosen, and it is not defined in {folder}", hint=hint)
    return _unix(address, f"the docker context {name}")


def _mapping(host: Host, path: Path) -> Mapping[str, Json]:
    content = host.read(path)
    if content is None:
        return {}
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise HostError(f"cannot read {path}: it is not JSON ({error})") from error
    return cast("Mapping[str, Json]", value) if isinstance(value, dict) else {}


def _usual(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    runtime = environ.get("XDG_RUNTIME_DIR")
    yield Path("/var/run/docker.sock")
    if runtime:
        yield Path(runtime) / "docker.sock"
        yield Path(runtime) / "podman" / "podman.sock"
    yield Path("/run/podman/podman.sock")
    yield home / ".docker" / "run" / "docker.sock"  # Docker Desktop
    yield home / ".colima" / "default" / "docker.sock"
