"""examples/atlas on Python and the standard library alone: the real command line, supervisor, runner and processes.

No other backend is found on this PATH, so `auto` takes the embedded one. What a test machine must have different is
replaced: the port, the place of the state, and waits that would take minutes.
"""

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
from typing import Any
from urllib.request import urlopen

import pytest

from tests.examples.atlas import install, server
from tests.examples.home import Home, lent
from tests.ports import free_port
from tests.supervisor.place import Site, until


class AtlasHome(Home):
    """A home folder with Atlas in it."""

    def __init__(self, here: Site, folder: Path) -> None:
        super().__init__(here, folder, install(folder / "atlas"))
        self.atlas, self.port = self.example, free_port()
        for path in (*self.atlas.rglob("*.yaml"), self.atlas / "tools/system/health.json"):
            text = path.read_text().replace("8790", str(self.port)).replace("within: 20s", "within: 5s")
            path.write_text(text)
        asking = {name: value for name, value in self.environment.items() if name.startswith(("REC", "PYTHONPATH"))}
        asking["RECONCILER_BIN_DIR"] = f"{here.state}-bin"
        for tool in ("service_health_monitor", "weekly_review"):
            command = f"command: [python3, tools/system/{tool}.py]"
            self.edit("automations/system", command, f"{command}\n  environment: {json.dumps(asking)}")

    def health(self) -> dict[str, Any]:
        with urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
            return dict(json.loads(answer.read()))


@pytest.fixture
def home() -> Iterator[AtlasHome]:
    with lent(AtlasHome) as found:
        yield found


@pytest.fixture
def applied(home: AtlasHome) -> AtlasHome:
    home.good("apply", "desired", "--yes")
    return home


def test_everything_is_applied_runs_and_goes_again(applied: AtlasHome) -> None:
    home = applied
    assert "Nothing to do" in home.good("plan", "desired", "--detailed-exitcode")
    assert home.health()["status"] == "ok"
    assert "Port/board-sync" in home.good("ports")
    names = [
        "backup",
        "printer-watcher",
        "daily-brief",
        "watchdog",
        "log-rotation",
        "weekly-review",
        "service-health",
    ]
    for name in names:
        home.good("run", name)
        assert home.runs(name)[0]["verdict"] == "succeeded"
    assert "Today" in home.good("logs", "daily-brief")
    archive = (home.atlas / "backups" / "latest.tar.gz").stat()
    assert archive.st_mode & 0o777 == 0o600  # umask
    assert (home.atlas / "reports" / "week.html").stat().st_size > 1024
    report = json.loads(home.good("logs", "service-health"))
    assert {entry["status"] for entry in report["automations"].values()} == {"ok"}
    assert report["endpoints"] == {"board-sync": {"status": "ok"}}
    figures = json.loads(home.good("stats", "-o", "json"))["automations"]
    assert {each["automation"]: each["rate"] for each in figures} == dict.fromkeys(names, 1.0)
    shown = home.good("show", "backup")
    assert "processor" in shown
    assert "memory" in shown
    assert "daily-brief" in home.good("forecast")
    assert "100" in home.good("report", "--format", "md")
    home.good("rollback", "0", "--yes")
    until(lambda: home.here.members() == [], lambda: str(home.here.members()))


def test_a_schedule_is_changed_and_the_new_one_fires(applied: AtlasHome) -> None:
    home = applied
    home.edit("automations/printer", '"*/5 * * * *"', "{every: 1s}")
    plan = home.good("plan", "desired")
    assert "1 to update" in plan
    assert "Automation/printer-watcher" in plan
    home.good("apply", "desired", "--yes")
    until(lambda: len([run for run in home.runs("printer-watcher") if run["trigger"] == "schedule"]) >= 2)
    (home.atlas / "desired/automations/printer.yaml").unlink()
    assert "1 to delete" in home.good("apply", "desired", "--yes")
    before = len(home.runs("printer-watcher"))
    time.sleep(2.5)
    assert len(home.runs("printer-watcher")) - before <= 1  # one may have been under way


