"""Which kinds and providers there are. Built-ins come from a table that mirrors the entry points, so that
looking them up costs nothing; plugins are looked for, and their code is run, only when the settings list them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from importlib import import_module
from pathlib import Path
from typing import cast

from reconciler.kinds.catalogue import BUILT_IN as kinds_built_in  # noqa: N811
from reconciler.kinds.catalogue import KindCatalogue
from reconciler.model.errors import ReconcileError
from reconciler.model.frozen import dataclass
from reconciler.provider import Provider

KINDS = "reconciler.kinds"
PROVIDERS = "reconciler.providers"

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    KINDS: kinds_built_in,
    PROVIDERS: {
        "container": "reconciler.providers.container.provider:Container",
        "crontab": "reconciler.providers.crontab.provider:Crontab",
        "embedded": "reconciler.providers.embedded.provider:Embedded",
        "launchd": "reconciler.providers.launchd.provider:Launchd",
        "port": "reconciler.providers.port.provider:Port",
        "systemd": "reconciler.providers.systemd.provider:Systemd",
    },
}


@dataclass(frozen=True, slots=True)
class Registry:
    """Kinds by name, resolved when first needed, and one instance of each provider."""

    kinds: KindCatalogue
    providers: Mapping[str, Provider]
    digests: Mapping[str, str] = field(default_factory=dict)  # plugin -> digest of its files, or its version


class Providers(Mapping[str, Provider]):
    """Providers by name, each imported and made when it is first asked for: most commands need one of them."""

    def __init__(self, targets: Mapping[str, tuple[str, str | None]]) -> None:
        self._targets = targets  # name -> module:Class, and the plugin that it comes from
        self._made: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> Provider:
        if name not in self._made:
            self._made[name] = _provider(*self._targets[name])
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._targets  # Mapping's own would import the provider to find out

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one plugin offers, by group and name, as `module:Class`; and which code that is."""

    targets: Mapping[str, Mapping[str, str]]
    digest: str


def registry(plugins: Sequence[str] = (), beside: Path | None = None) -> Registry:
    """The built-ins plus what the listed plugins offer. Raises ReconcileError where one is missing or broken.

    A plugin is the folder `plugins/NAME` beside the settings file, in the folder `beside`; else an installed
    distribution.
    """
    kinds, providers = dict(BUILT_IN[KINDS]), dict(BUILT_IN[PROVIDERS])
    digests: dict[str, str] = {}
    offered: dict[str, str] = {}  # provider -> plugin
    for name in plugins:
        found = _offer(name, beside)
        for group, known in ((KINDS, kinds), (PROVIDERS, providers)):
            _refuse_twins(name, known, found.targets[group])
            known.update(found.targets[group])
        offered |= dict.fromkeys(found.targets[PROVIDERS], name)
        digests[name] = found.digest
    made = Providers({name: (target, offered.get(name)) for name, target in sorted(providers.items())})
    for name in offered:  # a plugin that cannot be made is told at once, not in the middle of a plan
        made[name]
    return Registry(KindCatalogue(kinds, digests), made, digests)


def resolve(target: str) -> type:
    """The class that `package.module:Class` names."""
    module, _, name = target.partition(":")
    return cast("type", getattr(import_module(module), name))


def _provider(target: str, plugin: str | None) -> Provider:
    if plugin is None:
        return cast("Provider", resolve(target)())
    from reconciler.plugins import guarded

    with guarded(plugin):
        return cast("Provider", resolve(target)())


def _offer(name: str, beside: Path | None) -> Offer:
    folder = None if beside is None else beside / "plugins" / name
    if folder is not None and (folder / "__init__.py").is_file():
        from reconciler.plugins import load

        targets, digest = load(name, folder, {KINDS: "KINDS", PROVIDERS: "PROVIDERS"})
        offer = Offer(targets, digest)
    else:
        offer = _installed(name, folder)
    if not any(offer.targets.values()):
        raise ReconcileError(f"cannot load the plugin {name}: it offers no kinds and no providers")
    return offer


def _refuse_twins(plugin: str, known: Mapping[str, str], offered: Mapping[str, str]) -> None:
    for name in sorted(known.keys() & offered.keys()):
        raise ReconcileError(
            f"cannot load the plugin {plugin}: it offers {name}, and there is a {name} already",
            hint="a plugin adds kinds and providers, it never replaces one",
        )


def _installed(distribution: str, folder: Path | None) -> Offer:
    """The kinds and providers of one installed distribution."""
    from importlib import metadata

    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        message = f"cannot load the plugin {distribution}: no such distribution is installed"
        if folder is not None:
            message += f", and there is no {folder / '__init__.py'}"
        hint = f"install it, or take it out of `plugins` in reconciler.yaml: pip install {distribution}"
        raise ReconcileError(message, hint=hint) from None
    points = found.entry_points
    groups = {group: {e.name: e.value for e in points if e.group == group} for group in (KINDS, PROVIDERS)}
    return Offer(groups, f"version {found.version}")
