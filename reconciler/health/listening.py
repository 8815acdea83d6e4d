"""The listening probe: somebody must wait for others at a port. Implied by every Port, never written by hand."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.errors import HostError
from reconciler.model.port import Claim, reachable


def check(options: Mapping[str, Json], host: Host, timeout: float) -> str | None:
    """By the list of listeners; where TCP is forwarded unseen, by connecting."""
    claim = Claim(str(options["protocol"]), int(str(options["port"])), str(options.get("address", "")))
    try:
        seen = host.listeners()
    except HostError as error:
        return error.message
    if any(claim.met_by(one.protocol, one.port, one.address) for one in seen):
        return None
    if claim.protocol == "tcp":
        try:
            host.connect(reachable(claim.address), claim.port, timeout=min(2.0, timeout))
        except HostError:
            pass
        else:
            return None
    return f"{options['owner']} does not listen on {claim}"
