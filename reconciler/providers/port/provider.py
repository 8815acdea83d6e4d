"""The port provider. A Port is a claim in a register, and the register is the inventory itself: nothing on the host.

So what is observed of a claim is what was last applied (`Wanted.applied`): creating one is entering it, deleting one
is striking it out, and apply has nothing to write. An inventory that is lost takes the claims along, not the ports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId, parse_address
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import HostError, ObserveError, UnsupportedSpec
from reconciler.model.port import claim
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, Observed, Ownership, State
from reconciler.provider import Finding, Support, Supported, Wanted

REGISTER = "the register of ports"


class Port:
    """Holds claims and knows what speaks against them. Stateless."""

    name: ClassVar[str] = "port"
    kinds: ClassVar[frozenset[str]] = frozenset({"Port"})
    lock: ClassVar[str | None] = None

    def probe(self, host: Host) -> Support:  # noqa: ARG002
        return Supported()

    def canonical(self, resource: Resource) -> State:
        spec = resource.spec
        wanted: dict[str, Json] = {
            "port": spec["port"],
            "protocol": spec.get("protocol") or "tcp",
            "owner": _owner(cast(str, spec["owner"])),
        }
        if spec.get("address") is not None:
            wanted["address"] = _address(cast(str, spec["address"]))
        return State(wanted)

    def document(self, id: ResourceId, state: State) -> str:  # noqa: ARG002
        return f"{state.attributes['owner']} listens on {claim(state)}"

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        from reconciler.providers.port.facts import facts

        changed = [
            (item, item.desired) for item in wanted if item.desired is not None and item.desired != item.applied
        ]
        moves = {
            str(item.id): (claim(item.applied), claim(desired))
            for item, desired in changed
            if item.applied is not None and item.applied.attributes["owner"] == desired.attributes["owner"]
        }
        try:
            seen = facts(host, [claim(desired) for _, desired in changed], moves)
        except HostError as error:
            raise ObserveError(f"cannot look at the ports: {error.message}", hint=error.hint) from error
        held = [(item.id, item.applied) for item in wanted if item.applied is not None]
        return Observation(tuple(self._entry(id_, state) for id_, state in sorted(held, key=_by_id)), seen)

    def _entry(self, id_: ResourceId, state: State) -> Observed:
        return Observed(id_, self.name, state, Ownership.OURS, REGISTER, self.document(id_, state))

    def batch(self, change: Change) -> str | None:  # noqa: ARG002
        return "ports"

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        """Nothing to write: the engine notes each claim in the inventory once its step is done."""

    def review(
        self, facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
    ) -> tuple[Finding, ...]:
        from reconciler.providers.port.review import review

        return review(facts, after, changes)


def _by_id(entry: tuple[ResourceId, State]) -> ResourceId:
    return entry[0]


def _owner(text: str) -> str:
    try:
        owner = parse_address(text)
    except ValueError as error:
        raise UnsupportedSpec(str(error), field="owner") from error
    if owner.kind == "Port":
        raise UnsupportedSpec(f"{owner} is a claim itself and listens nowhere", field="owner")
    return str(owner)


def _address(text: str) -> str:
    """One spelling of each address, so that two claims can be compared."""
    import ipaddress

    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        hint = "write for example 127.0.0.1, or leave it out for every address"
        raise UnsupportedSpec(f"{text!r} is not an IP address", field="address", hint=hint) from None
    return str(getattr(found, "ipv4_mapped", None) or found)
