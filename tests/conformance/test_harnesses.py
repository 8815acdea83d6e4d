"""No provider without a harness: every one that pyproject.toml registers runs the conformance suite here."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from reconciler.testing.conformance import ProviderConformance

FOLDER = Path(__file__).parent
PYPROJECT = FOLDER.parents[1] / "pyproject.toml"


def registered() -> dict[str, str]:
    """Name and `module:Class` of each provider among the entry points."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    return dict(project["entry-points"]["reconciler.providers"])


def harnessed() -> set[str]:
    """`module:Class` of each provider that a suite in this folder is for."""
    names: set[str] = set()
    for file in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(f"{__package__}.{file.stem}")
        for suite in vars(module).values():
            if isinstance(suite, type) and issubclass(suite, ProviderConformance) and hasattr(suite, "harness"):
                provider = type(suite.harness.provider())
                names.add(f"{provider.__module__}:{provider.__qualname__}")
    return names


def without_harness(providers: Mapping[str, str], covered: Iterable[str]) -> list[str]:
    return sorted(name for name, place in providers.items() if place not in set(covered))


def test_every_registered_provider_has_a_harness() -> None:
    assert registered()
    assert without_harness(registered(), harnessed()) == []


def test_a_provider_without_a_harness_is_found() -> None:
    invented = {"crontab": "reconciler.providers.crontab.provider:Crontab", "invented": "somewhere:Invented"}
    assert without_harness(invented, harnessed()) == ["invented"]
