"""The listening probe: somebody must wait for others at a port. Implied by every Port, never written by hand."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.errors import HostError
from reconciler.model.port import overlap, reachable, spelled


def check(options: Mapping[str, Json], host: Host, timeout: float) -> str | None:
    """By the list of listeners; where TCP is forwarded unseen, by connecting."""
    protocol, port, address = str(options["protocol"]), int(str(options["port"])), str(options.get("address", ""))
    try:
        seen = host.listeners()
    except HostError as error:
        return error.message
    if any((one.protocol, one.port) == (protocol, port) and overlap(one.address, address) for one in seen):
        return None
    if protocol == "tcp":
        try:
            host.connect(reachable(address), port, timeout=min(2.0, timeout))
        except HostError:
            pass
        else:
            return None
    return f"{options['owner']} does not listen on {spelled(protocol, port, address)}"
