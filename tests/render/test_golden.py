"""Whole plans compared with their golden texts. UPDATE_GOLDEN=1 writes them anew; read the difference then."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reconciler.cli.render.github import plan_annotations
from reconciler.cli.render.json import json_text, plan_json
from reconciler.cli.render.markdown import plan_markdown
from reconciler.cli.render.text import plan_text
from reconciler.model.mask import Mask
from tests.render.build import TAKEN
from tests.render.plans import CASES

GOLDEN = Path(__file__).parent.parent / "golden" / "plan"
MASK = Mask("golden")


def compare(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_text_is_as_agreed(name: str) -> None:
    compare(f"{name}.txt", plan_text(CASES[name](), taken=TAKEN, mask=MASK))


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_markdown_is_as_agreed(name: str) -> None:
    compare(f"{name}.md", plan_markdown(CASES[name](), taken=TAKEN, mask=MASK))


@pytest.mark.parametrize("name", ["prune", "vetoes", "blocking-hazards", "hostile"])
def test_the_annotations_are_as_agreed(name: str) -> None:
    compare(f"{name}.github.txt", plan_annotations(CASES[name](), mask=MASK))


@pytest.mark.parametrize("name", ["prune", "probes"])
def test_the_json_is_as_agreed(name: str) -> None:
    compare(f"{name}.json", json_text(plan_json(CASES[name](), taken=TAKEN, mask=MASK)))


def test_every_golden_text_belongs_to_a_case() -> None:
    assert {path.name.partition(".")[0] for path in GOLDEN.iterdir()} == set(CASES)


def test_colour_changes_nothing_but_colour() -> None:
    import re

    for make in CASES.values():
        coloured = plan_text(make(), taken=TAKEN, mask=MASK, colour=True)
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plan_text(make(), taken=TAKEN, mask=MASK)


def test_without_details_each_harmless_step_takes_one_line_and_dangers_stay_whole() -> None:
    text = plan_text(CASES["prune"](), taken=TAKEN, mask=MASK, details=False)
    assert "  1. ~ update Automation/backup-database (desired/backup.yaml:1): the manifest changed\n  2. +" in text
    assert "- */5 * * * * : reconciler:Automation/bambu-watcher; exec python3 bambu_watcher.py" in text


def test_the_command_that_would_do_it_can_be_given_or_left_out() -> None:
    plan = CASES["first-apply"]()
    shown = plan_text(plan, taken=TAKEN, mask=MASK, apply_with="reconcile apply plan.json")
    assert shown.endswith("Nothing has been changed yet. To do this: reconcile apply plan.json\n")
    assert plan_text(plan, taken=TAKEN, mask=MASK, apply_with="").endswith("Nothing has been changed yet.\n")


def test_a_thousand_changes_keep_every_dangerous_step_in_full() -> None:
    plan = CASES["thousand"]()
    text = plan_text(plan, taken=TAKEN, mask=MASK)
    markdown = plan_markdown(plan, taken=TAKEN, mask=MASK)
    for number in range(980, 1000):
        line = f"- {number % 60} 1 * * * : reconciler:Automation/job-{number:04}; exec /opt/run"
        assert f"      {line}\n" in text
        assert f"\n{line}\n" in markdown
    assert all(f"Automation/job-{number:04} " in text for number in range(980))
    assert len(markdown.encode()) <= 60_000
    assert "omitted here" in markdown


def test_json_names_reasons_by_code_and_hides_restore_data() -> None:
    data = json.loads(json_text(plan_json(CASES["blocking-hazards"](), taken=TAKEN, mask=MASK)))
    assert data["format"] == 1
    assert data["verdict"] == "refused"
    assert data["counts"]["create"] == 2
    assert [veto["accept"] for veto in data["vetoes"]] == ["double-run", "missed-run"]
    first = data["steps"][0]
    assert (first["action"], first["cause"], first["source"]) == ("create", "new", "desired/backup.yaml:1")
    assert [hazard["danger"] for hazard in first["hazards"]] == ["double-run", "missed-run"]
    assert first["runs"]["after"][0] == "2026-11-22T03:00:00+01:00"
    assert not {"restore", "exact"} & first.keys()
