"""Nothing around a job may take for ever: its input, its secrets, the judgement of its output."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

import pytest

from tests.runner.place import PATIENCE, Place, until

SLOW = "^(a+)+$"  # takes twice as long for every further a
TRAP = ("echo", "a" * 52 + "b")


def test_a_fifo_that_nobody_writes_into_is_refused_after_the_timeout(place: Place) -> None:
    os.mkfifo(place.folder / "fifo")
    done = place.run("touch", "ran", job={"stdin": {"file": "fifo"}, "timeout": 0.3})
    assert done.returncode == 125
    assert place.end()["reason"].endswith("fifo: nobody wrote into this FIFO for 0.3 s")
    assert not (place.folder / "ran").exists()


def test_a_fifo_with_a_writer_is_input_to_its_end(place: Place) -> None:
    os.mkfifo(place.folder / "fifo")
    with subprocess.Popen(["sh", "-c", "(echo one; sleep 0.3; echo two) > fifo"], cwd=place.folder):
        assert place.run("cat", job={"stdin": {"file": "fifo"}, "timeout": 20}).stdout == "one\ntwo\n"


@pytest.mark.parametrize(
    "job",
    [
        {"stdin": {"file": "fifo"}},
        {"secrets": {"A": {"file": "fifo"}}},
        {"secrets": {"A": {"exec": ["sleep", "3335"]}}},
    ],
)
def test_a_run_that_waits_for_what_its_job_needs_can_be_stopped(place: Place, job: dict[str, Any]) -> None:
    os.mkfifo(place.folder / "fifo")
    with place.start("touch", "ran", job=job) as process:
        until(place.files)
        time.sleep(0.5)
        process.terminate()
        assert process.wait(5) == 143
    end = place.end()
    assert (end["verdict"], end["reason"]) == ("stopped", "stopped by SIGTERM before it began")


def test_secrets_take_no_longer_than_the_timeout(place: Place) -> None:
    slow = {"exec": ["sleep", "3335"]}
    began = time.monotonic()
    done = place.run("touch", "ran", job={"secrets": {"A": slow, "B": slow}, "timeout": 0.5})
    assert time.monotonic() - began < 10
    assert done.returncode == 125
    assert "cannot resolve the secret A (exec sleep): sleep took longer than 0.5 s" in place.end()["reason"]


@pytest.mark.parametrize("rule", [{"matches": SLOW}, {"rejects": SLOW}, {"schema": {"pattern": SLOW}}])
def test_a_pattern_that_would_search_for_ever_is_given_up(place: Place, rule: dict[str, Any]) -> None:
    command = ("printf", '"%s"', TRAP[1]) if "schema" in rule else TRAP
    began = time.monotonic()
    done = place.run(*command, job={"success": {"output": rule}})
    assert time.monotonic() - began < 40
    assert done.returncode == 0
    assert place.end()["verdict"] == "rejected"
    assert "a pattern of success.output took too long, more than 5 s" in place.end()["reason"]


def test_a_run_whose_output_is_judged_can_be_stopped(place: Place) -> None:
    for more in ((), ("sleep 60",)):
        script = "; ".join((f"{' '.join(TRAP)}", "touch said", *more))
        with place.start("sh", "-c", script, job={"success": {"output": {"matches": SLOW}}}) as process:
            until((place.folder / "said").exists)
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert process.wait(PATIENCE) == 143
            assert time.monotonic() - began < 3
        assert place.lines()[-1]["verdict"] == "stopped"
        (place.folder / "said").unlink()


def test_much_output_is_judged_to_its_end(place: Place) -> None:
    script = "head -c 30M /dev/zero | tr '\\0' '\\n'; echo late"
    place.run("sh", "-c", script, job={"success": {"output": {"matches": "^late$"}}})
    assert place.end()["verdict"] == "succeeded"
