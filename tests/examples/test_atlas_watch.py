"""The tools of examples/atlas that watch and tell: health, alerts, the service, new tools. Real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.cli.automations import apply, owned
from tests.examples.atlas import install, log, now, run, server
from tests.records.build import spool

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)


@pytest.fixture
def atlas(tmp_path: Path) -> Path:
    return install(tmp_path / "my atlas")


@pytest.fixture
def known(tmp_path: Path) -> dict[str, str]:
    """Automations with records of their runs, and the real `reconcile` that knows them."""
    state, folder = tmp_path / "state", tmp_path / "bin"
    folder.mkdir()
    launcher = folder / "reconcile"
    launcher.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m reconciler "$@"\n')
    launcher.chmod(0o755)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hourly = [owned(state, name, "0 * * * *", launcher=str(launcher)) for name in ("good", "broken", "late")]
    rare = [
        owned(state, name, {"at": "boot"}, launcher=str(launcher)) for name in ("fresh", "again", "service-health")
    ]
    apply(state, *hourly, *rare)
    for hours in range(200, -1, -1):
        at = hour - HOUR * hours
        spool(state, "good", at)
        spool(state, "broken", at, **({} if hours else {"verdict": "timed-out", "exit": 124}))
        if hours > 1:
            spool(state, "late", at)
    spool(state, "again", hour - HOUR)
    spool(state, "again", hour, verdict="skipped")
    spool(state, "service-health", hour, verdict="failed", exit=1)
    return {
        "RECONCILER_BIN_DIR": str(folder),
        "RECONCILER_STATE_DIR": str(state),
        "RECONCILER_CACHE_DIR": str(tmp_path / "cache"),
    }


def settle(atlas: Path, **groups: dict[str, str]) -> None:
    wanted = {"databases": {}, "endpoints": {}, **groups}
    (atlas / "tools" / "system" / "health.json").write_text(json.dumps(wanted))


def health(atlas: Path, known: dict[str, str]) -> tuple[int, dict[str, Any]]:
    done = run(atlas, "system/service_health_monitor.py", **known)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_health_tells_good_failed_missed_and_new_automations_apart(atlas: Path, known: dict[str, str]) -> None:
    settle(atlas)
    code, report = health(atlas, known)
    statuses = {name: entry["status"] for name, entry in report["automations"].items()}
    assert statuses.pop("late").startswith("missed ")
    assert statuses == {"good": "ok", "broken": "timed-out", "fresh": "not run yet", "again": "ok"}
    assert datetime.fromisoformat(report["automations"]["good"]["last_run"]).utcoffset() is not None
    assert code == 1
    alert = (atlas / "alerts" / "service-health.txt").read_text()
    assert "broken timed-out" in alert
    health(atlas, known)
    assert (atlas / "alerts" / "service-health.txt").read_text() == alert  # said once


def test_health_names_oversized_logs_and_broken_databases(atlas: Path, known: dict[str, str]) -> None:
    os.truncate(log(atlas, "huge.log"), 10 * 1024 * 1024 + 1)
    (atlas / "data").mkdir()
    (atlas / "data" / "bad.db").write_bytes(b"not a database" * 100)
    with closing(sqlite3.connect(atlas / "data" / "good.db")) as database:
        database.execute("CREATE TABLE a (b)")
    settle(atlas, databases={"bad": "data/bad.db", "good": "data/good.db", "none": "data/none.db"})
    report = health(atlas, known)[1]
    assert report["logs"]["oversized"] == ["huge.log"]
    assert report["databases"]["good"] == {"status": "connected"}
    assert report["databases"]["bad"]["status"].startswith("unreachable")
    assert report["databases"]["none"]["status"].startswith("unreachable")
    assert not (atlas / "data" / "none.db").exists()


def test_health_asks_endpoints(atlas: Path, known: dict[str, str]) -> None:
    with server(200) as good, server(503) as bad:
        settle(atlas, endpoints={"good": good.url, "bad": bad.url, "gone": "http://127.0.0.1:1/"})
        statuses = health(atlas, known)[1]["endpoints"]
    assert statuses["good"] == {"status": "ok"}
    assert statuses["bad"] == {"status": "answers 503"}
    assert statuses["gone"]["status"].startswith("unreachable")


def test_health_without_reconcile_says_so(atlas: Path, tmp_path: Path) -> None:
    done = run(atlas, "system/service_health_monitor.py", HOME=str(tmp_path), PATH="/nowhere")
    assert done.returncode == 1
    assert "No such file or directory: 'reconcile'" in done.stderr


def test_the_weekly_review_is_a_page(atlas: Path, known: dict[str, str]) -> None:
    done = run(atlas, "system/weekly_review.py", **known)
    assert done.returncode == 0, done.stderr
    page = (atlas / "reports" / "week.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "broken" in page


TOKEN = "123:secret"


def send(atlas: Path, url: str) -> subprocess.CompletedProcess[str]:
    settings = {"TELEGRAM_API": url.rstrip("/"), "TELEGRAM_CHAT": "42", "TELEGRAM_TOKEN": TOKEN}
    return run(atlas, "heartbeat/telegram.py", **settings)


def test_alerts_are_sent_once_and_an_outage_loses_none(atlas: Path) -> None:
    file = atlas / "alerts" / "printer.txt"
    file.parent.mkdir()
    file.write_text("one\ntwo\nhal")
    with server(200, b"{}") as there:
        there.status = 502
        failed = send(atlas, there.url)
        assert failed.returncode == 1
        assert "Telegram answers 502" in failed.stderr
        assert TOKEN not in failed.stderr + (atlas / "logs" / "telegram.log").read_text()
        there.status = 200
        there.asked.clear()
        for more in ("", "f\n", ""):
            with file.open("a") as stream:
                stream.write(more)
            assert send(atlas, there.url).returncode == 0
        file.write_text("new\n")  # somebody began it anew
        assert send(atlas, there.url).returncode == 0
    assert [path for path, _, _ in there.asked] == [f"/bot{TOKEN}/sendMessage"] * 3
    bodies = [json.loads(body) for _, _, body in there.asked]
    assert bodies == [{"chat_id": "42", "text": text} for text in ("one\ntwo", "half", "new")]


def test_a_storm_of_alerts_is_one_message(atlas: Path) -> None:
    (atlas / "alerts").mkdir()
    (atlas / "alerts" / "watchdog.txt").write_text("".join(f"line {number}\n" for number in range(1000)))
    with server(200) as there:
        assert send(atlas, there.url).returncode == 0
    ((_, _, body),) = there.asked
    lines = json.loads(body)["text"].splitlines()
    assert (lines[0], lines[-1]) == ("line 980", "and 980 lines before, in watchdog.txt")


def test_no_telegram_at_all_is_a_failure_without_the_token(atlas: Path) -> None:
    (atlas / "alerts").mkdir()
    (atlas / "alerts" / "printer.txt").write_text("x\n")
    failed = send(atlas, "http://127.0.0.1:1")
    assert failed.returncode == 1
    assert TOKEN not in failed.stderr


def test_the_calendar_is_fetched_with_its_token(atlas: Path) -> None:
    entry = f"{now():%Y-%m-%d} 10:00 dentist\n"
    with server(200, entry.encode()) as there:
        done = run(atlas, "briefings/calendar_sync.py", AGENDA_URL=there.url, AGENDA_TOKEN=TOKEN)
        assert done.returncode == 0, done.stderr
        there.status = 401
        assert run(atlas, "briefings/calendar_sync.py", AGENDA_URL=there.url, AGENDA_TOKEN=TOKEN).returncode == 1
    assert there.asked[0][1]["Authorization"] == f"Bearer {TOKEN}"
    assert "dentist" in run(atlas, "briefings/daily_brief.py").stdout  # the old agenda stayed


@pytest.fixture
def board(atlas: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "BOARD_PORT": str(port)}
    argv = [sys.executable, str(atlas / "tools/sync/board_sync.py")]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"listening on port {port}\n".encode()
        yield process, f"http://127.0.0.1:{port}/health"
        process.kill()


def answer(url: str, status: str) -> dict[str, Any]:
    """What it answers once its status is that."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with urlopen(url, timeout=5) as response:
                found = json.loads(response.read())
        except HTTPError as error:
            found = json.loads(error.read())
        if found["status"] == status:
            return dict(found)
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_the_board_is_kept_in_step_and_says_when_it_is_not(
    atlas: Path, board: tuple[subprocess.Popen[bytes], str]
) -> None:
    process, url = board
    assert answer(url, "ok")["cards"] == "0"
    (atlas / "data" / "board.txt").write_bytes(b"\xff\xfe")
    assert "decode" in answer(url, "failing")["error"]
    (atlas / "data" / "board.txt").write_text("paint\nprint\n")
    assert answer(url, "ok")["cards"] == "2"
    with closing(sqlite3.connect(atlas / "data" / "board.db")) as database:
        assert database.execute("SELECT text FROM cards ORDER BY place").fetchall() == [("paint",), ("print",)]
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - began < 1.5  # at once, and not after its interval
    assert "stopped by signal 15" in (atlas / "logs" / "board-sync.log").read_text()


