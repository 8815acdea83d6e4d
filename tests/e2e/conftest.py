"""One throw-away account per worker; every test starts with no crontab, no journal, no manifests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.beside_engine import place, standing  # noqa: F401 - fixtures
from tests.e2e.machine import Machine, add_user, remove_user, why_no_cron
from tests.e2e.matrix import manager, rack  # noqa: F401 - fixtures

_NUMBERS = count()


@pytest.fixture(scope="session")
def account() -> Iterator[str]:
    why = why_no_cron()
    if why is not None:
        if os.environ.get("CI"):
            pytest.fail(f"the real cron is missing, and this is CI: {why}")
        pytest.skip(why)
    name = f"rec-{os.getpid()}-{next(_NUMBERS)}"  # a folder that takes this fixture over gets its own
    add_user(name)
    yield name
    remove_user(name)


@pytest.fixture
def machine(account: str, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(account, tmp_path)
    made.tree.mkdir()
    made.clear()
    yield made
    made.clear()
