"""`reconcile runs`, `show`, `stats`, `logs`, `status` on run files as the runner leaves them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.automations import apply, owned
from tests.cli.workplace import Workplace
from tests.records.build import lines, log, spool

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def hourly(workplace: Workplace, now: datetime) -> Workplace:
    """An automation that runs at each full hour since yesterday: it failed once, was late once, and missed two."""
    apply(workplace.state, owned(workplace.state, "sync", "0 * * * *", launcher="/x/reconcile"))
    for hours in range(24, -1, -1):
        at = now - HOUR * hours
        if hours in (7, 8):
            continue
        more = {"verdict": "failed", "exit": 3, "reason": "exit code 3 TOKEN=hunter2"} if hours == 3 else {}
        late = timedelta(minutes=5 if hours == 5 else 0)
        spool(workplace.state, "sync", at + late, id_=f"{at:%Y%m%dT%H%M%SZ}", tail="x\x1b[31m\n", **more)
    return workplace


def test_late_and_missed_slots_stand_among_the_runs(hourly: Workplace, now: datetime) -> None:
    ran = hourly.run("runs", "--since", "30h", "-n", "30")
    assert ran.code == 0
    rows = ran.out.splitlines()
    assert "failed" in rows[4]
    assert "hunter2" not in ran.out
    assert rows[6].endswith("started 5m late")
    assert "missed 2" in rows[8]
    before = len(rows)
    assert hourly.run("runs", "--collect").out == "23 runs recorded.\n"
    again = hourly.run("runs", "--since", "30h", "-n", "30").out.splitlines()
    assert again == rows
    assert len(again) == before


def test_failed_shows_what_failed_and_what_never_came(hourly: Workplace) -> None:
    ran = hourly.run("runs", "sync", "--failed", "--since", "23h", "-o", "json")
    found = json.loads(ran.out)
    assert [run["verdict"] for run in found["runs"]] == ["failed"]
    assert len(found["missed"]) == 2


def test_the_runs_of_one_automation_come_with_their_ids(hourly: Workplace, now: datetime) -> None:
    rows = hourly.run("runs", "sync").out.splitlines()
    id_ = rows[1].split()[2]
    assert id_ == f"{now:%Y%m%dT%H%M%SZ}"
    assert hourly.run("show", f"sync/{id_}").code == 0


def test_a_number_cuts_the_list(hourly: Workplace) -> None:
    assert len(json.loads(hourly.run("runs", "-n", "2", "-o", "json").out)["runs"]) == 2


def test_an_unknown_name_gets_the_nearest(hourly: Workplace) -> None:
    for command in ("runs", "stats", "logs", "show", "run"):
        ran = hourly.run(command, "synk")
        assert (ran.code, ran.out) == (1, "")
        assert "did you mean sync?" in ran.err


@pytest.mark.parametrize("text", ["yesterday", "2026-99-99", "99999999999d"])
def test_a_time_that_is_none_is_refused(hourly: Workplace, text: str) -> None:
    ran = hourly.run("runs", "--since", text)
    assert ran.code == 1
    assert "--since" in ran.err


def test_nothing_is_written_by_looking(hourly: Workplace) -> None:
    before = hourly.files()
    for command in (["runs"], ["stats"], ["show", "sync"], ["report"], ["logs", "sync"], ["status"]):
        assert hourly.run(*command).code == 0
    assert hourly.files() == before


def test_one_run_is_shown_whole_and_harmless(hourly: Workplace, now: datetime) -> None:
    name = f"sync/{now - HOUR * 3:%Y%m%dT%H%M%SZ}"
    ran = hourly.run("show", name)
    assert ran.out.startswith(f"{name}: failed\n")
    assert "exit code 3" in ran.out
    assert "hunter2" not in ran.out
    assert "| x\\x1b[31m" in ran.out
    assert json.loads(hourly.run("show", name, "-o", "json").out)["tail"] == "x\x1b[31m\n"
    assert hourly.run("show", "sync").out.startswith(f"sync/{now:%Y%m%dT%H%M%SZ}: succeeded\n")
    assert "there is no run nope of sync" in hourly.run("show", "sync/nope").err


def test_figures_of_all_and_of_one(hourly: Workplace) -> None:
    (figures,) = json.loads(hourly.run("stats", "--since", "25h", "-o", "json").out)["automations"]
    assert (figures["runs"], figures["failed"], len(figures["late"])) == (23, 1, 1)
    assert len(figures["missed"]) in (2, 3)  # 25 hours ago may be a slot of its own
    assert figures["next"] is not None
    page = hourly.run("stats", "sync").out
    assert "every hour at :00" in page
    assert "23, of which 1 failed" in page


def test_status_says_in_one_line_how_runs_go(hourly: Workplace) -> None:
    out = hourly.run("status").out
    assert "in the last day; failed: sync; missed: sync\n" in out


def test_a_schedule_nobody_has_seen_yet_misses_nothing(workplace: Workplace) -> None:
    entry = owned(workplace.state, "fresh", "* * * * *", launcher="/x/reconcile")
    apply(workplace.state, entry, since=datetime.now(UTC))
    assert workplace.run("runs").out == "No run is recorded for that.\n"


def test_runs_of_another_user_are_not_called_missed(workplace: Workplace) -> None:
    apply(workplace.state, owned(workplace.state, "a", "* * * * *", launcher="/x/reconcile", user="nobody"))
    assert workplace.run("runs").out == "No run is recorded for that.\n"
    ran = workplace.run("runs", "a")
    assert ran.err == "note: runs of a are recorded by nobody; as nobody: reconcile runs\n"
    assert workplace.run("runs", "-o", "json").code == 0


def test_slots_through_a_change_of_the_clock(workplace: Workplace) -> None:
    """02:30 in Berlin: once on the day that has it twice, at 03:00 on the day that has it not."""
    entry = owned(workplace.state, "a", "30 2 * * *", launcher="/x/reconcile", timezone="Europe/Berlin")
    apply(workplace.state, entry, since=datetime(2026, 1, 1, tzinfo=UTC))
    found = json.loads(workplace.run("runs", "--since", "2026-01-02", "-o", "json").out)
    missed = [each["slot"] for each in found["missed"]]
    days = [text for text in missed if text[:10] in ("2026-03-29", "2026-10-25")]
    assert days == ["2026-03-29T01:00:00+00:00", "2026-10-25T00:30:00+00:00"]


def test_garbage_is_said_once(hourly: Workplace) -> None:
    bad = hourly.state / "runs/spool/sync/20200101T000000Z.run"
    bad.write_bytes(b"{}\n")
    os.utime(bad, (1, 1))
    assert "1 run files cannot be read" in hourly.run("runs").err
    assert "set aside as" in hourly.run("runs", "--collect").err
    assert hourly.run("runs", "--collect").err == ""


# -- logs


def test_the_output_of_the_last_run_also_compressed(hourly: Workplace, now: datetime) -> None:
    log(hourly.state, "sync", f"{now:%Y%m%dT%H%M%SZ}", b"1\n2\n3\n", now)
    assert hourly.run("logs", "sync").out == "1\n2\n3\n"
    assert hourly.run("logs", "sync", "-n", "2").out == "2\n3\n"
    old = f"{now - HOUR * 9:%Y%m%dT%H%M%SZ}"
    log(hourly.state, "sync", old, b"old\n" * 2000, now - HOUR * 30)
    hourly.run("runs", "--collect")
    assert [path.name for path in (hourly.state / "runs/logs/sync").glob("*.gz")] == [f"{old}.log.gz"]
    assert hourly.run("logs", "sync", "--run", old, "-n", "1").out == "old\n"


def test_without_a_log_the_record_is_asked(hourly: Workplace) -> None:
    ran = hourly.run("logs", "sync")
    assert ran.out == "x\x1b[31m\n"
    assert "is gone" in ran.err


def test_following_goes_on_with_the_next_run_and_ends_on_ctrl_c(hourly: Workplace, now: datetime) -> None:
    state = hourly.state
    first = log(state, "sync", f"{now:%Y%m%dT%H%M%SZ}", b"one\n", now)
    me = {"pid": os.getpid(), "created": born(os.getpid()), "boot": boot()}

    def running(at: datetime) -> bytes:
        head, *rest = lines("sync", at, took=None).splitlines()
        return b"\n".join([json.dumps({**json.loads(head), "runner": me}).encode(), *rest]) + b"\n"

    path = state / "runs/spool/sync" / f"{now:%Y%m%dT%H%M%SZ}.run"
    path.write_bytes(running(now))
    program = [sys.executable, "-m", "reconciler", "logs", "sync", "-f"]
    following = subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert following.stdout is not None
    try:
        assert following.stdout.readline() == b"one\n"
        with first.open("ab") as file:
            file.write(b"two\n")
        assert following.stdout.readline() == b"two\n"
        first.rename(first.with_name(f"{first.name}.1"))
        first.write_bytes(b"three\n")
        assert following.stdout.readline() == b"three\n"
        path.write_bytes(lines("sync", now))
        later = now + HOUR
        log(state, "sync", f"{later:%Y%m%dT%H%M%SZ}", b"next\n", now)
        spool(state, "sync", later)
        assert following.stdout.readline() == b"next\n"
        time.sleep(0.3)
        following.send_signal(signal.SIGINT)
        assert following.wait(timeout=10) == 0
        assert following.stderr is not None
        assert b"Traceback" not in following.stderr.read()
    finally:
        following.kill()
        following.communicate()


def born(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
