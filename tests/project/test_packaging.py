"""The package as it is installed, locked and described: entry points, lock file, glossary."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from reconciler.registry import BUILT_IN

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENTRY_POINTS = [
    EntryPoint(name, value, group)
    for group, entries in {**PROJECT["entry-points"], "console_scripts": PROJECT["scripts"]}.items()
    for name, value in entries.items()
]

TERMS = frozenset(
    re.findall(
        r"\w+",
        "Manifest Kind Resource ResourceId Desired State Observed Snapshot Inventory Revision Action Change Hazard "
        "Step Plan Rollout Journal Drift Pending Adopt Release Prune Verify Rollback Quarantine Run Probe Check "
        "Threshold Event Alert Notifier",
    )
)


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: entry.name)
def test_every_entry_point_resolves(entry: EntryPoint) -> None:
    found = entry.load()
    if entry.group == "reconciler.providers":
        assert found.name == entry.name
    if entry.group == "reconciler.kinds":
        assert found.__name__ == entry.name


def test_the_table_of_built_ins_says_the_same_as_the_entry_points() -> None:
    assert {group: dict(entries) for group, entries in BUILT_IN.items()} == PROJECT["entry-points"]


def test_the_glossary_has_every_term_once() -> None:
    defined = re.findall(r"^- \*\*(\w+)\*\*: \S.*\.$", (ROOT / "GLOSSARY.md").read_text(), re.MULTILINE)
    assert sorted(set(defined)) == sorted(defined)
    assert set(defined) >= TERMS


def test_the_lock_names_only_the_public_index() -> None:
    lock = (ROOT / "uv.lock").read_text()
    hosts = set(re.findall(r"https?://([^/\"]+)", lock))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
    assert "file:" not in lock
    sources = {tuple(package["source"]) for package in tomllib.loads(lock)["package"]}
    assert sources == {("registry",), ("editable",)}


def test_the_lock_has_every_dependency() -> None:
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *PROJECT["dependencies"],
        *PROJECT["optional-dependencies"]["fast"],
        *pyproject["dependency-groups"]["dev"],
    ]
    names = {re.split(r"[<>=!~\[; ]", requirement)[0].replace(".", "-").lower() for requirement in wanted}
    assert names <= locked


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert pages == re.findall(r"\]\((.+?\.md)\)", (folder / "README.md").read_text())
    for page in pages:
        text = (folder / page).read_text()
        assert text.startswith(f"# {page[:4]} ")
        assert [part for part in ("Context", "Decision", "Rejected", "Consequences") if f"**{part}" not in text] == []
