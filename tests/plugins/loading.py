"""The plugin of this repository, loaded as the settings would load it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from reconciler.registry import Registry, registry

ROOT = Path(__file__).parents[2]


def loaded() -> Registry:
    return registry(("file",), ROOT)


def module(name: str) -> Any:
    """A module of the plugin, whatever it is called once it is loaded."""
    provider = loaded().providers["file"]
    package = type(provider).__module__.rpartition(".")[0]
    return sys.modules[f"{package}.{name}"]
