"""Look at the host once and make the snapshot that the whole pass decides on. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reconciler.host.protocol import Host
from reconciler.host.recall import RecallingHost
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import ObserveError
from reconciler.model.frozen import dataclass
from reconciler.model.intent import Intent
from reconciler.model.state import Observed, Owned, Ownership, Quarantined, Snapshot
from reconciler.provider import Provider, Supported, Wanted


@dataclass(frozen=True, slots=True)
class Memory:
    """What the journal knows and a plan depends on."""

    inventory: tuple[Owned, ...]
    inventory_lost: bool
    quarantine: tuple[Quarantined, ...]
    notices: tuple[str, ...]
    mask_key: str
    several: frozenset[str] = frozenset()  # backends that have had more than one keeper


class Supports:
    """Asks each backend at most once whether it can be used on a host, just before a look at that host."""

    def __init__(self, host: Host, providers: Mapping[str, Provider]) -> None:
        self._host = host
        self._providers = providers
        self._asked: dict[str, RecallingHost] = {}
        self.why: dict[str, str | None] = {}  # of the backends asked so far: None where it can be used

    def __call__(self, name: str) -> str | None:
        """Why this backend cannot be used, or None."""
        if name not in self.why:
            host = self._asked[name] = RecallingHost(self._host)
            found = self._providers[name].probe(host)
            if isinstance(found, Supported):
                self.why[name] = None
            else:
                self.why[name] = f"{found.why}; {found.hint}" if found.hint else found.why
        return self.why[name]

    def host(self, name: str) -> Host:
        """The host for the look at a backend that was asked: what its probe has just heard, it need not ask again."""
        return self._asked[name].again()


def observe(
    host: Host,
    providers: Mapping[str, Provider],
    intents: Sequence[Intent],
    memory: Memory,
    support: Supports | None = None,
    also: frozenset[str] = frozenset(),
    unseen: dict[str, ObserveError] | None = None,
) -> Snapshot:
    """One snapshot of every backend that is wanted, holds something of ours or is in `also`.

    Raises ObserveError where one cannot be looked at; with `unseen`, notes that there and leaves out what it holds.
    """
    found: list[Observed] = []
    notices: list[str] = []
    facts: dict[str, Mapping[str, Json]] = {}
    support = support or Supports(host, providers)
    wanted = wanted_by_provider(intents, memory.inventory)
    for name in sorted(providers):
        # After a loss any backend may hold something of ours, and one with several keepers always; no other unasked.
        needed = name in wanted or name in also
        if not (needed or memory.inventory_lost or name in memory.several) or support(name) is not None:
            continue
        try:
            observation = providers[name].observe(support.host(name), wanted.get(name, ()))
        except ObserveError as error:
            if needed and unseen is not None:
                unseen[name] = error
            elif needed or also:  # a snapshot is to be planned on elsewhere: nothing may be missing in it
                raise
            else:
                notices.append(_unseen(name, error))
            continue
        found += observation.found
        facts[name] = observation.facts
        notices += observation.notices
    inventory = _inventory(memory, found, unseen or {})
    lost = memory.inventory_lost and bool(inventory)
    return Snapshot(
        taken=host.clock.now(),
        host=host.facts(),
        found=tuple(sorted(found, key=lambda item: (item.id, item.provider, item.where))),
        facts=facts,
        unsupported={name: why for name, why in sorted(support.why.items()) if why is not None},
        inventory=inventory,
        inventory_lost=lost,
        quarantine=memory.quarantine,
        notices=(*memory.notices, *(_loss_notice(len(inventory)) if lost else ()), *notices),
        mask_key=memory.mask_key,
    )


def wanted_by_provider(intents: Sequence[Intent], inventory: Sequence[Owned]) -> dict[str, tuple[Wanted, ...]]:
    """What each provider is to look for: desired states, last applied states, or both."""
    pairs: dict[tuple[str, ResourceId], Wanted] = {}
    for entry in inventory:
        pairs[entry.provider, entry.id] = Wanted(entry.id, None, entry.state)
    for intent in intents:
        known = pairs.get((intent.provider, intent.id))
        pairs[intent.provider, intent.id] = Wanted(intent.id, intent.state, known.applied if known else None)
    wanted: dict[str, list[Wanted]] = {}
    for (provider, _), item in sorted(pairs.items(), key=lambda pair: pair[0]):
        wanted.setdefault(provider, []).append(item)
    return {name: tuple(items) for name, items in wanted.items()}


def _inventory(memory: Memory, found: Sequence[Observed], unseen: Collection[str]) -> tuple[Owned, ...]:
    """What is known to be ours. Where that was lost, the marks tell: what carries ours is ours, as it stands."""
    if not memory.inventory_lost:
        return tuple(entry for entry in memory.inventory if entry.provider not in unseen)
    ours = (item for item in found if item.ownership is Ownership.OURS and item.trouble is None)
    return tuple(Owned(item.id, item.provider, item.state) for item in ours)


def _unseen(name: str, error: ObserveError) -> str:
    """A backend that nobody asks for. What it holds stays out of the inventory, and so is never pruned."""
    return (
        f"{error.message[:1].upper()}{error.message[1:]}. No manifest asks for {name}: what it holds is left alone."
    )


def _loss_notice(count: int) -> tuple[str, ...]:
    things = f"{count} things on this host carry" if count != 1 else "1 thing on this host carries"
    return (
        (
            f"No inventory was found, although {things} our mark. Ownership is rebuilt from the marks; "
            "nothing is pruned in this pass."
        ),
    )
