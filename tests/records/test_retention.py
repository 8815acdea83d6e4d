"""What is kept of runs: by number, age and size; old logs compressed and read all the same."""

from __future__ import annotations

import gzip
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from reconciler.journal import run_logs
from reconciler.journal.collect import Keep, collect
from reconciler.journal.runs import Runs, seen
from reconciler.journal.runs_schema import FILE, RUNS, stamp
from reconciler.journal.schema import migrate
from reconciler.model.run import Run
from tests.records.build import NOON, alive, log, spool

DAY = timedelta(days=1)


def fill(state: Path, count: int, size: int = 10) -> list[str]:
    """One run a day, the newest a day ago; ids oldest first."""
    ids = []
    for number in range(count, 0, -1):
        at = NOON - DAY * number
        ids.append(spool(state, "a", at).name.removesuffix(".run"))
        log(state, "a", ids[-1], b"x" * size, at)
    return ids


def runs(state: Path) -> tuple[Run, ...]:
    with Runs(state, NOON, alive) as found:
        return found.newest()


def logs(state: Path) -> list[str]:
    folder = state / "runs/logs/a"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def tidy(state: Path, **keep: int) -> None:
    assert collect(state, NOON, alive, {"a": Keep(**keep)}) is not None


def test_more_runs_than_wanted_go_with_their_logs_oldest_first(tmp_path: Path) -> None:
    ids = fill(tmp_path, 10)
    tidy(tmp_path, runs=3)
    assert [run.id for run in runs(tmp_path)] == ids[:-4:-1]
    assert logs(tmp_path) == [f"{id_}.log" for id_ in ids[-3:]]


def test_what_is_too_old_goes_but_never_the_newest_run(tmp_path: Path) -> None:
    ids = fill(tmp_path, 10)
    tidy(tmp_path, days=4)
    assert [run.id for run in runs(tmp_path)] == ids[:-5:-1]
    assert collect(tmp_path, NOON + 100 * DAY, alive, {}) is not None
    assert [run.id for run in runs(tmp_path)] == ids[-1:]
    assert not (tmp_path / "runs/logs/a").exists()


def test_logs_beyond_the_size_go_and_their_runs_stay(tmp_path: Path) -> None:
    ids = fill(tmp_path, 10, size=1000)
    log(tmp_path, "a", ids[-1], b"y" * 500, NOON - DAY, part=".log.1")
    tidy(tmp_path, bytes=2600)
    assert len(runs(tmp_path)) == 10
    assert logs(tmp_path) == [f"{ids[-2]}.log", f"{ids[-1]}.log", f"{ids[-1]}.log.1"]


def test_the_log_of_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    at = NOON - 200 * DAY
    path = log(tmp_path, "a", spool(tmp_path, "a", at, took=None).stem, b"z" * 9000, at)
    tidy(tmp_path, bytes=1)
    assert path.exists()


def test_old_logs_are_compressed_once_and_read_as_they_were(tmp_path: Path) -> None:
    at = NOON - 3 * DAY
    id_ = spool(tmp_path, "a", at).stem
    first = log(tmp_path, "a", id_, b"1\n" * 5000, at, part=".log.1")
    log(tmp_path, "a", id_, b"2\n" * 5000, at)
    small = log(tmp_path, "a", "small", b"x" * 4096, at)
    fresh = log(tmp_path, "a", "fresh", b"x" * 9000, NOON - timedelta(hours=2))
    written = first.stat().st_mtime
    for _ in range(2):
        tidy(tmp_path)
        assert logs(tmp_path) == [f"{id_}.log.1.gz", f"{id_}.log.gz", fresh.name, small.name]
    assert first.with_name(f"{first.name}.gz").stat().st_mtime == written
    found = run_logs.paths(tmp_path, "a", id_)
    assert b"".join(part for path in found for part in run_logs.chunks(path)) == b"1\n" * 5000 + b"2\n" * 5000


def test_a_compressed_log_that_is_damaged_gives_what_can_be_read(tmp_path: Path) -> None:
    whole = gzip.compress(b"line\n" * 100_000)
    path = log(tmp_path, "a", "x", whole[: len(whole) // 2], NOON, part=".log.gz")
    assert b"".join(run_logs.chunks(path)).startswith(b"line\nline\n")
    path.write_bytes(b"no gzip")
    assert list(run_logs.chunks(path)) == []


def test_slots_are_judged_no_further_back_than_runs_are_remembered(tmp_path: Path) -> None:
    seen(tmp_path, {"a": "1"}, NOON - 100 * DAY, all_of_them=True)
    fill(tmp_path, 10)
    tidy(tmp_path, runs=3)
    with Runs(tmp_path, NOON, alive) as found:
        assert found.schedules() == {"a": [("1", NOON - 3 * DAY)]}


def test_schedules_go_with_the_runs_of_their_time(tmp_path: Path) -> None:
    for days, schedule in ((100, "1"), (5, "2"), (1, "3")):
        seen(tmp_path, {"a": schedule}, NOON - DAY * days, all_of_them=True)
    fill(tmp_path, 10)
    tidy(tmp_path, runs=3)
    with Runs(tmp_path, NOON, alive) as found:
        assert found.schedules() == {"a": [("2", NOON - 3 * DAY), ("3", NOON - DAY)]}
    collect(tmp_path, NOON + 200 * DAY, alive, {})
    with Runs(tmp_path, NOON, alive) as found:
        assert [told for told, _ in found.schedules()["a"]] == ["3"]


def test_records_of_an_earlier_format_keep_their_schedules(tmp_path: Path) -> None:
    old = replace(RUNS, migrations=RUNS.migrations[:1])
    (tmp_path / "runs").mkdir()
    connection = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    migrate(connection, form=old)
    connection.execute("INSERT INTO timetables VALUES ('a', '1', ?)", (stamp(NOON - DAY),))
    connection.close()
    with Runs(tmp_path, NOON, alive) as found:
        assert found.schedules() == {"a": [("1", NOON - DAY)]}
    seen(tmp_path, {"a": "2"}, NOON, all_of_them=True)
    with Runs(tmp_path, NOON, alive) as found:
        assert found.schedules() == {"a": [("1", NOON - DAY), ("2", NOON)]}


def test_only_the_newest_runs_keep_the_end_of_their_output(tmp_path: Path) -> None:
    for number in range(1003):
        spool(tmp_path, "a", NOON - timedelta(minutes=number))
    tidy(tmp_path)
    with Runs(tmp_path, NOON, alive) as found:
        newest = found.newest()
        tails = [(found.one("a", run.id) or run).tail for run in (newest[0], newest[999], newest[1000], newest[1002])]
    assert tails == ["done\n", "done\n", "", ""]