def test_a_tool_is_written_applied_and_runs(applied: AtlasHome) -> None:
    home = applied
    with server(503) as there:
        home.good("run", "backup")
        writer = [sys.executable, "tools/system/script_writer.py", "--task", "website uptime", "--input", there.url]
        where = ["--output", "tools/monitoring/uptime_monitor.py", "--schedule", "*/5 * * * *"]
        subprocess.run([*writer, *where], cwd=home.atlas, check=True, capture_output=True)
        assert "1 to create" in home.good("apply", "desired", "--yes")
        home.good("run", "uptime-monitor")
    assert "HTTP Error 503" in (home.atlas / "alerts" / "uptime-monitor.txt").read_text()


def test_the_service_comes_back_until_it_is_given_up(home: AtlasHome) -> None:
    home.edit("services/board", "5 in 10m", "2 in 10m")
    home.good("apply", "desired", "--yes")
    first = home.here.service("board-sync")["pid"]
    os.kill(first, signal.SIGKILL)
    until(lambda: home.here.service("board-sync").get("pid") not in (None, first))
    until(lambda: home.here.service("board-sync")["state"] == "running")
    assert home.health()["status"] == "ok"
    home.tool("sync/board_sync.py", "raise SystemExit('the board is gone')\n")
    os.kill(home.here.service("board-sync")["pid"], signal.SIGKILL)
    found = home.here.reaches("board-sync", "fatal")
    assert "given up" in found["reason"]
    assert "the board is gone" in str(found["output"])
    for words in (["status"], ["status", "desired"]):
        status = " ".join(home.good(*words).split())
        assert "Service/board-sync" in status
        assert "given up" in status
        assert "the board is gone" in status
        assert "Nothing needs doing" not in status
    assert home.reconcile("run", "service-health").returncode == 1
    assert "board-sync unreachable" in (home.atlas / "alerts" / "service-health.txt").read_text()


HANGS = "import subprocess, time\nsubprocess.Popen(['/bin/sleep', '45671'], start_new_session=True)\ntime.sleep(60)\n"


@pytest.mark.parametrize(
    ("script", "verdict", "reason"),
    [
        ("print('Today')\nprint('Traceback (most recent call last)')\n", "rejected", "Traceback"),
        ("print('nothing')\n", "rejected", "no line of the output matches"),
        ("print('Today')\n", "rejected", "did not write"),
        ("raise SystemExit(3)\n", "failed", "exit code 3"),
        (HANGS, "overran", "longer"),
    ],
)
def test_a_bad_briefing_is_tried_again_and_then_told(home: AtlasHome, script: str, verdict: str, reason: str) -> None:
    home.edit("automations/briefing", "expected: 10s", "expected: 500ms")
    home.edit("automations/briefing", "delay: 5m", "delay: 100ms")
    home.good("apply", "desired/automations/briefing.yaml", "--yes")
    home.good("run", "daily-brief")
    home.tool("briefings/daily_brief.py", script)
    home.reconcile("run", "daily-brief")
    (run, _) = home.runs("daily-brief")
    assert (run["verdict"], run["attempts"]) == (verdict, 2)
    assert reason in run["reason"]
    if script is HANGS:
        assert subprocess.run(["pgrep", "-f", "^/bin/sleep 45671$"], capture_output=True, check=False).returncode == 1


def test_only_one_at_a_time_also_by_hand(home: AtlasHome) -> None:
    home.good("apply", "desired/automations/printer.yaml", "--yes")
    home.tool("printer/printer_watcher.py", "import time\ntime.sleep(60)\n")
    argv = [sys.executable, "-m", "reconciler", "run", "printer-watcher"]
    with subprocess.Popen(argv, env=home.environment, cwd=home.atlas, stderr=subprocess.PIPE) as first:
        until(lambda: [run["verdict"] for run in home.runs("printer-watcher")] == ["running"])
        home.reconcile("run", "printer-watcher")
        assert home.runs("printer-watcher")[0]["verdict"] == "skipped"
        first.terminate()
        first.wait(30)
    assert sorted(run["verdict"] for run in home.runs("printer-watcher")) == ["skipped", "stopped"]


