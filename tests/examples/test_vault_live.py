"""examples/vault-scheduler by the embedded supervisor: the real command line, supervisor, runner and processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.home import Home, lent
from tests.supervisor.place import Site, until

EXAMPLE = Path(__file__).parents[2] / "examples" / "vault-scheduler"
EVERY_SECOND = ('"*/5 * * * *" ', "{every: 1s}")


def make(here: Site, folder: Path) -> Home:
    return Home(here, folder, Path(shutil.copytree(EXAMPLE, folder / "vault")))


@pytest.fixture
def home() -> Iterator[Home]:
    with lent(make) as found:
        yield found


def scheduled(home: Home) -> list[str]:
    """How the scheduled runs ended, newest first."""
    return [run["verdict"] for run in home.runs("vault") if run["trigger"] == "schedule"]


def test_it_goes_on_after_an_iteration_that_failed_and_stops_at_once(home: Home) -> None:
    home.edit("vault", *EVERY_SECOND)
    home.good("apply", "desired", "--yes")
    until(lambda: "succeeded" in scheduled(home))
    stood = (home.example / "tools/planner.py").read_text()
    home.tool("planner.py", "raise SystemExit('no idea')\n")
    until(lambda: "failed" in scheduled(home))
    failed = next(run["id"] for run in home.runs("vault") if run["verdict"] == "failed")
    assert "no idea" in home.good("show", f"vault/{failed}")
    home.tool("planner.py", stood)
    until(lambda: scheduled(home).index("succeeded") < scheduled(home).index("failed"))
    figures = json.loads(home.good("stats", "vault", "-o", "json"))["automations"][0]
    assert figures["failed"] >= 1
    assert figures["succeeded"] >= 2
    slots = [run["id"] for run in home.runs("vault")]
    assert len(slots) == len(set(slots))
    (home.example / "desired/vault.yaml").unlink()
    began = time.monotonic()
    home.good("rollback", "0", "--yes")
    until(lambda: home.here.members() == [], lambda: str(home.here.members()))
    assert time.monotonic() - began < 20  # nothing sleeps out an interval of five minutes


def test_whether_it_runs_is_asked_of_the_kernel_and_not_of_a_file(home: Home) -> None:
    home.good("apply", "desired", "--yes")
    first = home.here.pid
    assert f"pid {first}, since " in home.good("self", "status")
    argv = [sys.executable, "-m", "reconciler.supervisor", "start", "--state", str(home.here.state)]
    second = subprocess.run(argv, env=home.environment, capture_output=True, text=True, check=False)
    assert (second.returncode, home.here.pid) == (0, first)
    os.kill(first, signal.SIGKILL)
    until(lambda: "runs       no" in home.good("self", "status"), lambda: home.good("self", "status"))
    assert (home.here.folder / "lock").exists()  # nobody has removed it, and it keeps nobody out
    assert "1 to update" in home.good("plan", "desired")
    home.good("apply", "desired", "--yes")
    assert home.here.pid != first


def test_once_and_status_as_a_pipeline_has_them(home: Home) -> None:
    home.edit("vault", '"*/5 * * * *" ', '"3 3 3 3 *"')
    home.good("apply", "desired", "--yes")
    (home.example / "Inbox").mkdir()
    (home.example / "Inbox/letter.txt").write_text("x")
    os.utime(home.example / "Inbox/letter.txt", (time.time() - 60,) * 2)
    before = sorted(home.example.rglob("*"))
    for words in (["status", "desired"], []):  # no mode at all is the status too
        assert "Nothing needs doing" in home.good(*words)
    assert home.runs("vault") == []
    assert sorted(home.example.rglob("*")) == before
    assert "2 of 2 went well" in home.good("run", "vault")
    home.tool("watcher.py", "raise SystemExit(1)\n")
    assert home.reconcile("run", "vault").returncode == 1
    assert "failed: vault" in home.good("status", "desired")


def test_an_interval_below_a_second_is_no_interval(home: Home) -> None:
    home.edit("vault", '"*/5 * * * *" ', "{every: 0s}")
    refused = home.reconcile("plan", "desired")
    assert refused.returncode == 1
    assert "schedule" in refused.stderr
