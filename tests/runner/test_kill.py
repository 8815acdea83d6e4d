"""A job that must end does, with everybody who belongs to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.runner.place import PATIENCE, Place, gone, number_in, until

STUBBORN = """
import os, signal, time
signal.signal(15, signal.SIG_IGN)
time.sleep(60)
"""


def test_a_timeout_ends_the_job(place: Place) -> None:
    began = time.monotonic()
    done = place.run("sleep", "60", job={"timeout": 0.5})
    assert done.returncode == 124
    assert time.monotonic() - began < 20
    end = place.end()
    assert (end["verdict"], end["exit"], end["signal"]) == ("timed-out", 124, 15)
    assert end["reason"] == "ran longer than its timeout of 0.5 s and was ended"


def test_kill_after_is_an_overrun(place: Place) -> None:
    done = place.run("sleep", "60", job={"timeout": 30, "runtime": {"expected": 0.2, "killAfter": 0.4}})
    assert done.returncode == 124
    assert place.end()["verdict"] == "overran"


def test_a_job_that_ignores_the_request_is_killed_after_the_grace(place: Place) -> None:
    began = time.monotonic()
    place.run(sys.executable, "-c", STUBBORN, job={"timeout": 1, "stop": {"grace": 1}})
    assert 2 <= time.monotonic() - began < 20
    end = place.end()
    assert (end["verdict"], end["signal"]) == ("timed-out", 9)
    assert "1 process had to be killed" in end["reason"]


def test_a_job_may_use_its_grace(place: Place) -> None:
    script = "trap 'echo tidied up; exit 7' USR1; while :; do sleep 0.05; done"
    done = place.run("sh", "-c", script, job={"timeout": 0.5, "stop": {"signal": "SIGUSR1", "grace": 20}})
    assert done.stdout == "tidied up\n"
    assert (place.end()["signal"], place.end()["exit"]) == (None, 124)


ESCAPES = {
    "child": "{sleep} & echo $! > pid; wait",
    "background of a dead shell": "sh -c '{sleep} & echo $! > pid'; sleep 60",
    "session of its own": "setsid sh -c 'echo $$ > pid; exec {sleep}' & sleep 60",
    "double fork and session": "(setsid sh -c 'echo $$ > pid; exec {sleep}' &) ; sleep 60",
    "stopped": "{sleep} & echo $! > pid; kill -STOP $!; wait",
    "ignores the request": "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' & wait",
    "job has ended before its children": "trap 'exit 0' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > pid; "
    "while :; do sleep 1; done' & wait",
}  # fmt: skip


@pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES)
def test_the_whole_tree_ends(place: Place, script: str) -> None:
    place.run("sh", "-c", script.format(sleep="sleep 60"), job={"timeout": 1, "stop": {"grace": 0.5}})
    pid = number_in(place.folder / "pid")
    assert gone(pid)
    assert place.end()["verdict"] == "timed-out"


def test_a_child_without_our_mark_is_known_from_the_time_before_it_moved_away(place: Place) -> None:
    """It clears its environment, leaves the session and loses its parent: only the earlier looks know it."""
    script = "sh -c 'env -i setsid sh -c \"echo \\$\\$ > pid; exec sleep 60\" & sleep 1.5' ; sleep 60"
    place.run("sh", "-c", script, job={"timeout": 3, "stop": {"grace": 0.3}, "limits": {"memory": 1e12}})
    assert gone(number_in(place.folder / "pid"))


def test_without_proc_a_job_still_ends(place: Place) -> None:
    words = ["unshare", "-m", "sh", "-c", 'umount -l /proc && exec "$@"', "sh"]
    if subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("/proc cannot be taken away here")
    began = time.monotonic()
    job = {"timeout": 0.5, "stop": {"grace": 0.5}}
    done = subprocess.run(
        [*words, *place.argv([sys.executable, "-c", STUBBORN], job)], cwd=place.folder, timeout=PATIENCE
    )
    assert done.returncode == 124
    assert time.monotonic() - began < 20
    assert "1 process had to be killed" in place.end()["reason"]


def test_nobody_else_is_touched(place: Place) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as bystander:
        place.run("sleep", "60", job={"timeout": 0.3})
        assert bystander.poll() is None
        bystander.kill()


def test_a_daemon_that_a_good_job_leaves_behind_lives_on(place: Place) -> None:
    place.run("sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $! > pid")
    pid = number_in(place.folder / "pid")
    assert not gone(pid)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_runner_stops_the_job(place: Place, number: signal.Signals) -> None:
    heard = partial(signal.signal, number, signal.SIG_DFL)  # under nohup the tests hear no SIGHUP, nor their children
    with place.start("sh", "-c", "echo $$ > pid; exec sleep 60", preexec_fn=heard) as process:
        pid = number_in(place.folder / "pid")
        process.send_signal(number)
        assert process.wait(PATIENCE) == 143
    assert gone(pid)
    end = place.end()
    assert (end["verdict"], end["signal"], end["reason"]) == (
        "stopped",
        15,
        f"stopped by {number.name} to its runner",
    )


def test_a_failed_job_is_tried_again(place: Place) -> None:
    script = "echo try >> tries; test $(wc -l < tries) = 3"
    done = place.run("sh", "-c", script, job={"retry": {"limit": 5, "delay": 0.1}})
    assert done.returncode == 0
    end = place.end()
    assert (end["attempts"], end["verdict"]) == (3, "succeeded")
    assert [line["attempt"] for line in place.lines()[1:-1]] == [1, 2, 3]


def test_retries_end(place: Place) -> None:
    done = place.run("sh", "-c", "exit 4", job={"retry": {"limit": 2, "delay": 0}})
    assert done.returncode == 4
    assert place.end()["attempts"] == 3


def test_a_command_that_cannot_start_is_not_tried_again(place: Place) -> None:
    began = time.monotonic()
    assert place.run("no-such-program", job={"retry": {"limit": 3, "delay": 60}}).returncode == 127
    assert time.monotonic() - began < 20


def test_waiting_for_the_next_attempt_can_be_stopped(place: Place) -> None:
    with place.start("sh", "-c", "exit 4", job={"retry": {"limit": 1, "delay": 60}}) as process:
        until(lambda: place.files() and len(place.lines()) == 2)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
    end = place.end()
    assert end["verdict"] == "stopped"
    assert "before attempt 2" in end["reason"]


def test_every_attempt_has_the_whole_timeout(place: Place) -> None:
    done = place.run("sleep", "60", job={"timeout": 0.3, "retry": {"limit": 1, "delay": 0}})
    assert done.returncode == 124
    assert place.end()["attempts"] == 2


def test_memory_over_the_limit_ends_the_job(place: Place) -> None:
    inner = "x = b'x' * 120_000_000; import time; time.sleep(60)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    done = place.run(sys.executable, "-c", program, job={"limits": {"memory": 100 * 2**20}})
    end = place.end()
    assert end["verdict"] == "failed"
    assert "more than limits.memory 100 MiB, and was ended" in end["reason"]
    assert end["peak"] > 100 * 2**20
    assert done.returncode == 143


def test_a_share_of_the_processor_is_kept(place: Place) -> None:
    place.run(
        sys.executable, "-c", "while True: pass", job={"timeout": 4, "limits": {"cpu": 20}, "stop": {"grace": 1}}
    )
    end = place.end()
    assert end["verdict"] == "timed-out"
    assert end["cpu"] < 4 * 0.35


def test_processor_time_and_memory_are_measured(place: Place) -> None:
    program = "x = b'x' * 60_000_000\nimport time\nwhile time.process_time() < 0.5: pass"
    place.run(sys.executable, "-c", program)
    end = place.end()
    assert 0.5 <= end["cpu"] < 5
    assert end["peak"] > 60_000_000


def test_the_processes_that_ps_lists_are_those_of_proc() -> None:
    from reconciler.runner import ps, tree

    listed, (read,) = ps.table(), [one for one in tree.everybody() if one.pid == os.getpid()]
    ours = listed[os.getpid()]
    assert (ours.parent, ours.group, ours.dead) == (read.parent, read.group, False)
    assert ours.resident == pytest.approx(read.resident, rel=0.3)
    assert ours.created
    assert [ps._seconds(text) for text in ("0:01.50", "1:00:00", "2-00:00:01")] == [1.5, 3600, 172801]


@pytest.mark.skipif(not Path("/usr/bin/faketime").exists(), reason="faketime (Debian: faketime) is not installed")
@pytest.mark.parametrize("jump", ["2020-06-01 00:00:00", "2035-06-01 00:00:00"])
def test_a_clock_that_jumps_changes_no_duration(place: Place, jump: str, tmp_path: Path) -> None:
    """The wall clock of runner and job is moved while they run."""
    (library,) = Path("/usr/lib").rglob("libfaketime.so.1")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    env = {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
    env |= {"LD_PRELOAD": str(library), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    argv = place.argv(["sh", "-c", f"sleep 0.5; echo '@{jump}' > {clock}; sleep 60"], {"timeout": 2})
    began = time.monotonic()
    done = subprocess.run(argv, env={**os.environ, **env}, cwd=tmp_path, timeout=PATIENCE, capture_output=True)
    assert done.returncode == 124
    assert 2 <= time.monotonic() - began < 20
    end = place.end()
    assert end["ended"].startswith(jump[:4])
    assert 2 <= end["seconds"] < 20
