"""What `reconcile doctor` says about the backends: can each be used, be read, and will it run what it holds?

Each is asked what a plan of this tree would ask. Looks only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.engine.intents import PREFERENCE
from reconciler.engine.intents import intents as resolve_intents
from reconciler.engine.observe import Supports, wanted_by_provider
from reconciler.host.protocol import Host
from reconciler.load.desired import load
from reconciler.model.errors import ReconcileError
from reconciler.model.state import Owned
from reconciler.provider import HasAdvice, HasHealth, Provider, Unsupported, Wanted
from reconciler.registry import Registry

_START = "start it, and let it start with the host, or nothing that it holds will ever run"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing about a backend. `good`: nothing is wrong; `needed`: what is wrong stands in the way."""

    name: str
    good: bool
    needed: bool
    message: str
    hint: str = ""


def wanted(host: Host, tree: Path, inventory: Sequence[Owned], known: Registry) -> Mapping[str, Sequence[Wanted]]:
    """What a plan would look for, by backend. Raises LoadError where the manifests are not sound."""
    resources = load(tree, kinds=known.kinds, host=host, cache_dir=None).resources if tree.exists() else ()
    support = Supports(host, known.providers)
    return wanted_by_provider(
        resolve_intents(resources, known.providers, host.facts(), inventory, support), inventory
    )


def about(host: Host, name: str, provider: Provider, asked: Sequence[Wanted]) -> Iterator[Said]:
    """Everything about one backend. One that is not needed is a matter of taste."""
    needed = bool(asked) or name == PREFERENCE[host.facts().platform][0]
    idle = "" if needed else f"; no manifest asks for {name}"
    support = provider.probe(host)
    if isinstance(support, Unsupported):
        elsewhere = "" if needed else "not usable here, which matters only where you want it: "
        yield Said(name, not needed, needed, f"{elsewhere}{support.why}", support.hint or "")
        return
    try:
        provider.observe(host, asked)
    except ReconcileError as error:
        yield Said(name, False, needed, f"{error.message}{idle}", error.hint or "")
        return
    yield Said(name, True, needed, "is installed, and you may use it")
    if isinstance(provider, HasHealth):
        why = provider.health(host, ())
        yield (
            Said(name, False, needed, f"{why}{idle}", _START)
            if why
            else Said(name, True, needed, "will run what it holds")
        )
    if isinstance(provider, HasAdvice):
        yield from (Said(name, False, False, one.message, one.hint or "") for one in provider.advice(host))
