"""Which kinds and providers there are. Built-ins come from a table that mirrors the entry points, so that
looking them up costs nothing; installed plugins are looked up only when the settings list them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from reconciler.kinds.catalogue import BUILT_IN as kinds_built_in  # noqa: N811
from reconciler.kinds.catalogue import KindCatalogue
from reconciler.model.errors import ReconcileError
from reconciler.provider import Provider

KINDS = "reconciler.kinds"
PROVIDERS = "reconciler.providers"

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    KINDS: kinds_built_in,
    PROVIDERS: {
        "crontab": "reconciler.providers.crontab.provider:Crontab",
        "port": "reconciler.providers.port.provider:Port",
    },
}


@dataclass(frozen=True, slots=True)
class Registry:
    """Kinds by name, resolved when first needed, and one instance of each provider."""

    kinds: KindCatalogue
    providers: Mapping[str, Provider]


def registry(plugins: Sequence[str] = ()) -> Registry:
    """The built-ins plus the entry points of the listed plugins. Raises ReconcileError where one is missing."""
    kinds, providers = dict(BUILT_IN[KINDS]), dict(BUILT_IN[PROVIDERS])
    for name in plugins:
        found = _entry_points(name)
        kinds |= found[KINDS]
        providers |= found[PROVIDERS]
    return Registry(
        KindCatalogue(kinds),
        {name: cast("Provider", resolve(target)()) for name, target in sorted(providers.items())},
    )


def resolve(target: str) -> type:
    """The class that `package.module:Class` names."""
    module, _, name = target.partition(":")
    return cast("type", getattr(import_module(module), name))


def _entry_points(distribution: str) -> dict[str, dict[str, str]]:
    """The kinds and providers of one installed distribution."""
    from importlib import metadata

    try:
        found = metadata.distribution(distribution).entry_points
    except metadata.PackageNotFoundError:
        message = f"cannot load the plugin {distribution}: no such distribution is installed"
        hint = f"install it, or take it out of `plugins` in reconciler.yaml: pip install {distribution}"
        raise ReconcileError(message, hint=hint) from None
    groups = {group: {e.name: e.value for e in found if e.group == group} for group in (KINDS, PROVIDERS)}
    if not any(groups.values()):
        raise ReconcileError(f"cannot load the plugin {distribution}: it offers no kinds and no providers")
    return groups
