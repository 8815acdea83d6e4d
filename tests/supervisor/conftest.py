from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.supervisor.place import Site, site


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as found:
        yield found
