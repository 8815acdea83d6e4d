"""docs/writing-a-provider.md says what the code says."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

from reconciler import provider
from reconciler.testing.harness import HOSTILE_TEXTS, Harness
from tests.plugins.loading import ROOT

GUIDE = (ROOT / "docs/writing-a-provider.md").read_text()
EXCERPT = re.compile(r"```python\n# (plugins/\S+)\n(.+?)```", re.DOTALL)


def members(kind: type) -> set[str]:
    own = {name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")}
    return own | {name for name in kind.__annotations__ if not name.startswith("_")}


def test_every_excerpt_stands_in_its_file() -> None:
    found = EXCERPT.findall(GUIDE)
    assert len(found) == 4
    for file, text in found:
        assert text in (ROOT / file).read_text(), file


def test_every_member_of_the_protocol_and_of_a_harness_is_explained() -> None:
    capabilities = {name: kind for name, kind in vars(provider).items() if name.startswith("Has")}
    for name in capabilities:
        assert f"`{name}`" in GUIDE
    for kind in (provider.Provider, *capabilities.values(), Harness):
        assert {name for name in members(kind) if not re.search(rf"`{name}\b", GUIDE)} == set(), kind


def test_every_module_and_file_that_is_named_is_there() -> None:
    for name in set(re.findall(r"\breconciler(?:\.[a-z]+)+", GUIDE)) - {"reconciler.yaml", "reconciler.providers"}:
        import_module(name)
    for path in set(re.findall(r"`((?:plugins|tests|reconciler)/[\w./]+)`", GUIDE)):
        assert (ROOT / path).exists(), path


def test_its_numbers_are_right() -> None:
    from reconciler.testing.conformance import ProviderConformance

    checks = [name for name, _ in inspect.getmembers(ProviderConformance) if name.startswith("test_")]
    assert f"runs {len(checks)} checks with {len(HOSTILE_TEXTS)} hostile texts" in GUIDE
