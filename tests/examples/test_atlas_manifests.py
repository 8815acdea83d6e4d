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

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "atlas"
SEED_SCHEDULES = {"printer-watcher": "*/5 * * * *", "daily-brief": "0 6 * * *", "watchdog": "5 6 * * *"}


def manifests(folder: Path) -> Iterator[Manifest[Automation]]:
    for path in sorted(folder.glob("**/*.yaml")):
        for document in YAML(typ="safe").load_all(path):
            yield Manifest[Automation].model_validate(document, by_alias=True)


ATLAS = tuple(manifests(EXAMPLE / "desired"))


def test_the_known_automations_run_when_they_always_did() -> None:
    schedules = {manifest.metadata.name: manifest.spec.schedule for manifest in ATLAS}
    assert schedules.items() >= SEED_SCHEDULES.items()
    assert schedules.keys() == SEED_SCHEDULES.keys() | {"service-health", "backup", "log-rotation"}


@pytest.mark.parametrize("manifest", ATLAS, ids=lambda manifest: manifest.metadata.name)
def test_every_command_names_a_script_that_exists(manifest: Manifest[Automation]) -> None:
    program, script = manifest.spec.command[:2]
    assert program == "python3"
    assert manifest.spec.working_directory == "~/atlas"
    assert (EXAMPLE / script).is_file()


def test_every_probe_names_a_file_that_exists() -> None:
    probes = "\n".join(path.read_text() for path in EXAMPLE.glob("desired/*.yaml"))
    named = re.findall(r"- (?:exec: cd ~/atlas && python3 |file: ~/atlas/)(\S+)", probes)
    assert len(named) == probes.count("\n      - ")
    assert all((EXAMPLE / path).is_file() for path in named)


def test_every_dependency_exists() -> None:
    names = {f"Automation/{manifest.metadata.name}" for manifest in ATLAS}
    assert {address for manifest in ATLAS for address in manifest.spec.depends_on} <= names


def test_this_projects_own_manifests_are_valid(tmp_path: Path) -> None:
    folders = {f"RECONCILER_{name}_DIR": str(tmp_path / name) for name in ("STATE", "CACHE", "BIN")}
    argv = [sys.executable, "-m", "reconciler", "validate", "desired"]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, **folders}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "3 manifests" in done.stdout


PERSONAL = re.compile(
    r"(?P<chat>\b\d{9,}\b)|(?P<home>/(?:Users|home)/\w)|(?P<chat_name>chat.?id|\bcom\.\w+\.)|"
    r"(?P<mail>[\w.]+@[\w.]+\.\w)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("text", ["8000000001", "/Users/someone/x", "com.someone.brief", "me@example.org"])
def test_the_search_for_personal_data_can_fail(text: str) -> None:
    assert PERSONAL.search(text)


@pytest.mark.parametrize("folder", ["examples", "desired", "plugins"])
def test_there_is_no_personal_data(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert files
    found = {str(path): match[0] for path in files if (match := PERSONAL.search(path.read_text()))}
    assert found == {}
