"""script/run, as a stranger types it without a terminal: the whole walk on a scratch crontab."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRATCH = ROOT / "build" / "run" / "scratch"


def own_crontab() -> str:
    if shutil.which("crontab") is None:
        return ""
    return subprocess.run(["crontab", "-l"], capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def demonstration() -> Iterator[subprocess.CompletedProcess[str]]:
    if not (ROOT / ".venv" / ".reconciler-setup").exists():
        pytest.skip("script/setup has not run here, and a test does not install anything")
    before = own_crontab()
    yield subprocess.run(
        [str(ROOT / "script" / "run")], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert own_crontab() == before


def test_the_demonstration_succeeds_and_says_what_it_touches(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    assert demonstration.returncode == 0, demonstration.stdout + demonstration.stderr
    assert f"scratch crontab in {SCRATCH}/crontab: nothing of yours is touched" in demonstration.stdout
    assert "rm -r build/run" in demonstration.stdout


def test_the_demonstration_applies_every_automation_of_the_example(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    manifests = "\n".join(path.read_text() for path in (ROOT / "examples" / "atlas" / "desired").glob("*.yaml"))
    wanted = set(re.findall(r"^  name: (\S+)$", manifests, re.MULTILINE))
    applied = set(re.findall(r"reconciler:Automation/([a-z0-9.-]+);", (SCRATCH / "crontab").read_text()))
    assert wanted
    assert applied == wanted


def test_the_demonstration_keeps_its_journal_and_its_home_in_the_scratch_folder(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    assert any((SCRATCH / "state").iterdir())
    assert (SCRATCH / "home" / "atlas" / "tools").is_dir()
    assert not (ROOT / "examples" / "atlas" / "logs").exists()
