"""What examples/atlas asks of a Mac, on a stand-in for launchctl: the plan, the property lists, and what they start.

Nothing here has run on a Mac. envchain is a script of three lines.
"""

from __future__ import annotations

import plistlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.examples.atlas import install, server
from tests.launchd.test_whole_process import Mac, mac  # noqa: F401 - the fixture

pytestmark = pytest.mark.slow
ENVCHAIN = '#!/bin/sh\ntest "$1" = atlas && shift && AGENDA_TOKEN=hidden-token exec "$@"\n'


@pytest.fixture
def atlas(mac: Mac) -> Path:  # noqa: F811
    """Atlas in that home, with what this machine is not replaced: the platform, and where Homebrew would be."""
    found = install(mac.folder / "home" / "atlas")
    (mac.folder / "bin" / "envchain").write_text(ENVCHAIN)
    (mac.folder / "bin" / "envchain").chmod(0o755)
    for program in ("python3", "sh", "mkdir"):
        if not (mac.folder / "bin" / program).exists():
            (mac.folder / "bin" / program).symlink_to(shutil.which(program, path="/usr/bin:/bin") or program)
    manifest = found / "desired/automations/mac.yaml"
    text = manifest.read_text().replace("platform: darwin", "platform: linux")
    manifest.write_text(text.replace("/opt/homebrew/bin", str(mac.folder / "bin")))
    return found


def plist(mac: Mac, name: str) -> dict[str, Any]:  # noqa: F811
    return dict(plistlib.loads((mac.agents / f"reconciler.{name}.plist").read_bytes()))


def test_what_needs_the_keychain_goes_to_launchd_and_gets_its_secret_when_it_runs(mac: Mac, atlas: Path) -> None:  # noqa: F811
    with server(200, b"2026-02-09 10:00 dentist\n") as there:
        manifest = atlas / "desired/automations/mac.yaml"
        manifest.write_text(manifest.read_text().replace("https://calendar.example/agenda.txt", there.url))
        plan = mac.run("plan", "home/atlas/desired/automations/mac.yaml")
        assert "launchd" in plan.stdout, plan.stdout + plan.stderr
        done = mac.run("apply", "home/atlas/desired/automations/mac.yaml", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        found = plist(mac, "automation.calendar-sync")
        assert found["StartCalendarInterval"] == {"Hour": 5, "Minute": 50}
        assert found["LimitLoadToSessionType"] == "Aqua"  # a person's session, the only one with a keychain
        assert "hidden-token" not in str(found)
        environment = {"HOME": str(mac.folder / "home"), **found["EnvironmentVariables"]}
        ran = subprocess.run(found["ProgramArguments"], env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
    assert there.asked[0][1]["Authorization"] == "Bearer hidden-token"
    assert "dentist" in (atlas / "data/agenda.txt").read_text()
    records = [path for path in (mac.folder / "state").rglob("*") if path.is_file()]
    assert not any(b"hidden-token" in path.read_bytes() for path in records)


def test_a_service_is_kept_alive_and_a_budget_goes_elsewhere(mac: Mac, atlas: Path) -> None:  # noqa: F811
    manifest = atlas / "desired/services/board.yaml"
    stood = manifest.read_text()
    manifest.write_text(stood.replace("supervisor: auto", "supervisor: launchd"))
    refused = mac.run("plan", "home/atlas/desired/services")
    assert "launchd never gives a program up" in refused.stdout + refused.stderr
    alone = manifest.read_text().partition("---")[0].replace(", budget: 5 in 10m", "").partition("  health:")[0]
    manifest.write_text(alone)
    done = mac.run("apply", "home/atlas/desired/services", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    found = plist(mac, "service.board-sync")
    assert (found["KeepAlive"], found["RunAtLoad"], found["ExitTimeOut"]) == (True, True, 10)
    assert found["EnvironmentVariables"]["BOARD_PORT"] == "8790"


def test_a_briefing_that_must_not_be_missed_goes_to_launchd_too(mac: Mac, atlas: Path) -> None:  # noqa: F811
    done = mac.run("apply", "home/atlas/desired/automations/briefing.yaml", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(mac.jobs()) == ["reconciler.automation.daily-brief", "reconciler.automation.watchdog"]
    assert plist(mac, "automation.watchdog")["StartCalendarInterval"] == {"Hour": 6, "Minute": 5}
