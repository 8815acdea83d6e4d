"""The tcp probe: a port that must accept a connection."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.errors import HostError


def check(options: Mapping[str, Json], host: Host, timeout: float) -> str | None:
    """Connect and hang up again."""
    port, within = options["port"], options.get("within", 2)
    limit = min(float(within) if isinstance(within, int | float) else 2.0, timeout)
    try:
        host.connect(str(options["address"]), int(str(port)), timeout=limit)
    except HostError as error:
        return error.message
    return None
