"""script/run, as a stranger types it without a terminal: on Python alone, and on a scratch crontab."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "run"
ALONE, SCRATCH = WORK / "embedded", WORK / "scratch"
PORT = 18765
Done = subprocess.CompletedProcess[str]


def own_crontab() -> str:
    if shutil.which("crontab") is None:
        return ""
    return subprocess.run(["crontab", "-l"], capture_output=True, text=True).stdout


def answers() -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", PORT)) == 0


def walk(*arguments: str) -> Done:
    argv = [str(ROOT / "script" / "run"), *arguments]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


def left_behind() -> list[str]:
    """Processes that name the folder of the walk."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(ALONE) in line]


@pytest.fixture(scope="module", autouse=True)
def untouched() -> Iterator[None]:
    if not (ROOT / ".venv" / ".reconciler-setup").exists():
        pytest.skip("script/setup has not run here, and a test does not install anything")
    before = own_crontab()
    yield
    assert own_crontab() == before


@pytest.fixture(scope="module")
def alone() -> Iterator[tuple[Done, float]]:
    """What it said, and the seconds that it took."""
    assert walk("--remove").returncode == 0
    if answers():
        if os.environ.get("CI"):
            pytest.fail(f"somebody listens on port {PORT}")
        pytest.skip(f"somebody else listens on port {PORT}, which the demonstration needs")
    began = time.monotonic()
    yield walk(), time.monotonic() - began
    walk("--remove")


@pytest.fixture(scope="module")
def scratch() -> Done:
    return walk("--scratch")


def test_it_shows_plan_apply_status_a_run_and_an_empty_plan_in_under_a_minute(alone: tuple[Done, float]) -> None:
    done, seconds = alone
    assert done.returncode == 0, done.stdout + done.stderr
    assert seconds < 60
    shown = re.findall(r"^\$ reconcile (.*)$", done.stdout, re.MULTILINE)
    assert shown == ["plan", "apply --yes", "status", "run hello-page", "runs", "plan"]
    assert re.search(r"hello-page  succeeded .* manual", done.stdout)
    assert "Nothing to do on" in done.stdout.rpartition("$ reconcile plan")[2]
    assert "script/run --remove" in done.stdout.splitlines()[-1]


def test_it_needs_none_of_cron_systemd_and_containers(alone: tuple[Done, float]) -> None:
    assert alone[0].returncode == 0
    assert answers()
    page = ALONE / "home" / "reconciler-hello" / "index.html"
    assert "<h1>Hello." in page.read_text()
    assert not (Path.home() / "reconciler-hello").exists()


def test_a_second_walk_starts_from_nothing(alone: tuple[Done, float]) -> None:
    assert alone[0].returncode == 0
    again = walk()
    assert again.returncode == 0, again.stdout + again.stderr
    assert "3 to create" in again.stdout


def test_the_printed_command_leaves_no_process_and_no_file(alone: tuple[Done, float]) -> None:
    assert alone[0].returncode == 0
    assert left_behind() != []  # or the search finds nothing in any case
    done = walk("--remove")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not answers()
    assert left_behind() == []
    assert not ALONE.exists()


def test_removing_twice_is_fine(alone: tuple[Done, float]) -> None:
    assert alone[0].returncode == 0
    for _ in range(2):
        assert walk("--remove").returncode == 0
    assert not ALONE.exists()


def test_the_walk_on_a_crontab_succeeds_and_says_what_it_touches(scratch: Done) -> None:
    assert scratch.returncode == 0, scratch.stdout + scratch.stderr
    assert f"scratch crontab in {SCRATCH}/crontab: nothing of yours is touched" in scratch.stdout
    assert "script/run --remove" in scratch.stdout


def test_it_applies_every_automation_of_the_example_that_belongs_here(scratch: Done) -> None:
    assert scratch.returncode == 0
    folder = ROOT / "examples" / "atlas" / "desired" / "automations"
    manifests = "\n".join(path.read_text() for path in folder.glob("*.yaml"))
    wanted = set(re.findall(r"^  name: (\S+)$", manifests, re.MULTILINE)) - {"calendar-sync"}  # for a Mac
    applied = set(re.findall(r"reconciler:Automation/([a-z0-9.-]+);", (SCRATCH / "crontab").read_text()))
    assert wanted
    assert applied == wanted


def test_it_keeps_its_journal_and_its_home_in_the_scratch_folder(scratch: Done) -> None:
    assert scratch.returncode == 0
    assert any((SCRATCH / "state").iterdir())
    assert (SCRATCH / "home" / "atlas" / "tools").is_dir()
    assert not (ROOT / "examples" / "atlas" / "logs").exists()
