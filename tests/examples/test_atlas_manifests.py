"""The manifests of examples/atlas agree with its scripts, and hold nothing of anybody's machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from reconciler.kinds.automation import Automation
from reconciler.kinds.envelope import Manifest
from reconciler.kinds.job import Execution

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "atlas"
SEED_SCHEDULES = {"printer-watcher": "*/5 * * * *", "daily-brief": "0 6 * * *", "watchdog": "5 6 * * *"}
SINCE_THEN = {"service-health", "backup", "log-rotation", "weekly-review", "calendar-sync", "telegram"}


def manifests(folder: Path) -> Iterator[Manifest[Automation]]:
    for path in sorted(folder.glob("**/*.yaml")):
        for document in YAML(typ="safe").load_all(path):
            if document["kind"] == "Automation":
                yield Manifest[Automation].model_validate(document, by_alias=True)


ATLAS = (*manifests(EXAMPLE / "desired"), *manifests(EXAMPLE / "more"))


def test_the_known_automations_run_when_they_always_did() -> None:
    schedules = {manifest.metadata.name: manifest.spec.schedule for manifest in ATLAS}
    assert schedules.items() >= SEED_SCHEDULES.items()
    assert schedules.keys() == SEED_SCHEDULES.keys() | SINCE_THEN


@pytest.mark.parametrize("manifest", ATLAS, ids=lambda manifest: manifest.metadata.name)
def test_every_command_names_a_script_that_exists(manifest: Manifest[Automation]) -> None:
    program, script = manifest.spec.command[:2]
    assert Path(program).name == "python3"
    assert manifest.spec.working_directory == "~/atlas"
    assert (EXAMPLE / script).is_file()


def test_every_probe_asks_the_script_that_its_automation_runs() -> None:
    asked = [
        (list(command), list(manifest.spec.command))
        for manifest in ATLAS
        if manifest.spec.verify is not None
        for probe in manifest.spec.verify.probes
        if probe.exec is not None and (command := probe.exec.command)
    ]
    assert len(asked) == 4
    assert all(probe == [*command[:2], "--check"] for probe, command in asked)


def test_the_examples_show_every_field_about_runs() -> None:
    """But for those of the vault, which has others."""
    shown = {name for manifest in ATLAS for name in manifest.spec.job()}
    assert shown == {Automation.model_fields[name].alias for name in Execution.RUN}


def test_what_cron_cannot_open_says_so() -> None:
    (calendar,) = (each.spec for each in ATLAS if each.metadata.name == "calendar-sync")
    assert (calendar.requires, calendar.placement and calendar.placement.platform) == (["keychain"], "darwin")


def test_no_value_of_a_secret_stands_in_a_manifest() -> None:
    kept = {name: reference for each in ATLAS for name, reference in each.spec.secrets.items()}
    assert kept.keys() == {"AGENDA_TOKEN", "TELEGRAM_TOKEN"}
    assert not any(re.search("TOKEN", name) for each in ATLAS for name in each.spec.environment)


def test_every_dependency_exists() -> None:
    names = {f"Automation/{manifest.metadata.name}" for manifest in ATLAS}
    assert {address for manifest in ATLAS for address in manifest.spec.depends_on} <= names


def test_this_projects_own_manifests_are_valid(tmp_path: Path) -> None:
    folders = {f"RECONCILER_{name}_DIR": str(tmp_path / name) for name in ("STATE", "CACHE", "BIN")}
    argv = [sys.executable, "-m", "reconciler", "validate", "desired"]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, **folders}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "3 manifests" in done.stdout


# ada, whose plans are published, does not exist.
PERSONAL = re.compile(
    r"(?P<chat>\b\d{9,}\b)|(?P<home>/(?:Users|home)/(?!ada/)\w)|(?P<chat_name>chat.?id\W+\d|\bcom\.\w+\.)|"
    r"(?P<mail>[\w.]+@[\w.]+\.\w)",
    re.IGNORECASE,
)


@pytest.mark.parametrize(
    "text", ["8000000001", '"chat_id": "12"', "/Users/someone/x", "com.someone.brief", "me@example.org"]
)
def test_the_search_for_personal_data_can_fail(text: str) -> None:
    assert PERSONAL.search(text)


@pytest.mark.parametrize("folder", ["examples", "desired", "plugins"])
def test_there_is_no_personal_data(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert files
    found = {str(path): match[0] for path in files if (match := PERSONAL.search(path.read_text()))}
    assert found == {}
