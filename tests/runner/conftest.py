"""Each test has a state folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
