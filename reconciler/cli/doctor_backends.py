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
from reconciler.provider import HasAdvice, HasHealth, Provider, Unsupported, Wanted, told
from reconciler.registry import Registry, registry
from reconciler.settings import find

_START = "correct what it says; what does not run must be started: by `reconcile apply`, or as the host starts it"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing about a backend. `good`: nothing is wrong; `needed`: what is wrong stands in the way."""

    name: str
    good: bool
    needed: bool
    message: str
    hint: str = ""


def listed_plugins(tree: Path) -> tuple[str, ...]:
    """Read without the cache: looking must not fill it. Raises LoadError."""
    from reconciler.load.settings_file import settings_values

    path = find(tree)
    names = settings_values(path, path.read_bytes())["plugins"] if path is not None else []
    return tuple(map(str, names)) if isinstance(names, list) else ()


def known(tree: Path) -> Registry:
    """With the plugins of the settings where these are sound: whether they are, another check tells."""
    beside = find(tree)
    try:
        return registry(listed_plugins(tree), beside.parent if beside is not None else None)
    except (ReconcileError, ImportError, AttributeError):
        return registry()


def inventory(host: Host, state: Path) -> tuple[Owned, ...]:
    """What is ours, as far as the journal can be read: whether it can, another check tells."""
    from reconciler.journal.journal import FILE, Journal

    if not (state / FILE).exists():
        return ()
    try:
        with Journal.open(state, clock=host.clock, read_only=True) as journal:
            return journal.inventory()
    except ReconcileError:
        return ()


def wanted(
    host: Host, tree: Path | None, owned: Sequence[Owned], registry: Registry
) -> Mapping[str, Sequence[Wanted]]:
    """What a plan would look for, by backend. Raises LoadError where the manifests are not sound."""
    resources = (
        load(tree, kinds=registry.kinds, host=host, cache_dir=None).resources
        if tree is not None and tree.exists()
        else ()
    )
    support = Supports(host, registry.providers)
    return wanted_by_provider(resolve_intents(resources, registry.providers, host.facts(), owned, support), owned)


def about(host: Host, name: str, provider: Provider, asked: Sequence[Wanted], *, doubtful: bool) -> Iterator[Said]:
    """Everything about one backend, as far as it can be asked. One that is not needed is a matter of taste.

    `doubtful`: what a plan would ask is not known, because a backend broke when it was asked whether it can be used.
    """
    needed = bool(asked) or name == PREFERENCE[host.facts().platform][0]
    try:
        yield from _asked(host, name, provider, asked, needed)
    except ReconcileError as error:
        needed = needed or doubtful
        yield Said(name, False, needed, f"{error.message}{_idle(name, needed)}", error.hint or "")


def _idle(name: str, needed: bool) -> str:
    return "" if needed else f"; no manifest asks for {name}"


def _asked(host: Host, name: str, provider: Provider, asked: Sequence[Wanted], needed: bool) -> Iterator[Said]:
    support = provider.probe(host)
    if isinstance(support, Unsupported):
        elsewhere = "" if needed else "not usable here, which matters only where you want it: "
        yield Said(name, not needed, needed, f"{elsewhere}{support.why}", support.hint or "")
        return
    provider.observe(host, asked)
    yield Said(name, True, needed, "is installed, and you may use it")
    if isinstance(provider, HasHealth):
        if why := told(provider.health(host, ())):
            yield Said(name, False, needed, f"{why}{_idle(name, needed)}", _START)
        else:
            yield Said(name, True, needed, "will run what it holds")
    if isinstance(provider, HasAdvice):
        yield from (Said(name, False, False, one.message, one.hint or "") for one in provider.advice(host))
