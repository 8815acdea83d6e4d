"""Plugins that are folders: their digest, and loading them by path under a name that nothing else has.

Only what the settings list comes here. Foreign code runs here, so anything that it raises becomes one clear error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from reconciler.model.data import bytes_digest
from reconciler.model.errors import ReconcileError

_TARGET = re.compile(r"\.[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def load(name: str, folder: Path, groups: Mapping[str, str]) -> tuple[dict[str, dict[str, str]], str]:
    """By group: what the plugin offers, as absolute `module:Class`; and the digest of its files.

    `groups` maps each group to the name that the package binds: a mapping of names to `.module:Class`.
    """
    folder = folder.resolve()
    digest = folder_digest(folder)
    own = bytes_digest(f"{digest} {folder}".encode("utf-8", "surrogateescape"))[:12]
    module = f"reconciler_plugin_{re.sub(r'[^A-Za-z0-9]', '_', name)}_{own}"
    with guarded(name):
        package = _import(module, folder)
    offered = {group: _targets(name, package, variable) for group, variable in groups.items()}
    return offered, digest


def folder_digest(folder: Path) -> str:
    """Changes whenever a file of the plugin does, by name or content. Compiled files do not count."""
    parts: list[bytes] = []
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                parts += [str(path.relative_to(folder)).encode("utf-8", "surrogateescape"), path.read_bytes()]
    except OSError as error:
        raise ReconcileError(f"cannot read the plugin in {folder}: {error.strerror}", where=error.filename) from error
    return bytes_digest(b"".join(b"%d:%b" % (len(part), part) for part in parts))


def _import(module: str, folder: Path) -> ModuleType:
    if module in sys.modules:
        return sys.modules[module]
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(module, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a package")
    package = module_from_spec(spec)
    sys.modules[module] = package
    try:
        spec.loader.exec_module(package)
    except BaseException:
        del sys.modules[module]
        raise
    return package


def _targets(plugin: str, package: ModuleType, variable: str) -> dict[str, str]:
    found = getattr(package, variable, {})
    good = isinstance(found, Mapping) and all(
        isinstance(name, str) and isinstance(target, str) and _TARGET.fullmatch(target)
        for name, target in found.items()
    )
    if not good:
        raise ReconcileError(
            f"cannot load the plugin {plugin}: its {variable} is not a mapping of names to places",
            where=package.__file__,
            hint=f'write for example {variable} = {{"example": ".provider:Example"}}',
        )
    return {name: f"{package.__name__}{target}" for name, target in found.items()}


@contextmanager
def guarded(plugin: str) -> Iterator[None]:
    """Whatever the plugin's code raises, as an error that names the plugin and the line."""
    try:
        yield
    except ReconcileError:
        raise
    except Exception as error:  # foreign code: it may raise anything
        if isinstance(error, SyntaxError):
            where = f"{error.filename}:{error.lineno}"
        else:
            last = extract_tb(error.__traceback__)[-1]
            where = f"{last.filename}:{last.lineno}"
        raise ReconcileError(
            f"cannot load the plugin {plugin}: {type(error).__name__}: {error}",
            where=where,
            hint="repair it, or take it out of `plugins` in reconciler.yaml",
        ) from error
