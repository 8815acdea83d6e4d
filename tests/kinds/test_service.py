"""What a Service hands on from its spec to what asks after it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.kinds.service import Service


@pytest.mark.parametrize(
    ("fields", "directory"),
    [
        ({"command": ["a"]}, None),
        ({"command": ["a"], "workingDirectory": "~/x"}, "~/x"),
        ({"command": ["a"], "workingDirectory": "~/x", "user": "bob"}, "~bob/x"),
        ({"image": "a", "workingDirectory": "/app"}, None),
    ],
)
def test_probes_run_in_the_folder_of_a_program_but_not_in_that_of_a_container(
    fields: dict[str, Any], directory: str | None
) -> None:
    assert Service.model_validate(fields).probe_directory() == directory
