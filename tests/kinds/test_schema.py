"""What the models say about themselves."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from reconciler.kinds.automation import Automation
from reconciler.kinds.catalogue import BUILT_IN, KindCatalogue
from reconciler.kinds.schema import explain, field_names, json_schema
from reconciler.model.errors import ReconcileError

MODELS = {"Automation": Automation}


def every(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) else []
    children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    return found + [each for child in children for each in every(child)]


def test_the_schema_describes_a_whole_manifest_and_refuses_unknown_fields() -> None:
    schema = json_schema(MODELS)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["oneOf"] == [{"$ref": "#/$defs/AutomationManifest"}]
    manifest = schema["$defs"]["AutomationManifest"]
    assert manifest["properties"]["kind"]["const"] == "Automation"
    assert manifest["properties"]["apiVersion"]["const"] == "reconciler/v1"
    assert set(manifest["required"]) == {"apiVersion", "kind", "metadata", "spec"}
    assert schema["$defs"]["Automation"]["required"] == ["schedule", "command"]
    objects = [each for each in every(schema) if each.get("type") == "object" and "properties" in each]
    assert all(each["additionalProperties"] is False for each in objects)


def test_the_schema_allows_short_probe_forms_and_no_nulls() -> None:
    schema = json_schema(MODELS)
    probe = schema["$defs"]["ProbeSpec"]["properties"]
    assert {"type": "string"} in probe["tcp"]["anyOf"]
    assert any(each.get("type") == "array" for each in probe["exec"]["anyOf"])
    assert not [each for each in every(schema) if each.get("type") == "null" or each.get("default", 0) is None]


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    schema = json_schema(MODELS)
    targets = {each["$ref"] for each in every(schema) if isinstance(each.get("$ref"), str)}
    assert {target.removeprefix("#/$defs/") for target in targets} <= schema["$defs"].keys()


def test_every_field_has_documentation() -> None:
    for name in field_names(Automation):
        assert f"Automation.{name}" in explain(MODELS, f"Automation.{name}")
    assert all(info.description for info in field_names(Automation).values())


def test_a_kind_is_explained_with_its_own_fields_first() -> None:
    lines = explain(MODELS, "Automation").splitlines()
    assert lines[0] == "Automation: A command that runs on a schedule."
    assert lines[2].startswith("  schedule ")
    assert all(len(line) <= 100 for line in lines)


def test_a_nested_field_is_explained_with_its_default() -> None:
    assert explain(MODELS, "Automation.verify.within").startswith("Automation.verify.within  (default: 1m)")
    assert "exitCode" in explain(MODELS, "Automation.verify.probes.exec")
    assert "(required)" in explain(MODELS, "Automation.metadata.name")


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("Automaton", "did you mean Automation?"),
        ("Automation.shedule", "did you mean schedule?"),
        ("Automation.schedule.x", None),
    ],
)
def test_what_is_not_there_cannot_be_explained(address: str, hint: str | None) -> None:
    with pytest.raises(ReconcileError, match=f"cannot explain {address}") as caught:
        explain(MODELS, address)
    assert caught.value.hint == hint


def test_the_catalogue_changes_its_digest_with_its_kinds() -> None:
    one, two = KindCatalogue(BUILT_IN), KindCatalogue(BUILT_IN | {"Other": "a:B"})
    assert one.digest == KindCatalogue(dict(BUILT_IN)).digest
    assert one.digest != two.digest
    assert one.spec_model("Automation") is Automation


def test_the_catalogue_needs_no_validation_library() -> None:
    program = (
        "import sys; from reconciler.kinds.catalogue import BUILT_IN, KindCatalogue; KindCatalogue(BUILT_IN).digest;"
        "print([name for name in ('pydantic', 'ruamel', 'ryaml') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
