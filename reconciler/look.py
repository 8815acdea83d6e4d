"""One look at the host: the intents that a tree has there, and the snapshot that they are decided on. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler import jobs, own, past
from reconciler.engine.intents import intents as resolve_intents
from reconciler.engine.observe import Supports, observe
from reconciler.host.protocol import Host
from reconciler.model.errors import ObserveError
from reconciler.model.intent import Intent
from reconciler.model.resource import Desired, Resource
from reconciler.model.state import Snapshot
from reconciler.provider import Provider
from reconciler.settings import Folders

if TYPE_CHECKING:
    from reconciler.journal.journal import Journal


def look(
    desired: Desired,
    journal: Journal,
    folders: Folders,
    host: Host,
    providers: Mapping[str, Provider],
    *,
    ours: tuple[Resource, ...] | None,
    whole_tree: bool,
    also: frozenset[str],
    unseen: dict[str, ObserveError] | None,
) -> tuple[tuple[Intent, ...], Snapshot]:
    """`ours`: what `reconcile self` wants; None for what it installed. `also`: backends to look at in any case.

    With `unseen`, backends that cannot be looked at are noted there and left out; else they raise ObserveError.
    """
    from reconciler.journal.lock import holder

    applying = holder(folders.state) if journal.read_only else None
    remembered = past.memory(journal, None if applying is None else str(applying))
    support = Supports(host, providers)
    mine = own.in_force(journal, remembered.inventory, providers, support) if ours is None else ours
    resources = own.joined(desired.resources, mine if whole_tree else ())
    wanted = resolve_intents(resources, providers, host.facts(), remembered.inventory, support)
    seen = observe(host, providers, wanted, remembered, support, also.intersection(providers), unseen)
    wanted = tuple(intent for intent in wanted if intent.provider not in (unseen or ()))
    snapshot = replace(seen, own=mine)
    if host.facts().runner:
        snapshot = replace(snapshot, jobs=jobs.remembered(folders.state, wanted, snapshot.inventory))
    return wanted, snapshot
