"""From the spool into the database: once each, nothing lost, nothing in the way."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.journal.collect import Collected, Keep, collect, only_one
from reconciler.journal.runs import Runs, seen
from reconciler.model.errors import JournalError
from reconciler.model.run import Run, Verdict
from tests.records.build import DEAD, NOON, alive, files, lines, log, put, spool

ROOT = Path(__file__).parents[2]
MINUTE = timedelta(minutes=1)


def collected(state: Path, **keep: int) -> Collected:
    found = collect(state, NOON, alive, {"a": Keep(**keep)})
    assert found is not None
    return found


def recorded(state: Path) -> tuple[Run, ...]:
    with Runs(state, NOON, alive) as runs:
        return runs.newest()


def minutes(state: Path, count: int, name: str = "a") -> list[Path]:
    return [spool(state, name, NOON - MINUTE * (number + 1)) for number in range(count)]


def test_what_has_ended_is_recorded_once_and_leaves_the_spool(tmp_path: Path) -> None:
    minutes(tmp_path, 5)
    before = [(run.name, run.verdict, run.duration) for run in recorded(tmp_path)]
    assert collected(tmp_path).recorded == 5
    assert [(run.name, run.verdict, run.duration) for run in recorded(tmp_path)] == before
    assert len(before) == 5
    assert collected(tmp_path).recorded == 0


def test_the_file_of_the_newest_slot_stays_as_its_claim_until_it_is_old(tmp_path: Path) -> None:
    newest = minutes(tmp_path, 3)[0]
    spool(tmp_path, "a", NOON, id_="20261121T115959.000Z-manual", trigger="manual")
    collected(tmp_path)
    assert files(tmp_path) == [f"a/{newest.name}"]
    collect(tmp_path, NOON + timedelta(days=9), alive, {})
    assert files(tmp_path) == []
    assert not newest.parent.exists()


def test_a_run_that_goes_on_stays_and_is_shown(tmp_path: Path) -> None:
    spool(tmp_path, "a", NOON, took=None)
    assert collected(tmp_path).recorded == 0
    assert [run.verdict for run in recorded(tmp_path)] == [Verdict.RUNNING]
    assert len(files(tmp_path)) == 1


def test_a_run_whose_runner_died_is_lost_and_says_why(tmp_path: Path) -> None:
    spool(tmp_path, "a", NOON - MINUTE, took=None, pid=DEAD)
    spool(tmp_path, "a", NOON)
    assert [(run.verdict, run.reason) for run in recorded(tmp_path)][1] == (Verdict.LOST, "its runner died")
    found = collected(tmp_path)
    assert (found.recorded, found.lost) == (2, 1)
    assert [run.verdict for run in recorded(tmp_path)] == [Verdict.SUCCEEDED, Verdict.LOST]


def test_a_runner_that_wrote_its_end_before_it_died_is_not_lost(tmp_path: Path) -> None:
    path = spool(tmp_path, "a", NOON, took=None, pid=DEAD)

    def late(_runner: tuple[int, str, str]) -> str:
        path.write_bytes(lines("a", NOON, pid=DEAD))
        return "gone"

    found = collect(tmp_path, NOON, late, {})
    assert found is not None
    assert (found.recorded, found.lost) == (1, 0)


GARBAGE = {
    "zeros": b"\0" * 100 + b"\n",
    "another's": lines("b", NOON),
    "a list": b"[1, 2]\n",
    "a count that is none": lines("a", NOON, exit=10**40),
    "not a number": lines("a", NOON, seconds=float("nan")),
    "a verdict of its own": lines("a", NOON, verdict="splendid"),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_set_aside_once_and_the_rest_is_recorded(tmp_path: Path, content: bytes) -> None:
    bad = put(tmp_path, "a", "20261121T120000Z", content, NOON - timedelta(hours=2))
    spool(tmp_path, "a", NOON - MINUTE)
    with Runs(tmp_path, NOON, alive) as runs:
        assert runs.unreadable == 1
    found = collected(tmp_path)
    assert (found.recorded, found.unreadable) == (1, (bad.parent / "unreadable" / bad.name,))
    assert found.unreadable[0].read_bytes() == content
    assert collected(tmp_path).unreadable == ()


def test_text_that_no_database_takes_is_recorded_spelled_out(tmp_path: Path) -> None:
    spool(tmp_path, "a", NOON, tail="\ud800 \0", reason="\udc80", command=["\udcff"])
    assert collected(tmp_path).recorded == 1
    (run,) = recorded(tmp_path)
    assert run.reason == "\\udc80"


@pytest.mark.parametrize(
    ("content", "after", "why"),
    [
        (b"", timedelta(hours=2), "it is empty"),
        (lines("a", NOON)[:40], timedelta(seconds=6), "the first line is cut short"),
    ],
    ids=["empty", "cut"],
)
def test_a_file_that_is_being_written_is_a_run_and_later_a_lost_one(
    tmp_path: Path, content: bytes, after: timedelta, why: str
) -> None:
    put(tmp_path, "a", "20261121T115900Z", content, NOON)
    log(tmp_path, "a", "20261121T115900Z", b"output", NOON)
    assert collected(tmp_path) == Collected()
    assert files(tmp_path) == ["a/20261121T115900Z.run"]
    assert [(run.name, run.verdict) for run in recorded(tmp_path)] == [("a/20261121T115900Z", Verdict.RUNNING)]
    for collecting in (False, True):
        if collecting:
            found = collect(tmp_path, NOON + after, alive, {})
            assert found is not None
            assert found.lost == 1
        with Runs(tmp_path, NOON + after, alive) as runs:
            run = runs.last("a")
        assert run is not None
        assert (run.verdict, run.scheduled) == (Verdict.LOST, NOON - MINUTE)
        assert run.reason == f"its record is damaged: {why}"
        assert run.log == "logs/a/20261121T115900Z.log"


def test_a_record_whose_last_line_is_cut_short_is_damaged_and_says_nothing_of_its_runner(tmp_path: Path) -> None:
    put(tmp_path, "a", "20261121T120000Z", lines("a", NOON, pid=DEAD)[:-20])
    (run,) = recorded(tmp_path)
    assert (run.verdict, run.reason) == (Verdict.LOST, "its record is damaged: the last line is cut short")


def test_links_and_folders_in_the_spool_are_not_followed(tmp_path: Path) -> None:
    target = put(tmp_path, "b", "20261121T120000Z", lines("a", NOON))
    folder = tmp_path / "runs/spool/a"
    (folder / "x.run").mkdir(parents=True)
    (folder / "20261121T120000Z.run").symlink_to(target)
    assert collected(tmp_path).recorded == 0


@pytest.mark.parametrize("content", [b"no database at all\n" * 500, b"\0" * 8192])
def test_a_broken_database_is_set_aside_under_a_dated_name(tmp_path: Path, content: bytes) -> None:
    minutes(tmp_path, 2)
    database = tmp_path / "runs/runs.db"
    database.write_bytes(content)
    with Runs(tmp_path, NOON, alive) as runs:
        assert len(runs.newest()) == 2
        assert "the records of runs cannot be used" in (runs.trouble or "")
    assert database.read_bytes() == content
    found = collected(tmp_path)
    assert found.recorded == 2
    assert "set aside as runs-20261121T120000Z.broken.db" in found.notes[0]
    assert (tmp_path / "runs/runs-20261121T120000Z.broken.db").read_bytes() == content


def test_damage_that_is_found_only_on_the_way_is_set_aside_too(tmp_path: Path) -> None:
    minutes(tmp_path, 600)
    collected(tmp_path)
    database = tmp_path / "runs/runs.db"
    content = bytearray(database.read_bytes())
    content[4096 * 10 : 4096 * 11] = b"\xff" * 4096
    database.write_bytes(content)
    later = spool(tmp_path, "a", NOON + MINUTE)
    with Runs(tmp_path, NOON, alive) as runs, pytest.raises(JournalError) as raised:
        runs.newest()
    assert "runs --collect" in (raised.value.hint or "")
    found = collected(tmp_path)
    assert "set aside as runs-20261121T120000Z.broken.db" in found.notes[0]
    assert later.stem in [run.id for run in recorded(tmp_path)]


def test_while_another_collects_nothing_is_done(tmp_path: Path) -> None:
    minutes(tmp_path, 2)
    with only_one(tmp_path) as we:
        assert we
        assert collect(tmp_path, NOON, alive, {}) is None
    assert collected(tmp_path).recorded == 2


_COLLECTOR = """
import sys
from pathlib import Path
from reconciler.journal.collect import Keep, collect
from tests.records.build import NOON, alive
total = 0
for _ in range(40):
    found = collect(Path(sys.argv[1]), NOON, alive, {"a": Keep(runs=9999)})
    total += found.recorded if found else 0
