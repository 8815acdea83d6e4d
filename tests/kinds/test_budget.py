"""The budget of restarts: how it is written, and which backends keep it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from reconciler.kinds.service import Restart
from reconciler.model.data import Json
from reconciler.model.errors import UnsupportedSpec
from reconciler.providers.container.provider import Container
from reconciler.providers.embedded.provider import Embedded
from reconciler.providers.launchd.provider import Launchd
from reconciler.testing.builders import resource

BUDGET: Json = {"limit": 5, "within": 600}


def test_a_budget_is_a_number_and_a_time() -> None:
    assert Restart.model_validate({"budget": "5 in 10m"}).model_dump() == {"policy": "always", "budget": BUDGET}
    assert Restart.model_validate({}).model_dump() == {"policy": "always"}


@pytest.mark.parametrize("text", ["", "5", "0 in 10m", "5 in", "5 in 10", "5 per 10m", "-1 in 10m"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Restart.model_validate({"budget": text})


def test_who_cannot_keep_a_budget_refuses_it_by_field() -> None:
    spec: dict[str, Json] = {"command": ["serve"], "restart": {"policy": "always", "budget": BUDGET}}
    for provider, more in ((Launchd(), {}), (Container({}), {"image": "app:1"})):
        wanted = resource("Service/web", source="a.yaml", line=1, **spec, **more)
        with pytest.raises(UnsupportedSpec) as refusal:
            provider.canonical(wanted)
        assert refusal.value.field == "restart.budget"
    state = Embedded().canonical(resource("Service/web", source="a.yaml", line=1, **spec))
    assert state.attributes["restart"] == {"policy": "always", "limit": 5, "within": 600}
