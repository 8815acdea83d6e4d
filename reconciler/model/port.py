"""Claims on ports, and when two addresses to listen on are in each other's way. Addresses are numeric; "" is all."""

from __future__ import annotations

from typing import NamedTuple, cast

from reconciler.model.state import State

ANY_IPV4, ANY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - compared, never bound
_MAPPED = "::ffff:"


class Claim(NamedTuple):
    """What a Port asks for. Its text is for people: `tcp port 3500 of 127.0.0.1`."""

    protocol: str
    port: int
    address: str

    def __str__(self) -> str:
        return f"{self.protocol} port {self.port}{f' of {self.address}' if self.address else ''}"

    def met_by(self, protocol: str, port: int, address: str) -> bool:
        """Whether somebody who listens there is where this claim is."""
        return (protocol, port) == (self.protocol, self.port) and overlap(address, self.address)


def claim(state: State) -> Claim:
    """The claim of a Port in this state."""
    attributes = state.attributes
    return Claim(str(attributes["protocol"]), cast(int, attributes["port"]), str(attributes.get("address", "")))


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
