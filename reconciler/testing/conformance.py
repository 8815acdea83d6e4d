"""The conformance suite: subclass `ProviderConformance`, set `harness`, and pytest runs every check.

Seven levels: basics, convergence, manners, truth (`promises`); undo, faults, hostile values (`endurance`).
"""

# ruff: noqa: E402 - failures shall show values, so pytest must know these modules before they are imported

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(*(f"reconciler.testing.{name}" for name in ("bench", "promises", "endurance")))

from reconciler.testing.endurance import Endurance
from reconciler.testing.harness import Harness
from reconciler.testing.promises import Promises

__all__ = ["Harness", "ProviderConformance"]


class ProviderConformance(Promises, Endurance):
    """What every provider promises. Checks that cannot apply are named, with the reason, in `harness.gaps`."""