print(total)
"""


def test_two_collectors_at_once_record_each_run_once(tmp_path: Path) -> None:
    minutes(tmp_path, 1200)
    both = [
        subprocess.Popen([sys.executable, "-c", _COLLECTOR, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    counts = [int(one.communicate(timeout=120)[0]) for one in both]
    assert sum(counts) == 1200
    assert len(recorded(tmp_path)) == 1200


def test_sigkill_before_every_statement_and_every_removal_loses_and_doubles_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    program = [sys.executable, "-m", "tests.records.killed", str(tmp_path)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    *surprises, points = done.stdout.splitlines()
    assert surprises == []
    assert int(points) > 40
    record_property("summary", f"records of runs: killed at {points} points, none lost, none doubled")


def test_ten_thousand_run_files_are_collected_fast(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    for name in "abcdefghij":
        minutes(tmp_path, 1000, name)
    start = time.perf_counter()
    found = collect(tmp_path, NOON, alive, {})
    seconds = time.perf_counter() - start
    assert found is not None
    assert found.recorded == 10_000
    record_property(
        "summary", f"records of runs: 10,000 collected in {seconds:.2f} s, {10_000 / seconds:,.0f} rows/s"
    )
    assert seconds < 30


def test_a_schedule_counts_from_when_it_was_first_seen(tmp_path: Path) -> None:
    seen(tmp_path, {"a": "1", "b": "1"}, NOON, all_of_them=True)
    seen(tmp_path, {"a": "1", "b": "2"}, NOON + MINUTE, all_of_them=False)
    with Runs(tmp_path, NOON, alive) as runs:
        assert runs.schedules() == {"a": [("1", NOON)], "b": [("1", NOON), ("2", NOON + MINUTE)]}
    seen(tmp_path, {"b": "2"}, NOON + 2 * MINUTE, all_of_them=True)
    with Runs(tmp_path, NOON, alive) as runs:
        assert runs.schedules() == {"b": [("1", NOON), ("2", NOON + MINUTE)]}
