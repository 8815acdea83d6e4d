"""Which kinds there are, by name; their models are imported only when a manifest must be validated.

Must not import pydantic, nor any kind, at import time: a cached load never needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import reconciler
from reconciler.model.data import Json, digest
from reconciler.model.errors import ReconcileError
from reconciler.model.frozen import dataclass

if TYPE_CHECKING:
    from reconciler.kinds.common import CommonSpec
    from reconciler.kinds.envelope import Manifest

BUILT_IN = {
    "Automation": "reconciler.kinds.automation:Automation",
    "Port": "reconciler.kinds.port:Port",
    "Service": "reconciler.kinds.service:Service",
}
LATER = frozenset({"Check", "Threshold", "Backup", "Alert", "Notifier"})
_SHAPING = ("kinds", "load", "model")  # folders whose code decides what a manifest is read as


@dataclass(frozen=True, slots=True)
class KindCatalogue:
    """Kind names, each with the place of its spec model, "module:Class"."""

    targets: Mapping[str, str]
    plugins: Mapping[str, str] = field(default_factory=dict)  # digest of the code of each, for `digest`

    @property
    def digest(self) -> str:
        """Changes whenever the same manifest could be read differently: another version, other kinds."""
        targets: dict[str, Json] = dict(self.targets)
        return digest([reconciler.__version__, targets, dict(self.plugins), _code_stamp()])

    def spec_model(self, kind: str) -> type[CommonSpec]:
        """The model of a kind's spec. KeyError for a kind that is not here."""
        return _spec_model(self.targets[kind])

    def manifest_model(self, kind: str) -> type[Manifest[CommonSpec]]:
        """The model of a whole manifest of this kind."""
        return _manifest_model(self.targets[kind])


@cache
def _spec_model(target: str) -> type[CommonSpec]:
    module, _, name = target.partition(":")
    try:
        return cast("type[CommonSpec]", getattr(import_module(module), name))
    except (ImportError, AttributeError, SyntaxError) as error:  # the code of a plugin
        raise ReconcileError(
            f"cannot load the model {target}: {error}", hint="repair or remove its plugin"
        ) from error


@cache
def _manifest_model(target: str) -> type[Manifest[CommonSpec]]:
    from reconciler.kinds.envelope import Manifest

    spec: Any = _spec_model(target)
    return Manifest[spec]


@cache
def _code_stamp() -> list[Json]:
    """Size and time of the files that shape a manifest, so that a cache never outlives an edited installation."""
    root = Path(reconciler.__file__).parent
    stamps: list[Json] = []
    for folder in _SHAPING:
        for file in sorted((root / folder).glob("*.py")):
            stat = file.stat()
            stamps.append([f"{folder}/{file.name}", stat.st_size, stat.st_mtime_ns])
    return stamps
