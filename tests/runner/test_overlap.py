"""Two runs of one automation at a time, and one slot twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from reconciler.model.run import read_run
from reconciler.runner import tree
from tests.runner.place import PATIENCE, Place, gone, number_in, until

SLOT = "2026-11-21T06:00:00Z"
WAIT = ("sh", "-c", "echo $$ > pid; exec sleep 60")


def ends(place: Place) -> dict[str, dict[str, object]]:
    """What the ended runs say, by verdict."""
    found = [json.loads(path.read_text().splitlines()[-1]) for path in place.files()]
    return {str(end["verdict"]): end for end in found if "verdict" in end}


def test_skip_leaves_a_record_that_names_the_running_one(place: Place) -> None:
    with place.start(*WAIT) as first:
        number_in(place.folder / "pid")
        done = place.run("touch", "ran")
        assert done.returncode == 0
        assert "skipped: run 20" in done.stderr
        first.terminate()
    running = place.lines(number=0)[0]["id"]
    skipped = ends(place)["skipped"]
    assert skipped["reason"] == f"run {running} is still running (overlap: skip)"
    assert (skipped["exit"], skipped["attempts"]) == (0, 0)
    assert not (place.folder / "ran").exists()


def test_a_run_that_is_refused_leaves_what_it_read_about_the_holder(place: Place) -> None:
    with place.start(*WAIT) as first:
        pid = number_in(place.folder / "pid")
        said = [place.run("echo", "newer").stderr for _ in range(3)]
        assert all(f"run {place.lines(number=0)[0]['id']} is still running" in each for each in said)
        first.kill()
    assert f"the job (pid {pid}) of run" in place.run("echo", "newer").stderr
    os.kill(pid, signal.SIGKILL)
    assert place.run("echo", "newer").stdout == "newer\n"


def test_queue_waits_for_its_turn(place: Place) -> None:
    job = {"overlap": "queue"}
    command = ["sh", "-c", "mkdir alone || exit 9; sleep 0.1; rmdir alone"]
    started = [place.start(*command, job=job) for _ in range(6)]
    assert [process.wait(PATIENCE) for process in started] == [0] * 6
    assert ends(place).keys() == {"succeeded"}


@pytest.mark.parametrize("overlap", ["queue", "kill"])
def test_the_wait_for_another_run_is_told_and_not_counted_as_runtime(place: Place, overlap: str) -> None:
    job = {"overlap": overlap, "stop": {"grace": 1}}
    with place.start("sh", "-c", "trap '' TERM; echo $$ > pid; sleep 1.5; :", job=job) as first:
        number_in(place.folder / "pid")
        place.run("echo", "newer", job=job)
        first.wait(PATIENCE)
    (end,) = [json.loads(path.read_text().splitlines()[-1]) for path in place.files() if '"newer' in path.read_text()]
    told = re.fullmatch(r"waited (\d+\.\d) s for run 20\S+ to end", str(end["reason"]))
    assert told, end["reason"]
    assert float(told[1]) > 0.8
    assert end["seconds"] < 0.8


def test_a_run_that_waits_can_be_stopped(place: Place) -> None:
    with place.start(*WAIT) as first:
        number_in(place.folder / "pid")
        with place.start("touch", "ran", job={"overlap": "queue"}) as second:
            until(lambda: len(place.files()) == 2)
            time.sleep(0.3)
            second.terminate()
            assert second.wait(PATIENCE) == 143
        assert str(ends(place)["stopped"]["reason"]).startswith("stopped while it waited for run")
        first.terminate()
    assert not (place.folder / "ran").exists()


def test_kill_stops_the_older_run(place: Place) -> None:
    with place.start(*WAIT, job={"overlap": "kill"}) as first:
        pid = number_in(place.folder / "pid")
        done = place.run("echo", "newer", job={"overlap": "kill"})
        assert done.stdout == "newer\n"
        assert gone(pid)
        assert first.wait(PATIENCE) == 143
    newer = place.lines()[0]["id"] if "echo" in place.lines()[0]["command"] else place.lines(number=0)[0]["id"]
    assert ends(place)["stopped"]["reason"] == f"stopped by the newer run {newer} (overlap: kill)"
    runs = [read_run(path.read_bytes()) for path in place.files()]
    assert sorted((run.verdict, run.replaced) for run in runs if run) == [("stopped", True), ("succeeded", False)]


def test_kill_ends_an_older_run_that_hears_nothing(place: Place) -> None:
    with place.start(*WAIT, job={"overlap": "kill", "stop": {"grace": 0.1}}) as first:
        pid = number_in(place.folder / "pid")
        first.send_signal(signal.SIGSTOP)
        done = place.run("echo", "newer", job={"overlap": "kill", "stop": {"grace": 0.1}})
        assert done.stdout == "newer\n"
        assert gone(pid)
        assert first.wait(PATIENCE) == -9


def test_of_many_that_kill_the_newest_runs_and_each_other_is_ended_or_gives_way(place: Place) -> None:
    """None is killed without having been asked, and the lock is never held by two."""
    job = {"overlap": "kill", "stop": {"grace": 5}}
    command = ["flock", "-n", "-E", "9", "alone", "sleep", "0.3"]
    started = [place.start(*command, job=job) for _ in range(5)]
    codes = {process.wait(PATIENCE) for process in started}
    assert codes <= {0, 143}
    assert {len(path.read_text().splitlines()) for path in place.files()} <= {2, 3}
    assert ends(place).keys() <= {"succeeded", "stopped", "skipped"}, ends(place)
    assert "succeeded" in ends(place)


@pytest.mark.parametrize("over", [False, True], ids=["while the newest runs", "after its end"])
def test_the_newest_of_three_that_kill_wins(place: Place, over: bool) -> None:
    """The older one that waited as well gives way."""
    job = {"overlap": "kill", "stop": {"grace": 0.5}}
    options = ["--trigger", "manual"]  # ids in the order of their starts
    with place.start("sh", "-c", "trap '' TERM; echo $$ > pid; sleep 60; :", job=job, options=options) as first:
        number_in(place.folder / "pid")
        with place.start("echo", "older", job=job, options=options) as second:
            until(lambda: len(place.files()) == 2)
            time.sleep(0.2)
            second.send_signal(signal.SIGSTOP)
            with place.start("sh", "-c", "touch holds; sleep 1; echo newest", job=job, options=options) as third:
                until((place.folder / "holds").exists)
                if over:
                    third.wait(PATIENCE)
                second.send_signal(signal.SIGCONT)
                assert [process.wait(PATIENCE) for process in (second, third)] == [0, 0]
        first.wait(PATIENCE)
    ids = [json.loads(path.read_text().splitlines()[0])["id"] for path in sorted(place.files())]
    found = ends(place)
    assert found["skipped"]["reason"] == f"it gave way to the newer run {ids[2]} (overlap: kill)"
    assert found["succeeded"]["tail"] == "newest\n"


def test_allow_lets_them_run_together(place: Place) -> None:
    with place.start(*WAIT, job={"overlap": "allow"}) as first:
        number_in(place.folder / "pid")
        assert place.run("echo", "too", job={"overlap": "allow"}).stdout == "too\n"
        first.terminate()


@pytest.mark.parametrize("overlap", ["skip", "kill", "queue"])
def test_a_job_whose_runner_died_still_counts(place: Place, overlap: str) -> None:
    with place.start(*WAIT) as first:
        pid = number_in(place.folder / "pid")
        first.kill()
    assert not gone(pid)
    if overlap == "queue":
        with place.start("echo", "newer", job={"overlap": overlap}) as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(1)
            os.kill(pid, signal.SIGKILL)
            assert second.wait(PATIENCE) == 0
        return
    done = place.run("echo", "newer", job={"overlap": overlap})
    assert done.stdout == ("newer\n" if overlap == "kill" else "")
    assert gone(pid) == (overlap == "kill")
    if overlap == "skip":
        assert f"the job (pid {pid}) of run" in str(ends(place)["skipped"]["reason"])
        os.kill(pid, signal.SIGKILL)
        assert place.run("echo", "again", job={"overlap": overlap}).stdout == "again\n"


@pytest.mark.parametrize("overlap", ["skip", "queue"])
@pytest.mark.parametrize("limit", [{"timeout": 1}, {"runtime": {"killAfter": 1}, "timeout": 1000}])
def test_a_job_whose_runner_died_is_bounded_by_the_next_run(
    place: Place, overlap: str, limit: dict[str, object]
) -> None:
    job = {"overlap": overlap, **limit}
    with place.start("sh", "-c", "trap '' TERM; echo $$ > pid; setsid sleep 3607 & sleep 60; :", job=job) as first:
        pid = number_in(place.folder / "pid")
        until(lambda: len(tree.snapshot(pid, "", {})) > 1)
        family = tree.snapshot(pid, f"{first.pid}.{tree.created(first.pid)}", {})
        first.kill()
    if overlap == "skip":
        assert place.run("echo", "newer", job=job).stdout == ""
        assert not gone(pid)
        time.sleep(1.2)
    done = place.run("echo", "newer", job=job)
    assert done.stdout == "newer\n"
    assert f"the job (pid {pid}) of run" in done.stderr
    assert "has run for longer than 1 s and was ended" in done.stderr
    assert not any(tree.same(*one) for one in family.items())
    assert place.run("echo", "again", job={"overlap": overlap}).stderr == ""


def test_a_lock_file_full_of_nonsense_is_no_holder(place: Place) -> None:
    lock = place.state / "runs/locks/demo"
    lock.parent.mkdir(parents=True)
    for nonsense in (b"\xff\xfe\0 garbage", b"1 2 3 4 5", b"x" * 10_000, f"{os.getpid()} 1 id 1 1\n".encode()):
        lock.write_bytes(nonsense)
        assert place.run("echo", "ran").stdout == "ran\n"


def test_one_slot_runs_once(place: Place) -> None:
    command = ["sh", "-c", "echo x >> ran; sleep 0.2"]
    options = ["--slot", SLOT]
    started = [place.start(*command, job={"overlap": "allow"}, options=options) for _ in range(8)]
    assert {process.wait(PATIENCE) for process in started} == {0}
    assert (place.folder / "ran").read_text() == "x\n"
    (path,) = place.files()
    assert path.name == "20261121T060000Z.run"
    first = place.lines()[0]
    assert (first["id"], first["scheduled"]) == ("20261121T060000Z", SLOT)
    again = place.run(*command, options=options)
    assert again.returncode == 0
    assert f"the slot {SLOT} of demo has been run already" in again.stderr


def test_runs_of_one_minute_and_runs_by_hand_have_ids_of_their_own(place: Place) -> None:
    place.run("true")
    place.run("true")
    place.run("true", options=["--trigger", "manual"])
    names = {path.stem for path in place.files()}
    assert len(names) == 3
    assert sum(name.endswith("-manual") for name in names) == 1


def test_a_hundred_at_once_lose_no_record(place: Place) -> None:
    command = place.argv(["true"], {"overlap": "allow"})
    started = [subprocess.Popen(command, cwd=place.folder) for _ in range(100)]
    assert {process.wait(PATIENCE) for process in started} == {0}
    runs = [path.read_text().splitlines() for path in place.files()]
    assert len(runs) == 100
    assert {len(lines) for lines in runs} == {3}
    assert len({json.loads(lines[0])["id"] for lines in runs}) == 100


def test_the_mark_of_a_run_is_in_its_environment(place: Place) -> None:
    done = place.run(sys.executable, "-c", "import os; print(os.environ['RECONCILER_RUN'])")
    assert done.stdout.strip() == f"demo/{place.lines()[0]['id']}"
