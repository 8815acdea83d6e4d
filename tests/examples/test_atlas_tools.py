"""The scripts of examples/atlas, run as cron runs them: another process, another folder, almost no environment."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.examples.atlas import EXAMPLE, install, log, now, run, server

TOOLS = sorted(
    str(path.relative_to(EXAMPLE / "tools"))
    for path in EXAMPLE.glob("tools/*/*.py")
    if "__pycache__" not in path.parts
)
ALONE = (  # these need nobody else
    "printer/printer_watcher.py",
    "briefings/daily_brief.py",
    "heartbeat/watchdog.py",
    "system/backup.py",
    "system/rotate_logs.py",
)
HARMLESS = "Calendar error:\nWeather error:\n\n"


@pytest.fixture
def atlas(tmp_path: Path) -> Path:
    """A fresh installation, at a path that needs quoting."""
    return install(tmp_path / "my atlas")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_check_succeeds_and_leaves_no_trace(atlas: Path, tool: str) -> None:
    before = sorted(atlas.rglob("*"))
    done = run(atlas, tool, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(atlas.rglob("*")) == before


@pytest.mark.parametrize("tool", ALONE)
def test_a_tool_runs_on_an_empty_installation(atlas: Path, tool: str) -> None:
    done = run(atlas, tool)
    assert (done.returncode, done.stderr) == (0, "")
    assert (atlas / "logs").is_dir()


def test_times_mean_one_instant(atlas: Path) -> None:
    for state in ("idle", "printing"):
        (atlas / "data").mkdir(exist_ok=True)
        (atlas / "data" / "printer-status.json").write_text(f'{{"state": "{state}"}}')
        run(atlas, "printer/printer_watcher.py", TZ="Asia/Kolkata")
    logged = (atlas / "logs" / "printer-watcher.log").read_text().split(" INFO")[0]
    assert datetime.strptime(logged, "%Y-%m-%d %H:%M:%S%z").utcoffset() == timedelta(hours=5, minutes=30)
    assert "+05:30 printer: idle -> printing" in (atlas / "alerts" / "printer.txt").read_text()


def test_a_tool_that_breaks_says_so(atlas: Path) -> None:
    (atlas / "backups").write_text("a file where a folder belongs")
    done = run(atlas, "system/backup.py")
    assert done.returncode == 1
    assert "FileExistsError" in done.stderr
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
    assert "1 lines in today's logs" in done.stderr
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
    done = run(atlas, "heartbeat/watchdog.py", "-", stdin=HARMLESS)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (atlas / "alerts").exists()


def test_the_watchdog_reads_only_today(atlas: Path) -> None:
    yesterday = now() - timedelta(days=1)
    log(atlas, "mixed.log", f"{yesterday:%Y-%m-%d} 23:59:59 failed", "Traceback (most recent call last):")
    stale = log(atlas, "stale.log", "failed")
    os.utime(stale, (yesterday.timestamp(), yesterday.timestamp()))
    assert run(atlas, "heartbeat/watchdog.py", "-", stdin=HARMLESS).stderr == ""


def test_the_watchdog_takes_undated_lines_as_part_of_the_dated_one_above(atlas: Path) -> None:
    log(atlas, "crm.log", f"{now():%Y-%m-%d} 05:00:00 ERROR stopped", "Traceback (most recent call last):")
    assert "crm.log: Traceback" in run(atlas, "heartbeat/watchdog.py").stderr


def test_the_watchdog_does_not_find_itself(atlas: Path) -> None:
    log(atlas, "crm.log", f"{now():%Y-%m-%d} 05:00:00 failed")
    run(atlas, "heartbeat/watchdog.py")
    log(atlas, "crm.log", "all well")
    assert run(atlas, "heartbeat/watchdog.py", "-", stdin=HARMLESS).stderr == ""


def test_the_printer_watcher_tells_of_a_change_and_only_of_a_change(atlas: Path) -> None:
    status = atlas / "data" / "printer-status.json"
    status.parent.mkdir()
    said = []
    for content in ('{"state": "printing", "job": "bracket"}',) * 2 + (
        '{"state": "finished", "job": "bracket"}',
        "{",
    ):
        status.write_text(content)
        said.append(run(atlas, "printer/printer_watcher.py").stderr.partition("printer: ")[2].strip())
    assert said == ["", "", "printing -> finished bracket", "finished -> offline"]
    with closing(sqlite3.connect(atlas / "data" / "printer.db")) as database:
        assert database.execute("SELECT state FROM seen").fetchall() == [("printing",), ("finished",), ("offline",)]


def test_the_printer_watcher_reads_a_status_address(atlas: Path) -> None:
    with server(200, b'{"state": "idle"}') as there:
        run(atlas, "printer/printer_watcher.py", PRINTER_STATUS=there.url)
    with closing(sqlite3.connect(atlas / "data" / "printer.db")) as database:
        assert database.execute("SELECT state, job FROM seen").fetchall() == [("idle", "")]


def test_the_briefing_tells_todays_agenda_and_is_kept(atlas: Path) -> None:
    (atlas / "data").mkdir()
    (atlas / "data" / "agenda.txt").write_text(f"{now():%Y-%m-%d} 10:00 dentist\n1999-01-01 08:00 school\n")
    done = run(atlas, "briefings/daily_brief.py")
    assert "10:00 dentist" in done.stdout
    assert "school" not in done.stdout
    for name in (f"{now():%Y-%m-%d}.txt", "latest.txt"):
        assert (atlas / "briefs" / name).read_text() == done.stdout


def test_a_missing_agenda_costs_only_a_known_harmless_log_line(atlas: Path) -> None:
    assert "no agenda today" in run(atlas, "briefings/daily_brief.py").stdout
    assert "Calendar error:" in (atlas / "logs" / "daily-brief.log").read_text()
    assert run(atlas, "heartbeat/watchdog.py", "-", stdin=HARMLESS).stderr == ""


def test_the_backup_restores_to_the_same_data(atlas: Path, tmp_path: Path) -> None:
    run(atlas, "printer/printer_watcher.py")
    (atlas / "data" / "agenda.txt").write_text("2026-02-09 10:00 dentist\n")
    assert run(atlas, "system/backup.py").returncode == 0
    archive = atlas / "backups" / f"atlas-{now():%Y-%m-%d}.tar.gz"
    assert sorted((atlas / "backups").iterdir()) == [archive, atlas / "backups" / "latest.tar.gz"]
    assert (atlas / "backups" / "latest.tar.gz").resolve() == archive.resolve()
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
    kept = sorted(path.name for path in (atlas / "backups").glob("atlas-*"))
    assert len(kept) == 7
    assert kept[0] == "atlas-2001-01-04.tar.gz"
    assert kept[-1] == f"atlas-{now():%Y-%m-%d}.tar.gz"


def test_a_backup_that_is_stopped_leaves_no_half_archive(atlas: Path) -> None:
    (atlas / "data").mkdir()
    with (atlas / "data" / "large.bin").open("wb") as file:
        file.write(os.urandom(40_000_000))
    argv = [sys.executable, str(atlas / "tools/system/backup.py")]
    with subprocess.Popen(argv, env={**os.environ, "TMPDIR": str(atlas)}) as process:
        deadline = time.monotonic() + 30
        while not list((atlas / "backups").glob("*.new")):
            assert time.monotonic() < deadline, "the backup did not begin"
            time.sleep(0.005)
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    assert list((atlas / "backups").iterdir()) == []
    assert list(atlas.glob("tmp*")) == []


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