def write(atlas: Path, task: str, source: str, output: str, *more: str) -> subprocess.CompletedProcess[str]:
    return run(atlas, "system/script_writer.py", "--task", task, "--input", source, "--output", output, *more)


def test_a_tool_that_was_written_for_a_task_works(atlas: Path) -> None:
    with server(200) as there:
        done = write(
            atlas, 'Monitor "our" website uptime', there.url, "tools/monitoring/up.py", "--schedule", "*/5 * * * *"
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "wrote tools/monitoring/up.py\nwrote desired/automations/up.yaml\n"
        said = []
        for status in (200, 503, 503, 200):
            there.status = status
            ran = run(atlas, "monitoring/up.py")
            assert ran.returncode == 0
            said.append(ran.stderr.partition(" up: ")[2].strip())
    assert said == ["", f"{there.url} cannot be read: HTTP Error 503: Service Unavailable", "", "all is well again"]
    again = write(atlas, "website", there.url, "tools/monitoring/up.py")
    assert again.returncode == 1
    assert "there is such a file already" in again.stderr


@pytest.mark.parametrize(("task", "wrong", "words"), [
    ("the age of a file", "/no/such/file", "there is no /no/such/file"),
    ("room on a disk", "/", ""),
])  # fmt: skip
def test_other_tasks_that_it_knows(atlas: Path, task: str, wrong: str, words: str) -> None:
    assert write(atlas, task, wrong, "tools/monitoring/it.py").returncode == 0
    ran = run(atlas, "monitoring/it.py")
    assert ran.returncode == 0
    assert words in ran.stderr


@pytest.mark.parametrize(("task", "output", "words"), [
    ("Brew coffee", "tools/kitchen/coffee.py", "it names none of the things that are known here"),
    ("the age of a website", "tools/a/b.py", "it names more than one"),
    ("website", "../outside.py", "tools stand in tools/FOLDER/NAME.py"),
])  # fmt: skip
def test_it_refuses_what_it_cannot_write(atlas: Path, task: str, output: str, words: str) -> None:
    before = sorted(atlas.rglob("*"))
    done = write(atlas, task, "x", output)
    assert done.returncode == 1
    assert words in done.stderr
    assert sorted(atlas.rglob("*")) == before
