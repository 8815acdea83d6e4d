"""Where `reconcile import` finds what it turns into manifests: a backend, or a file of another tool. Only reads."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.app import App
    from reconciler.provider import Imported

_SUFFIXES = (".yaml", ".yml")


def is_file(source: str) -> bool:
    """Whether a file is meant; backends are called by one plain word."""
    return "/" in source or source.lower().endswith(_SUFFIXES)


def of_file(app: App, source: str) -> tuple[Imported, ...]:
    """What a compose file asks for. Raises ReconcileError where it cannot be read."""
    from reconciler.load.document import place_in, read_document
    from reconciler.model.errors import ReconcileError
    from reconciler.provider import Described, HasFileImport

    path = Path(source)
    try:
        content = path.read_bytes()
    except OSError as error:
        hint = "name a backend, or a compose file such as compose.yaml"
        raise ReconcileError(
            f"cannot import {source}: {(error.strerror or str(error)).lower()}", hint=hint
        ) from error
    document = read_document(source, content)
    described = Described(path.resolve(), document.plain(), partial(place_in, source, document))
    readers = [each for each in app.registry.providers.values() if isinstance(each, HasFileImport)]
    return tuple(entry for each in readers for entry in each.described(app.host, described))


def of_backend(app: App, backend: str, user: str | None) -> tuple[Imported, ...]:
    """What a backend holds that is not ours. Raises ReconcileError where there is none, or it cannot be read."""
    from reconciler.model.errors import ReconcileError
    from reconciler.provider import HasImport, Unsupported

    provider = app.registry.providers.get(backend)
    if provider is None or not isinstance(provider, HasImport):
        known = [name for name, each in app.registry.providers.items() if isinstance(each, HasImport)]
        cause = "there is no such backend" if provider is None else "it cannot describe its entries"
        hint = f"there are: {', '.join(sorted(known))}; or name a compose file, such as compose.yaml"
        raise ReconcileError(f"cannot import {backend}: {cause}", hint=hint)
    support = provider.probe(app.host)
    if isinstance(support, Unsupported):
        raise ReconcileError(f"cannot import {backend}: {support.why}", hint=support.hint)
    return provider.foreign(app.host, user)
