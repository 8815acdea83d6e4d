"""Whether the supervisor really runs what is defined: it answers, follows the file, and has given nothing up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId, parse_address
from reconciler.model.errors import HostError
from reconciler.model.ills import NotYet
from reconciler.provider import Ills
from reconciler.providers.embedded import control

# What is starting is left to its probes, for as long as its verification allows. One that has ended by itself is
# no better after a moment in which it runs again.
_FINE = frozenset({"starting", "running", "ended"})
_PASSES = frozenset({"waiting", "stopping"})  # by themselves, unless what is waited for was given up
_SHOWN = 3  # lines of output in a sentence


def health(host: Host, ids: Sequence[ResourceId]) -> Ills:
    """Why it does not: as a whole, or with some services; None where it does."""
    try:
        where = control.site(host)
        found = control.status(host, where)
        if found is None:
            idle = not (ids or host.status(where.definitions) or host.status(where.accepted))  # it ends by itself
            return None if idle else "the embedded supervisor does not run"
        if found.get("refused"):
            return f"the embedded supervisor: {found['refused']}"
        if found.get("digest") != control.digest(host.read(where.definitions)):
            return "the embedded supervisor runs by older definitions"
    except HostError as error:
        return error.message
    services: Mapping[str, Mapping[str, Any]] = found.get("services", {})
    names = [str(id_) for id_ in ids] or sorted(services)
    wrong = {name: why for name in names if (why := _wrong(name, services.get(name))) is not None}
    return {parse_address(name): why for name, why in wrong.items()} or None


def _wrong(name: str, service: Mapping[str, Any] | None) -> str | None:
    if service is None:
        return "it is not known to the supervisor" if name.startswith("Service/") else None
    if service["state"] in _FINE:
        return None
    output = [line for line in service.get("output", ()) if line.strip()][-_SHOWN:]
    said = f"; its last output: {' | '.join(output)}" if output else ""
    reason = f": {service['reason']}" if service.get("reason") else ""
    why = f"it is {service['state']}{reason}{said}"
    return NotYet(why) if service["state"] in _PASSES and not service.get("stuck") else why
