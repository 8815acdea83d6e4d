"""`reconcile explain`: meaning, type, default and example of everything that a manifest may hold."""

from __future__ import annotations

import pytest

from reconciler.kinds.schema import field_names
from reconciler.registry import registry
from tests.cli.workplace import Workplace


def test_without_a_name_it_lists_the_kinds(workplace: Workplace) -> None:
    ran = workplace.run("explain")
    assert ran.code == 0
    assert "  Automation  A command that runs on a schedule." in ran.out


def test_a_kind_is_explained_with_all_its_fields(workplace: Workplace) -> None:
    ran = workplace.run("explain", "Automation")
    assert ran.code == 0
    for name in field_names(registry().kinds.spec_model("Automation")):
        assert f"\n  {name} " in ran.out


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (
            "Automation.schedule",
            ["(required)", "When to run", "type: text, or a mapping", 'example: schedule: "0 6 * * *"'],
        ),
        ("Automation.spec.schedule", ["When to run"]),
        ("Automation.command", ["type: a list, each item text, or text"]),
        ("Automation.suspend", ["(default: false)", "type: true or false", "example: suspend: true"]),
        ("Automation.drift", ["type: one of revert, report, ignore", "example: drift: revert"]),
        ("Automation.environment", ["type: a mapping of names to text"]),
        ("Automation.dependsOn", ["type: a list, each item text"]),
        ("Automation.verify", ["within", "stableFor", "probes", "type: a mapping with within, stableFor, probes"]),
        ("Automation.verify.probes.http.status", ["(default: 200)", "type: a whole number"]),
        (
            "Automation.secrets",
            [
                "keyring   service/account",
                "type: a mapping of names to a mapping with env, file, keyring, envchain, exec",
            ],
        ),
        (
            "Automation.secrets.TOKEN",
            ["Where a secret is kept", "file      A file", "type: a mapping with env, file"],
        ),
        ("Automation.secrets.TOKEN.file", ["one final newline is dropped", "type: text"]),
        ("Automation.metadata.name", ["unique among its kind", "type: text"]),
        ("Automation.apiVersion", ["type: reconciler/v1", "example: apiVersion: reconciler/v1"]),
    ],
)
def test_a_field_is_explained(workplace: Workplace, field: str, expected: list[str]) -> None:
    ran = workplace.run("explain", field)
    assert ran.code == 0, ran.err
    for text in expected:
        assert text in ran.out


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("Automatoin", "did you mean Automation?"),
        ("Automation.shedule", "did you mean schedule?"),
        ("Automation.verify.withn", "did you mean within?"),
        ("Automation.metadata.lables", "did you mean labels?"),
    ],
)
def test_an_unknown_path_gets_the_nearest_one(workplace: Workplace, field: str, hint: str) -> None:
    ran = workplace.run("explain", field)
    assert (ran.code, ran.out) == (1, "")
    assert f"cannot explain {field}" in ran.err
    assert hint in ran.err


@pytest.mark.parametrize(
    "field", [".", "Automation.", "Automation..", "Automation.schedule.x", "Automation.spec.spec", ""]
)
def test_a_path_that_leads_nowhere_is_an_error_and_not_a_traceback(workplace: Workplace, field: str) -> None:
    ran = workplace.run("explain", field)
    assert ran.code == 1
    assert "cannot explain" in ran.err
