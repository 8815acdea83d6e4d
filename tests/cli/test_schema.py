"""`reconcile schema`: a JSON Schema that accepts what loads."""

from __future__ import annotations

import json

from tests.cli.workplace import Workplace


def test_the_schema_describes_every_kind(workplace: Workplace) -> None:
    ran = workplace.run("schema")
    schema = json.loads(ran.out)
    assert ran.code == 0
    assert schema["$schema"].startswith("https://json-schema.org/")
    spec = schema["$defs"]["Automation"]
    assert {"schedule", "command"} <= set(spec["required"])
    assert spec["additionalProperties"] is False
    assert "workingDirectory" in spec["properties"]


def test_it_can_be_written_to_a_file(workplace: Workplace) -> None:
    ran = workplace.run("schema", "--out", "manifests.schema.json")
    assert (ran.code, ran.out) == (0, "")
    assert json.loads((workplace.folder / "manifests.schema.json").read_text()) == json.loads(
        workplace.run("schema").out
    )
    assert "yaml-language-server: $schema=manifests.schema.json" in ran.err


def test_a_folder_that_is_not_there_is_an_error(workplace: Workplace) -> None:
    ran = workplace.run("schema", "--out", "nowhere/schema.json")
    assert ran.code == 1
    assert "cannot write nowhere/schema.json" in ran.err
