"""A missing backend is a reason to skip on a laptop, and a failure in CI; nonsense from one has a hint that fits."""

from __future__ import annotations

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Completed
from reconciler.model.errors import ObserveError
from reconciler.providers.systemd.manager import ask
from tests.systemd.conftest import unavailable


def test_without_systemd_a_laptop_skips_and_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="because"):
        unavailable("because")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="because"):
        unavailable("because")


@pytest.mark.parametrize(
    ("said", "hint"),
    [(b"", "see what `systemctl` runs on this host"), (b"UnitPath=/mine\n", "unset SYSTEMD_UNIT_PATH")],
)
def test_a_manager_that_names_no_folder_of_ours_has_a_hint_that_fits(said: bytes, hint: str) -> None:
    host = FakeHost(programs={"systemctl": lambda _argv, _stdin: Completed(0, said, b"")})
    with pytest.raises(ObserveError) as caught:
        ask(host, "user")
    assert caught.value.hint == hint
