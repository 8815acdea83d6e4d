"""When two addresses to listen on are in each other's way. Addresses are numeric; "" is every address."""

from __future__ import annotations

ANY_IPV4, ANY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - compared, never bound
_MAPPED = "::ffff:"


def overlap(one: str, other: str) -> bool:
    """Whether somebody who listens on one keeps the other from being listened on."""
    one, other = _plain(one), _plain(other)
    if one == other or {one, other} & {"", ANY_IPV6}:  # `::` takes IPv4 as well, unless told not to
        return True
    wide, narrow = (one, other) if one == ANY_IPV4 else (other, one)
    return wide == ANY_IPV4 and ":" not in narrow


def _plain(address: str) -> str:
    """IPv4 in IPv6 clothes as itself."""
    inner = address.removeprefix(_MAPPED)
    return inner if "." in inner else address


def reachable(address: str) -> str:
    """Where to connect to in order to reach somebody who listens on an address."""
    return {"": "127.0.0.1", ANY_IPV4: "127.0.0.1", ANY_IPV6: "::1"}.get(address, address)


def spelled(protocol: str, port: int, address: str) -> str:
    """`tcp port 3500 of 127.0.0.1`, for people."""
    return f"{protocol} port {port}{f' of {address}' if address else ''}"
