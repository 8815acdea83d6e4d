"""What `spec.ignore` may name, of every kind."""

from __future__ import annotations

import pytest

from reconciler.kinds.service import Service
from reconciler.load.ignored import refusal


@pytest.mark.parametrize("path", ["ports", "restart.policy", "stop.grace", "environment.LOG_LEVEL", "image"])
def test_a_field_of_a_service_or_a_part_of_a_mapping_can_be_ignored(path: str) -> None:
    assert refusal(path, Service) is None


@pytest.mark.parametrize("path", ["health", "schedule", "drift", "image.tag", "ports.host", "working_directory.x"])
def test_what_no_state_of_a_service_holds_cannot(path: str) -> None:
    assert (refusal(path, Service) is None) is (path == "working_directory.x")  # the model refuses that one


def test_what_is_not_even_text_is_left_to_the_model() -> None:
    assert refusal(5, Service) is None
