"""What a job writes: passed through, kept within bounds, and never a reason for the job to suffer."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runner.place import PATIENCE, Place, number_in

FULL = bool(os.environ.get("RECONCILER_TEST_FULL"))
MUCH = 1024 if FULL else 200  # MiB


def test_both_streams_pass_through_and_both_are_kept(place: Place) -> None:
    done = place.run("sh", "-c", "echo out; sleep 0.1; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert place.end()["tail"] == "out\nerr\n"


def test_one_pipe_for_both_keeps_their_order(place: Place) -> None:
    script = "for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done"
    done = subprocess.run(
        place.argv(["sh", "-c", script]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wanted = "".join(f"o{i}\ne{i}\n" for i in range(1, 6))
    assert done.stdout == place.end()["tail"] == wanted


def test_a_great_deal_of_output_stays_within_memory_and_disk(place: Place) -> None:
    job = {"output": {"maxSize": 1_000_000, "tail": 1000}}
    command = ["sh", "-c", f"head -c {MUCH}M /dev/urandom; echo the end"]
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child is never said to use less
    with place.start(*command, job=job) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert usage.ru_maxrss < floor + 8 * 1024
    end = place.end()
    assert end["outputBytes"] == MUCH * 2**20 + 8
    assert end["tail"].endswith("the end\n")
    logs = list((place.state / "runs/logs/demo").iterdir())
    assert sorted(path.suffix for path in logs) == [".1", ".log"]
    assert sum(path.stat().st_size for path in logs) <= 1_000_000
    assert (place.state / "runs" / end["log"]).read_bytes().endswith(b"the end\n")


def test_everything_arrives_at_a_slow_reader(place: Place) -> None:
    command = place.argv(["sh", "-c", "head -c 3M /dev/zero; echo the end"])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        time.sleep(1)
        read = process.stdout.read()
    assert len(read) == 3 * 2**20 + 8
    assert read.endswith(b"the end\n")


def test_a_reader_that_has_gone_does_not_hurt_the_job(place: Place) -> None:
    script = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.05; done; touch finished"
    process = place.start("sh", "-c", script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    assert process.wait(PATIENCE) == 0
    assert (place.folder / "finished").exists()
    assert place.end()["tail"] == "1\n2\n3\n4\n5\n6\n"


def test_a_reader_that_stands_still_does_not_stop_the_clock(place: Place) -> None:
    with place.start("sh", "-c", "yes", job={"timeout": 1}, stdout=subprocess.PIPE) as process:
        time.sleep(2)
        assert process.stdout is not None
        assert len(place.lines()) == 3  # recorded before the reader has read anything
        while process.stdout.read(65536):
            pass
        assert process.wait(PATIENCE) == 124
    assert place.end()["verdict"] == "timed-out"


def test_a_child_that_holds_the_pipe_does_not_hold_the_run(place: Place) -> None:
    began = time.monotonic()
    done = place.run("sh", "-c", "sleep 30 & echo $! > child; echo done")
    assert time.monotonic() - began < 10
    os.kill(number_in(place.folder / "child"), 9)
    assert done.stdout == "done\n"
    end = place.end()
    assert end["verdict"] == "succeeded"
    assert "left behind still holds its output" in end["reason"]


def test_a_job_that_closes_its_pipes_and_runs_on_is_waited_for(place: Place) -> None:
    program = "import os, time; os.write(1, b'x'); os.close(1); os.close(2); time.sleep(1); open('late', 'w')"
    done = place.run(sys.executable, "-c", program)
    assert done.returncode == 0
    assert (place.folder / "late").exists()
    assert place.end()["seconds"] >= 1


def test_a_tail_is_cut_between_characters(place: Place) -> None:
    place.run(
        sys.executable, "-c", "print('ä' * 1000, end='')", job={"output": {"tail": 101}}, env={"PYTHONUTF8": "1"}
    )
    assert place.end()["tail"] == "ä" * 50


def test_no_tail_where_none_is_wanted_and_no_log_without_output(place: Place) -> None:
    place.run("true", job={"output": {"tail": 0}})
    end = place.end()
    assert (end["tail"], end["log"]) == ("", "")
    assert not (place.state / "runs/logs").exists()


HIDDEN = "\u2039secret\u203a"
SECRET = "pä/ss wörd+=\"1'"


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_a_secret_is_hidden_wherever_a_chunk_ends(place: Place, step: int) -> None:
    program = f"""
import base64, json, os, time, urllib.parse
secret = os.environ["TOKEN"]
forms = [secret, base64.b64encode(secret.encode()).decode(), base64.b64encode(b"user:" + secret.encode()).decode(),
         urllib.parse.quote(secret), urllib.parse.quote_plus(secret), json.dumps(secret, ensure_ascii=False)]
text = "begin " + " | ".join(forms) + " end"
for start in range(0, len(text), {step}):
    os.write(1, text[start:start + {step}].encode())
    time.sleep(0.002)
"""
    job = {"secrets": {"TOKEN": {"env": "SOURCE"}}}
    done = place.run(sys.executable, "-c", program, job=job, env={"SOURCE": SECRET})
    kept = place.files()[0].read_bytes() + b"".join(
        path.read_bytes() for path in (place.state / "runs/logs/demo").iterdir()
    )
    for text in (done.stdout, kept.decode(), place.end()["tail"]):
        for leak in ("wörd", "w%C3%B6rd", "d8O2cmQ"[2:]):
            assert leak not in text
    assert done.stdout.count(HIDDEN) >= 6
    assert done.stdout.startswith(f"begin {HIDDEN} | ")
    assert done.stdout.endswith(" end")


def test_overlapping_beginnings_of_secrets() -> None:
    from reconciler.runner.redact import HIDDEN, Redactor

    text = b"xx secretly secret secre sec" + b"a" * 100 + b"secretlyx"
    for step in range(1, 12):
        redactor = Redactor([b"secretly", b"secret", b"aaaa"])
        parts = [redactor.feed(text[at : at + step]) for at in range(0, len(text), step)]
        shown = b"".join([*parts, redactor.rest()])
        assert shown == b"xx %b %b secre sec%b%bx".replace(b"%b", HIDDEN, 2).replace(b"%b%b", HIDDEN * 25 + HIDDEN), (
            step
        )


def test_the_log_is_private(place: Place) -> None:
    place.run("echo", "x")
    for path in (place.state / "runs").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert Path(place.state / "runs" / place.end()["log"]).exists()
