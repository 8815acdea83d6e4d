"""Run files as they are found: whole, cut short, of a runner that died."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from reconciler.model.run import Verdict, read_run

START = {
    "v": 1,
    "id": "20261121T060000Z",
    "automation": "brief",
    "scheduled": "2026-11-21T06:00:00Z",
    "started": "2026-11-21T06:00:00.250000Z",
    "command": ["python3", "brief.py"],
    "runner": {"pid": 7, "created": "123", "boot": "b"},
}
ATTEMPT = {"attempt": 1, "pid": 8, "created": "124", "started": "2026-11-21T06:00:00.251000Z"}
END = {"ended": "2026-11-21T06:00:02.250000Z", "exit": 3, "verdict": "failed", "reason": "exit code 3", "attempts": 1}


def text(*lines: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_a_whole_file_tells_everything() -> None:
    run = read_run(text(START, ATTEMPT, END))
    assert run is not None
    assert (run.name, run.verdict, run.exit, run.duration) == ("brief/20261121T060000Z", Verdict.FAILED, 3, 2.0)
    assert run.scheduled == datetime(2026, 11, 21, 6, tzinfo=UTC)
    assert (run.runner, run.command, run.good) == ((7, "123", "b"), ("python3", "brief.py"), False)


def test_a_duration_of_the_monotonic_clock_counts_more_than_two_instants() -> None:
    run = read_run(text(START, ATTEMPT, {**END, "duration": 1.5}))
    assert run is not None
    assert run.duration == 1.5


@pytest.mark.parametrize("lost", range(1, len(text(END)) + 1, 7))
def test_an_end_that_was_cut_short_is_a_run_without_one(lost: int) -> None:
    run = read_run(text(START, ATTEMPT, END)[:-lost])
    assert run is not None
    assert run.verdict is Verdict.RUNNING
    assert run.ended is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{}\n", b"\0\0\0\n", b"[1]\n", text(START)[:-1], text({**START, "started": "2026-11-21T06:00:00"})],
)
def test_what_tells_of_no_run_is_none(content: bytes) -> None:
    assert read_run(content) is None


def test_a_line_of_garbage_between_is_left_out() -> None:
    run = read_run(text(START) + b"\0\xff\n" + text(END))
    assert run is not None
    assert run.verdict is Verdict.FAILED
