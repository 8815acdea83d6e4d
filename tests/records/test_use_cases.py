"""What an apply leaves for the records of runs, and what is read without the right to write."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.host.fake import FakeClock, FakeHost
from reconciler.journal.journal import Journal
from reconciler.journal.runs import Runs
from reconciler.model.event import Event
from reconciler.model.job import Job
from reconciler.model.rollout import RolloutStatus
from reconciler.model.run import Run, Verdict
from reconciler.model.state import Owned, State
from reconciler.records import collect, forget_jobs, gone, records, rolled_out
from reconciler.testing.builders import apply_step, change
from tests.cli.automations import owned
from tests.journal.story import FIRST, NOON, begin, create
from tests.records.build import ALIVE, alive, files, log, spool

HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


def entry(state: Path, name: str, schedule: str = "0 * * * *", **settings: object) -> Owned:
    return owned(state, name, schedule, launcher="/x/reconcile", settings=settings)


def applied(state: Path, clock: FakeClock, *entries: Owned) -> list[Event]:
    """A stable rollout that ends with these in the inventory."""
    said: list[Event] = []
    with Journal.open(state, clock=clock) as journal:
        create(journal, "x")
        journal.confirm_inventory()
        known = [owned.id for owned in journal.inventory()]
        journal.remember(entries, known)
        rolled_out(state, FakeHost(clock=clock), journal, said.append)
    return said


def since(state: Path) -> dict[str, object]:
    with Runs(state, NOON, alive) as runs:
        return {name: told[-1][1] for name, told in runs.schedules().items()}


def test_a_stable_rollout_leaves_its_revision_and_the_schedules(tmp_path: Path, clock: FakeClock) -> None:
    assert applied(tmp_path, clock, entry(tmp_path, "a"), entry(tmp_path, "b")) == []
    assert (tmp_path / "revision").read_text() == f"{FIRST.label}\n"
    assert since(tmp_path) == {"a": NOON, "b": NOON}
    clock.sleep(60)
    applied(tmp_path, clock, entry(tmp_path, "a"), entry(tmp_path, "c", "5 * * * *"))
    assert since(tmp_path) == {"a": NOON, "c": NOON + timedelta(minutes=1)}
    clock.sleep(60)
    applied(tmp_path, clock, entry(tmp_path, "a"), entry(tmp_path, "c", "6 * * * *"))
    assert since(tmp_path) == {"a": NOON, "c": NOON + timedelta(minutes=2)}


def test_without_automations_no_database_is_made(tmp_path: Path, clock: FakeClock) -> None:
    applied(tmp_path, clock)
    assert not (tmp_path / "runs").exists()


def test_an_apply_collects_when_nobody_did_for_an_hour(tmp_path: Path, clock: FakeClock) -> None:
    spool(tmp_path, "a", NOON - HOUR)
    spool(tmp_path, "a", NOON)
    applied(tmp_path, clock, entry(tmp_path, "a"))
    os.utime(tmp_path / "runs/collecting", (NOON.timestamp(), NOON.timestamp()))
    applied(tmp_path, clock, entry(tmp_path, "a"))
    assert len(files(tmp_path)) == 2
    clock.sleep(3700)
    applied(tmp_path, clock, entry(tmp_path, "a"))
    assert len(files(tmp_path)) == 1


def test_trouble_with_the_records_is_said_and_fails_no_apply(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "runs").write_text("a file where a folder belongs")
    (event,) = applied(tmp_path, clock, entry(tmp_path, "a"))
    assert event.message.startswith("the records of runs were not brought up to date: ")
    (tmp_path / "runs").unlink()
    (tmp_path / "revision").unlink()
    (tmp_path / "revision").mkdir()
    assert len(applied(tmp_path, clock, entry(tmp_path, "a"))) == 1


def test_how_much_is_kept_stands_in_the_job_file(tmp_path: Path, clock: FakeClock) -> None:
    inventory = [entry(tmp_path, "a", keep={"runs": 2}), entry(tmp_path, "b")]
    for name in "ab":
        for hours in range(5):
            spool(tmp_path, name, NOON - HOUR * hours)
    assert collect(tmp_path, FakeHost(clock=clock), inventory) is not None
    with records(tmp_path, FakeHost(clock=clock), inventory) as found:
        assert [run.automation for run in found.runs.newest()].count("a") == 2
        assert [run.automation for run in found.runs.newest()].count("b") == 5


def test_a_start_window_and_an_expected_runtime_come_from_the_job_file(tmp_path: Path, clock: FakeClock) -> None:
    inventory = [entry(tmp_path, "a", startWindow=600, runtime={"expected": 90})]
    with records(tmp_path, FakeHost(clock=clock), inventory) as found:
        assert (found.tables["a"].start_window, found.tables["a"].expected) == (600, 90)


def test_missed_slots_need_no_server(tmp_path: Path, clock: FakeClock) -> None:
    inventory = [entry(tmp_path, "a")]
    applied(tmp_path, clock, *inventory)
    spool(tmp_path, "a", NOON + HOUR)
    spool(tmp_path, "a", NOON + HOUR * 2 + timedelta(minutes=9))
    clock.sleep(3.5 * 3600)
    with records(tmp_path, FakeHost(clock=clock), inventory) as found:
        (summary,) = found.summaries(NOON - HOUR * 50)
    assert [slot.at for slot in summary.missed] == [NOON + HOUR * 3]
    assert [slot.delay for slot in summary.late] == [540]


def test_slots_before_a_change_are_judged_by_the_schedule_of_their_time(tmp_path: Path, clock: FakeClock) -> None:
    """Hourly; after half an hour past three, at every odd half (in UTC); then daily."""
    applied(tmp_path, clock, entry(tmp_path, "a"))
    for hours in (1, 2, 5.5):  # 15:00 is missed
        spool(tmp_path, "a", NOON + HOUR * hours)
    clock.sleep(3.5 * 3600)
    applied(tmp_path, clock, entry(tmp_path, "a", "30 */2 * * *"))
    spool(tmp_path, "a", NOON + HOUR * 4.2, trigger="manual")
    clock.sleep(3.5 * 3600)
    applied(tmp_path, clock, entry(tmp_path, "a", "0 12 * * *"))
    clock.sleep(3600)
    with records(tmp_path, FakeHost(clock=clock), [entry(tmp_path, "a", "0 12 * * *")]) as found:
        (summary,) = found.summaries(NOON - HOUR * 50)
        day = found.trouble(NOON - HOUR * 50, found.runs.newest())
    assert [slot.at for slot in summary.missed] == [NOON + HOUR * 3]
    assert summary.late == ()
    assert day == summary.missed


def test_slots_of_a_time_without_the_runner_are_nobodys(tmp_path: Path, clock: FakeClock) -> None:
    seen = entry(tmp_path, "a")
    command = seen.state.attributes["command"]
    assert isinstance(command, list)
    unseen = replace(seen, state=State({**seen.state.attributes, "command": command[command.index("--") + 1 :]}))
    applied(tmp_path, clock, unseen)
    clock.sleep(3.5 * 3600)
    applied(tmp_path, clock, seen)
    clock.sleep(2 * 3600)
    with records(tmp_path, FakeHost(clock=clock), [seen]) as found:
        (summary,) = found.summaries(NOON - HOUR * 50)
    assert [slot.at for slot in summary.missed] == [NOON + HOUR * 4, NOON + HOUR * 5]


def test_job_files_go_once_nothing_could_need_them(tmp_path: Path, clock: FakeClock) -> None:
    """Kept: what the line names, what a rollout that is remembered holds, and what a recorded run was told by."""
    host = FakeHost(clock=clock)
    files = {}
    for timeout, name in enumerate(("line", "rollout", "run", "nobody"), 1):
        job = Job(name, {"timeout": timeout})
        files[name] = tmp_path / "jobs" / job.file_name
        files[name].parent.mkdir(exist_ok=True)
        files[name].write_bytes(job.content)
    path = spool(tmp_path, "run", NOON)
    path.write_text(path.read_text().replace('"job": ""', f'"job": "{Job("run", {"timeout": 3}).digest}"'))
    was = entry(tmp_path, "rollout", timeout=2)
    with Journal.open(tmp_path, clock=clock) as journal:
        number = begin(journal, apply_step(1, change("Automation/rollout", was.state, None)))
        journal.steps_started(number, [1])
        journal.steps_done(number, [1], (), (was.id,))
        journal.finish(number, RolloutStatus.STABLE, "")
        journal.remember([entry(tmp_path, "line", timeout=1)], ())
        forget_jobs(tmp_path, host, journal)
        assert {name for name, path in files.items() if path.exists()} == {"line", "rollout", "run"}
        create(journal, "x")
        assert journal.prune_history(1) == 1
        forget_jobs(tmp_path, host, journal)
    assert {name for name, path in files.items() if path.exists()} == {"line", "run"}


def test_a_runner_counts_as_gone_after_a_reboot_and_as_alive_while_it_is() -> None:
    pid = os.getpid()
    created = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert gone((pid, created, boot)) is None
    assert "started anew" in (gone((pid, created, "another")) or "")
    assert "died" in (gone((pid, "1", boot)) or "")
    ended = subprocess.Popen(["true"])
    born = Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()[19]
    ended.wait()
    assert "died" in (gone((ended.pid, born, boot)) or "")


def told(state: Path) -> list[Run]:
    with Runs(state, NOON, alive) as runs:
        return sorted(runs.newest(), key=lambda run: run.id)


def test_a_state_that_may_only_be_read_is_read_whole(tmp_path: Path, clock: FakeClock) -> None:
    """Database and spool together, on a file system that takes no write."""
    state = tmp_path / "state"
    for hours in range(1, 4):
        spool(state, "a", NOON - HOUR * hours)
    collect(state, FakeHost(clock=clock), [])
    spool(state, "a", NOON)
    spool(state, "a", NOON + HOUR, took=None, pid=ALIVE)
    log(state, "a", "x", b"1", NOON)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "--bind", state, mounted], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", mounted], check=True)
        found = told(mounted)
        with pytest.raises(OSError):
            (mounted / "x").touch()
    finally:
        subprocess.run(["umount", mounted], check=True)
    assert [run.verdict for run in found] == [*[Verdict.SUCCEEDED] * 4, Verdict.RUNNING]
    assert found == told(state)
