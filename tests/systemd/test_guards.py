"""A missing backend is a reason to skip on a laptop, and a failure in CI."""

from __future__ import annotations

import pytest

from tests.systemd.conftest import unavailable


def test_without_systemd_a_laptop_skips_and_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="because"):
        unavailable("because")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="because"):
        unavailable("because")
