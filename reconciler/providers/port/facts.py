"""What the host says about its ports: who listens, which are special, which claims were tried or moved in vain.

Reads and tries only. Names of programs are facts, their arguments and process ids are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.host.protocol import Host, Listener
from reconciler.model.data import Json
from reconciler.model.errors import HostError
from reconciler.model.port import Claim, reachable

_SYSTEM = Path("/proc/sys/net/ipv4")
_DARWIN_EPHEMERAL = (49152, 65535)
_LIMIT = 65536
UNKNOWN = "a process that this user may not see"
CONNECT = 0.5  # seconds for the answer of one's own machine


_RELAYS = ("docker-proxy",)  # a process for each port, whoever it relays to


def facts(host: Host, claims: Sequence[Claim], moves: Mapping[str, tuple[Claim, Claim]]) -> dict[str, Json]:
    """Facts for a review. Only `claims` that nobody is seen to hold are tried: by bind, and then by connect.

    `moves` are claims that an owner gives up for others, by address.
    """
    listeners = host.listeners()
    tried: dict[str, Json] = {}
    for claim in sorted(set(claims)):
        seen = any(claim.met_by(one.protocol, one.port, one.address) for one in listeners)
        why = None if seen else _attempt(host, claim)
        if why is not None:
            tried[key(claim)] = why
    others: dict[str, Json] = {
        id_: names for id_, (old, new) in moves.items() if (names := _others(listeners, old, new))
    }
    return {"listeners": [_fact(one) for one in listeners], "tried": tried, "others": others, **_special(host)}


def _others(listeners: Sequence[Listener], old: Claim, new: Claim) -> Sequence[Json]:
    """Who listens where an owner wants to move and is not the process that listens where it is now."""
    own = [one for one in listeners if old.met_by(one.protocol, one.port, one.address) and one.pid is not None]
    there = [one for one in listeners if new.met_by(one.protocol, one.port, one.address)] if own else []
    known = {one.pid for one in own}
    relayed = any(one.program in _RELAYS for one in own)
    others = [one for one in there if one.pid not in known and not (relayed and one.program in _RELAYS)]
    return sorted({one.program or UNKNOWN for one in others})


def key(claim: Claim) -> str:
    protocol, port, address = claim
    return f"{protocol} {address or '*'} {port}"


def _fact(one: Listener) -> dict[str, Json]:
    fact: dict[str, Json] = {"protocol": one.protocol, "port": one.port, "address": one.address}
    return fact if one.program is None else {**fact, "program": one.program}


def _attempt(host: Host, claim: Claim) -> str | None:
    """Why the port cannot be had although nobody is seen there: other network stacks forward ports unseen."""
    protocol, port, address = claim
    why = host.can_bind(address, port, protocol)
    if why is not None or protocol == "udp":
        return why
    try:
        host.connect(reachable(address), port, timeout=CONNECT)
    except HostError:
        return None
    return "somebody answers there"


def _special(host: Host) -> dict[str, Json]:
    """Which ports the system keeps for itself or for root."""
    about = host.facts()
    if about.platform != "linux":
        return {"ephemeral": list(_DARWIN_EPHEMERAL), "reserved": [], "unprivileged": 0}
    low, high = (_text(host, "ip_local_port_range") or "32768 60999").split()
    start = 0 if about.user == "root" else int(_text(host, "ip_unprivileged_port_start") or 1024)
    reserved = [_span(part) for part in (_text(host, "ip_local_reserved_ports") or "").split(",") if part.strip()]
    return {"ephemeral": [int(low), int(high)], "reserved": list(reserved), "unprivileged": start}


def _text(host: Host, name: str) -> str | None:
    content = host.read(_SYSTEM / name, limit=_LIMIT * 8)
    return None if content is None else content.decode("ascii", "replace").strip()


def _span(text: str) -> list[Json]:
    low, _, high = text.strip().partition("-")
    return [int(low), int(high or low)]
