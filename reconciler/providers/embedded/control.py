"""The supervisor as the provider reaches it: its folder, what it answers, and how it is started."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from reconciler.host.limits import NoService
from reconciler.host.protocol import Host
from reconciler.model.errors import ApplyError, HostError
from reconciler.model.frozen import dataclass

START = 60.0  # seconds for the supervisor to answer after it was started
LOOK = 10.0
RELOAD = 600.0  # seconds: what is stopped by new definitions may take its grace


@dataclass(frozen=True, slots=True)
class Site:
    """The files of the supervisor on one host."""

    state: Path

    @property
    def folder(self) -> Path:
        return self.state / "supervisor"

    @property
    def definitions(self) -> Path:
        return self.folder / "definitions.json"

    @property
    def accepted(self) -> Path:
        return self.folder / "accepted.json"

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    @property
    def children(self) -> Path:
        return self.folder / "children.json"


def site(host: Host) -> Site:
    facts = host.facts()
    if facts.state:
        return Site(Path(facts.state))
    usual = Path("/var/lib") if facts.user == "root" else Path.home() / ".local/state"
    return Site(usual / "reconciler")


def digest(content: bytes | None) -> str:
    """What the supervisor says it runs by."""
    return "" if content is None else sha256(content).hexdigest()


def status(host: Host, where: Site) -> Mapping[str, Any] | None:
    """What the supervisor says of itself; None where none runs. Raises HostError."""
    try:
        answer = host.request(where.socket, "GET", "/status", timeout=LOOK)
    except NoService:
        return None
    return _read(answer.status, answer.body)


def reload(host: Host, where: Site) -> Mapping[str, Any]:
    """Make it run by the file as it is now; starts it where none runs. Raises ApplyError."""
    try:
        found = _post(host, where, "/reload")
        if found is None or found.get("stopping"):
            _start(host, where)
            found = _post(host, where, "/reload")
    except HostError as error:
        raise ApplyError(f"cannot tell the supervisor: {error.message}", hint=error.hint) from error
    if found is None:
        raise ApplyError("cannot start the supervisor: it does not answer", hint=f"see {where.folder}/supervisor.log")
    return found


def stop(host: Host, where: Site) -> None:
    """End it with all its services; none may run."""
    _post(host, where, "/stop")


def _post(host: Host, where: Site, target: str) -> Mapping[str, Any] | None:
    try:
        answer = host.request(where.socket, "POST", target, timeout=RELOAD)
    except NoService:
        return None
    return _read(answer.status, answer.body)


def _start(host: Host, where: Site) -> None:
    argv = [sys.executable, "-m", "reconciler.supervisor", "start", "--state", str(where.state)]
    done = host.execute(argv, timeout=START)
    if done.code != 0:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.code}"
        raise ApplyError(said if said.startswith("cannot") else f"cannot start the supervisor: {said}")


def _read(code: int, body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if code != 200 or not isinstance(found, dict):
        raise HostError(
            f"cannot understand the supervisor: it answers {code}", hint=body[:200].decode("utf-8", "replace")
        )
    return found