def test_a_backup_that_wants_too_much_is_ended(home: AtlasHome) -> None:
    home.edit("automations/system", "retry: {limit: 1, delay: 5m}", "retry: {limit: 0}")
    home.good("apply", "desired/automations/system.yaml", "--yes")
    home.tool("system/backup.py", "import time\nkept = bytearray(200_000_000)\ntime.sleep(60)\n")
    assert home.reconcile("run", "backup").returncode != 0
    assert "memory" in home.runs("backup")[0]["reason"]


def test_a_tool_that_cannot_start_is_not_applied(applied: AtlasHome) -> None:
    home = applied
    definitions = (home.here.folder / "definitions.json").read_text()
    home.tool("heartbeat/watchdog.py", "this is no Python\n")
    home.edit("automations/briefing", '"5 6 * * *"', '"7 6 * * *"')
    failed = home.reconcile("apply", "desired", "--yes")
    assert failed.returncode == 7, failed.stdout + failed.stderr
    assert json.loads((home.here.folder / "definitions.json").read_text()) == json.loads(definitions)
    assert home.reconcile("apply", "desired", "--yes").returncode == 5  # quarantined


def test_telegram_gets_its_token_when_it_runs_and_nobody_else_does(applied: AtlasHome) -> None:
    home = applied
    shutil.copy(home.atlas / "more/telegram.yaml", home.atlas / "desired/automations/telegram.yaml")
    refused = home.reconcile("apply", "desired", "--yes")
    assert refused.returncode == 7, refused.stdout
    assert "telegram-token" in refused.stdout + refused.stderr
    (home.atlas / "secrets").mkdir(mode=0o700)
    (home.atlas / "secrets/telegram-token").write_text("12:hidden-token\n")
    (home.atlas / "alerts").mkdir(exist_ok=True)
    (home.atlas / "alerts/printer.txt").write_text("the printer is on fire\n")
    with server(200, b"{}") as there:
        home.edit(
            "automations/telegram", "environment:\n", f"environment:\n    TELEGRAM_API: {there.url.rstrip('/')}\n"
        )
        home.good("apply", "desired", "--yes")
        home.good("run", "telegram")
    ((path, _, body),) = there.asked
    assert path == "/bot12:hidden-token/sendMessage"
    assert json.loads(body) == {"chat_id": "12345678", "text": "the printer is on fire"}
    home.edit("automations/telegram", '"12345678"', '"87654321"')
    plan = home.good("plan", "desired")
    assert "1 to update" in plan
    assert "87654321" in plan
    told = [path for path in home.here.state.rglob("*") if path.is_file() and b"hidden-token" in path.read_bytes()]
    assert told == []
    (home.atlas / "secrets/telegram-token").unlink()
    assert home.reconcile("run", "telegram").returncode != 0
    assert "cannot resolve the secret TELEGRAM_TOKEN" in home.runs("telegram")[0]["reason"]


def test_what_needs_a_keychain_is_refused_where_there_is_none(home: AtlasHome) -> None:
    home.edit("automations/mac", "placement: {platform: darwin}", "scheduler: embedded")
    refused = home.reconcile("plan", "desired")
    assert refused.returncode == 1
    assert "requires: the embedded supervisor has no keychain" in refused.stderr
    home.edit("automations/mac", "scheduler: embedded", "scheduler: auto")
    refused = home.reconcile("plan", "desired")
    assert refused.returncode == 5
    assert "crontab cannot: cron runs outside of any session" in " ".join(refused.stdout.split())
