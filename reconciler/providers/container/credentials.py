"""What to show a registry, found as the docker client and Podman find it. Reads only; nothing of it is kept or shown.

The answer is the value of one header for the engine's socket. Errors name the registry and never what was found.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.errors import HostError

_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HUB = "docker.io"
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", _HUB)
_TIMEOUT = 30.0


def credentials(host: Host, environ: Mapping[str, str], image: str) -> str | None:
    """The header X-Registry-Auth for fetching this image, or None. Raises HostError where a file or helper fails."""
    keys = _keys(image)
    for path in _files(environ):
        found = _in_file(host, path, keys)
        if found is not None:
            return urlsafe_b64encode(json.dumps(found).encode()).decode("ascii")
    return None


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    """The docker client's own first, then Podman's; the first with an entry counts."""
    home = Path(environ.get("HOME") or "/root")
    yield Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    named, runtime = environ.get("REGISTRY_AUTH_FILE"), environ.get("XDG_RUNTIME_DIR")
    if named:
        yield Path(named)
    yield (Path(runtime) / "containers" if runtime else Path("/run/containers/0")) / "auth.json"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"


def _keys(image: str) -> list[str]:
    """What an entry for this image may be called, the most exact first: Podman's may name a part of a registry."""
    head, slash, _ = image.partition("/")
    named = bool(slash) and ("." in head or ":" in head or head == "localhost")
    path = (image if named else f"{_HUB}/{image}").partition("@")[0]
    parts = re.sub(r":[^/:]*$", "", path).split("/")
    exact = ["/".join(parts[:count]) for count in range(len(parts), 1, -1)]
    registry = parts[0]
    plain = [registry, f"https://{registry}", f"https://{registry}/v1/", f"https://{registry}/v2/"]
    return exact + (list(_HUB_KEYS) if registry == _HUB else plain)


def _in_file(host: Host, path: Path, keys: list[str]) -> dict[str, str] | None:
    content = host.read(path)
    try:
        config: Json = json.loads(content) if content else {}
    except (ValueError, RecursionError):
        raise HostError(f"cannot read {path}: it is not JSON") from None
    if not isinstance(config, dict):
        return None
    helpers, store, entries = (config.get(name) for name in ("credHelpers", "credsStore", "auths"))
    for key in keys:
        helper = helpers.get(key) if isinstance(helpers, dict) else None
        if isinstance(helper, str) or (isinstance(store, str) and store and _registered(entries, key)):
            found = _ask(host, str(helper or store), key)
            if found is not None:
                return found
        entry = entries.get(key) if isinstance(entries, dict) else None
        if isinstance(entry, dict) and (found := _entry(path, key, entry)) is not None:
            return found
    return None


def _registered(entries: Json, key: str) -> bool:
    """Whether somebody logged in there: with a store, the client leaves an empty entry behind."""
    return isinstance(entries, dict) and key in entries


def _entry(path: Path, key: str, entry: Mapping[str, Json]) -> dict[str, str] | None:
    token, auth = entry.get("identitytoken"), entry.get("auth")
    if isinstance(token, str) and token:
        return {"identitytoken": token, "serveraddress": key}
    if not isinstance(auth, str) or not auth:
        return None
    try:
        user, colon, password = b64decode(auth, validate=True).decode().partition(":")
    except ValueError:
        colon = ""
    if not colon:
        raise HostError(
            f"cannot use the entry for {key} in {path}: its auth is not a name and a password",
            hint=f"log in again: `docker login {key}`",
        )
    return {"username": user, "password": password.strip("\0"), "serveraddress": key}


def _ask(host: Host, helper: str, key: str) -> dict[str, str] | None:
    """What a helper program knows. Its answer never gets into a message."""
    program = f"docker-credential-{helper}"
    if _HELPER.fullmatch(helper) is None:
        raise HostError(f"cannot ask a helper for the credentials of {key}: {helper!r} is no name of one")
    done = host.query([program, "get"], timeout=_TIMEOUT, stdin=key.encode())
    if done.code != 0:
        if b"credentials not found" in done.stdout + done.stderr:
            return None
        raise HostError(
            f"cannot get the credentials of {key}: {program} ended with status {done.code}",
            hint=f"log in again: `docker login {key}`",
        )
    try:
        said = json.loads(done.stdout)
        user, secret = str(said["Username"]), str(said["Secret"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise HostError(f"cannot understand {program}: it did not answer with a name and a secret") from None
    if user == "<token>":
        return {"identitytoken": secret, "serveraddress": key}
    return {"username": user, "password": secret, "serveraddress": key}
