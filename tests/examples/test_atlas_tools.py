"""The scripts of examples/atlas, run as cron runs them: another process, another folder, almost no environment."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "atlas"
TOOLS = (
    "printer/printer_watcher.py",
    "briefings/daily_brief.py",
    "heartbeat/watchdog.py",
    "system/service_health_monitor.py",
    "system/backup.py",
    "system/rotate_logs.py",
)
WATCHED = ("printer-watcher", "daily-brief", "watchdog", "backup", "log-rotation")


@pytest.fixture
def atlas(tmp_path: Path) -> Path:
    """A fresh installation, at a path that needs quoting."""
    ignored = shutil.ignore_patterns("__pycache__", *(EXAMPLE / ".gitignore").read_text().replace("/", "").split())
    return Path(shutil.copytree(EXAMPLE, tmp_path / "my atlas", ignore=ignored))


def run(atlas: Path, tool: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(atlas / "tools" / tool), *arguments],
        cwd=atlas.parent,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def now() -> datetime:
    return datetime.now().astimezone()


def log(atlas: Path, name: str, *lines: str) -> Path:
    path = atlas / "logs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))
    return path


def record(atlas: Path, name: str, ago: timedelta, status: str = "ok") -> None:
    path = atlas / "state" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"last_run": f"{now() - ago:%Y-%m-%d %H:%M}", "status": status}))


@contextmanager
def server(status: int, body: bytes) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/"
        finally:
            http.shutdown()
            thread.join()


@pytest.mark.parametrize("tool", TOOLS)
def test_a_check_succeeds_and_leaves_no_trace(atlas: Path, tool: str) -> None:
    before = sorted(atlas.rglob("*"))
    done = run(atlas, tool, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(atlas.rglob("*")) == before


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if "health" not in tool])
def test_every_tool_runs_on_an_empty_installation_and_records_its_run(atlas: Path, tool: str) -> None:
    done = run(atlas, tool)
    assert (done.returncode, done.stderr) == (0, "")
    (state,) = (atlas / "state").glob("*.json")
    assert json.loads(state.read_text())["status"] == "ok"
    assert (atlas / "logs").is_dir()


def test_a_tool_that_breaks_says_so_in_its_log_and_its_record(atlas: Path) -> None:
    (atlas / "backups").write_text("a file where a folder belongs")
    done = run(atlas, "system/backup.py")
    assert done.returncode != 0
    assert json.loads((atlas / "state" / "backup.json").read_text())["status"] == "failed"
    assert "Traceback" in (atlas / "logs" / "backup.log").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "ERROR: the door is stuck",
        "ValueError: no such thing",
        "upload failed",
        'GET /x HTTP/1.1" 503 12',
        "HTTP 404",
        "http error 500",
        "status code: 429",
    ],
)
def test_the_watchdog_finds_trouble_in_todays_lines(atlas: Path, line: str) -> None:
    log(atlas, "crm.log", f"{now():%Y-%m-%d} 05:00:00 INFO fine", f"{now():%Y-%m-%d} 05:00:01 {line}")
    done = run(atlas, "heartbeat/watchdog.py")
    assert done.returncode == 0
    assert "1 lines in today's logs" in done.stdout
    assert line in (atlas / "alerts" / "watchdog.txt").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "Calendar error: timed out, HTTP 503",
        "Weather error: failed",
        "sent 400 messages",
        "HTTP 200",
        "unfailing",
    ],
)
def test_the_watchdog_passes_over_what_is_harmless(atlas: Path, line: str) -> None:
    log(atlas, "crm.log", f"{now():%Y-%m-%d} 05:00:00 {line}")
    done = run(atlas, "heartbeat/watchdog.py")
    assert (done.returncode, done.stdout) == (0, "")
    assert not (atlas / "alerts").exists()


def test_the_watchdog_reads_only_today(atlas: Path) -> None:
    yesterday = now() - timedelta(days=1)
    log(atlas, "mixed.log", f"{yesterday:%Y-%m-%d} 23:59:59 failed", "Traceback (most recent call last):")
    stale = log(atlas, "stale.log", "failed")
    os.utime(stale, (yesterday.timestamp(), yesterday.timestamp()))
    assert run(atlas, "heartbeat/watchdog.py").stdout == ""


def test_the_watchdog_takes_undated_lines_as_part_of_the_dated_one_above(atlas: Path) -> None:
    log(atlas, "crm.log", f"{now():%Y-%m-%d} 05:00:00 ERROR stopped", "Traceback (most recent call last):")
    assert "crm.log: Traceback" in run(atlas, "heartbeat/watchdog.py").stdout


def test_the_watchdog_does_not_find_itself(atlas: Path) -> None:
    log(atlas, "crm.log", f"{now():%Y-%m-%d} 05:00:00 failed")
    run(atlas, "heartbeat/watchdog.py")
    log(atlas, "crm.log", "all well")
    assert run(atlas, "heartbeat/watchdog.py").stdout == ""


def test_the_health_report_has_the_four_groups(atlas: Path) -> None:
    for name in WATCHED:
        record(atlas, name, timedelta(minutes=1))
    run(atlas, "printer/printer_watcher.py")
    done = run(atlas, "system/service_health_monitor.py")
    report = json.loads(done.stdout)
    assert list(report) == ["cron", "logs", "databases", "endpoints"]
    assert {name: entry["status"] for name, entry in report["cron"].items()} == dict.fromkeys(WATCHED, "ok")
    assert datetime.strptime(report["cron"]["backup"]["last_run"], "%Y-%m-%d %H:%M").astimezone() <= now()
    assert report["logs"] == {"oversized": []}
    assert report["databases"] == {"printer": {"status": "connected"}}
    assert done.returncode == 0
    assert run(atlas, "system/service_health_monitor.py", "--quiet").stdout == ""


def test_the_health_report_tells_late_failed_and_missing_runs_apart(atlas: Path) -> None:
    record(atlas, "printer-watcher", timedelta(hours=1))
    record(atlas, "daily-brief", timedelta(minutes=1), "failed")
    (atlas / "state" / "watchdog.json").write_text("{")
    done = run(atlas, "system/service_health_monitor.py", "--quiet")
    statuses = {name: entry["status"] for name, entry in json.loads(done.stdout)["cron"].items()}
    assert done.returncode == 1
    assert statuses == {
        "printer-watcher": "late",
        "daily-brief": "failed",
        "watchdog": "unreadable",
        "backup": "never ran",
        "log-rotation": "never ran",
    }


def test_the_health_report_names_oversized_logs_and_broken_databases(atlas: Path) -> None:
    os.truncate(log(atlas, "huge.log"), 10 * 1024 * 1024 + 1)
    (atlas / "data").mkdir()
    (atlas / "data" / "printer.db").write_bytes(b"not a database" * 100)
    report = json.loads(run(atlas, "system/service_health_monitor.py").stdout)
    assert report["logs"]["oversized"] == ["huge.log"]
    assert report["databases"]["printer"]["status"].startswith("unreachable")


def test_a_missing_database_is_reported_and_not_created(atlas: Path) -> None:
    report = json.loads(run(atlas, "system/service_health_monitor.py").stdout)
    assert report["databases"]["printer"]["status"].startswith("unreachable")
    assert not (atlas / "data" / "printer.db").exists()


def test_the_health_report_asks_endpoints(atlas: Path) -> None:
    config = atlas / "tools" / "system" / "health.json"
    with server(200, b"{}") as good, server(503, b"") as bad:
        endpoints = {"good": good, "bad": bad, "gone": "http://127.0.0.1:1/"}
        config.write_text(json.dumps({"cron": {}, "databases": {}, "endpoints": endpoints}))
        statuses = json.loads(run(atlas, "system/service_health_monitor.py").stdout)["endpoints"]
    assert statuses["good"] == {"status": "ok"}
    assert statuses["bad"] == {"status": "answers 503"}
    assert statuses["gone"]["status"].startswith("unreachable")


def test_the_printer_watcher_tells_of_a_change_and_only_of_a_change(atlas: Path) -> None:
    status = atlas / "data" / "printer-status.json"
    status.parent.mkdir()
    said = []
    for content in ('{"state": "printing", "job": "bracket"}',) * 2 + (
        '{"state": "finished", "job": "bracket"}',
        "{",
    ):
        status.write_text(content)
        said.append(run(atlas, "printer/printer_watcher.py").stdout.partition("printer: ")[2].strip())
    assert said == ["", "", "printing -> finished bracket", "finished -> offline"]
    with closing(sqlite3.connect(atlas / "data" / "printer.db")) as database:
        assert database.execute("SELECT state FROM seen").fetchall() == [("printing",), ("finished",), ("offline",)]


def test_the_printer_watcher_reads_a_status_address(atlas: Path) -> None:
    with server(200, b'{"state": "idle"}') as url:
        run(atlas, "printer/printer_watcher.py", PRINTER_STATUS=url)
    with closing(sqlite3.connect(atlas / "data" / "printer.db")) as database:
        assert database.execute("SELECT state, job FROM seen").fetchall() == [("idle", "")]


def test_the_briefing_tells_todays_agenda_and_is_kept(atlas: Path) -> None:
    (atlas / "data").mkdir()
    (atlas / "data" / "agenda.txt").write_text(f"{now():%Y-%m-%d} 10:00 dentist\n1999-01-01 08:00 school\n")
    done = run(atlas, "briefings/daily_brief.py")
    assert "10:00 dentist" in done.stdout
    assert "school" not in done.stdout
    (kept,) = (atlas / "briefs").iterdir()
    assert kept.read_text() == done.stdout


def test_a_missing_agenda_costs_only_a_known_harmless_log_line(atlas: Path) -> None:
    assert "no agenda today" in run(atlas, "briefings/daily_brief.py").stdout
    assert "Calendar error:" in (atlas / "logs" / "daily-brief.log").read_text()
    assert run(atlas, "heartbeat/watchdog.py").stdout == ""


def test_the_backup_restores_to_the_same_data(atlas: Path, tmp_path: Path) -> None:
    run(atlas, "printer/printer_watcher.py")
    (atlas / "data" / "agenda.txt").write_text("2026-02-09 10:00 dentist\n")
    assert run(atlas, "system/backup.py").returncode == 0
    (archive,) = (atlas / "backups").iterdir()
    shutil.unpack_archive(archive, tmp_path / "restored", filter="data")
    assert (tmp_path / "restored" / "data" / "agenda.txt").read_text() == "2026-02-09 10:00 dentist\n"
    with closing(sqlite3.connect(tmp_path / "restored" / "data" / "printer.db")) as database:
        assert database.execute("SELECT state FROM seen").fetchall() == [("offline",)]


def test_the_backup_keeps_the_newest_seven(atlas: Path) -> None:
    (atlas / "backups").mkdir()
    for day in range(1, 10):
        with gzip.open(atlas / "backups" / f"atlas-2001-01-{day:02}.tar.gz", "wb"):
            pass
    run(atlas, "system/backup.py")
    kept = sorted(path.name for path in (atlas / "backups").iterdir())
    assert len(kept) == 7
    assert kept[0] == "atlas-2001-01-04.tar.gz"
    assert kept[-1] == f"atlas-{now():%Y-%m-%d}.tar.gz"


def test_rotation_keeps_five_copies_and_the_writers_open_file(atlas: Path) -> None:
    path = log(atlas, "crm.log", "line")
    for number in range(1, 6):
        log(atlas, f"crm.log.{number}", f"copy {number}")
    os.truncate(path, 10 * 1024 * 1024 + 1)
    with path.open("a") as writer:
        run(atlas, "system/rotate_logs.py")
        writer.write("after\n")
    assert path.read_text() == "after\n"
    assert (atlas / "logs" / "crm.log.1").stat().st_size == 10 * 1024 * 1024 + 1
    copies = [(atlas / "logs" / f"crm.log.{number}").read_text() for number in range(2, 6)]
    assert copies == ["copy 1\n", "copy 2\n", "copy 3\n", "copy 4\n"]
    assert not (atlas / "logs" / "crm.log.6").exists()


def test_rotation_leaves_small_logs_alone(atlas: Path) -> None:
    path = log(atlas, "crm.log", "line")
    run(atlas, "system/rotate_logs.py")
    assert path.read_text() == "line\n"
    assert not (atlas / "logs" / "crm.log.1").exists()


def test_a_tools_own_log_is_capped_at_ten_megabytes(atlas: Path) -> None:
    os.truncate(log(atlas, "watchdog.log"), 10 * 1024 * 1024)
    run(atlas, "heartbeat/watchdog.py")
    assert (atlas / "logs" / "watchdog.log").stat().st_size < 1000
    assert (atlas / "logs" / "watchdog.log.1").stat().st_size == 10 * 1024 * 1024
