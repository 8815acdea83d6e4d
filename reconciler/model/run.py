"""One execution of an automation, as its run file tells it. Pure; the runner writes these files without this module.

A run file holds lines of JSON: `start`, one per attempt, and the end. One that was cut short counts as not written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import cast

from reconciler.model.data import Json
from reconciler.model.frozen import dataclass


class Verdict(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # exit code or signal
    REJECTED = "rejected"  # the exit code was good, a rule of `success` was broken
    TIMED_OUT = "timed-out"
    OVERRAN = "overran"  # ended for runtime.killAfter
    STOPPED = "stopped"  # by a signal from outside, or for a newer run
    SKIPPED = "skipped"  # an earlier run was not done
    LOST = "lost"  # the runner died before it could tell


ENDED_WELL = frozenset({Verdict.SUCCEEDED, Verdict.SKIPPED})
UNFINISHED = frozenset({Verdict.RUNNING})
_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Instants are aware UTC by the wall clock; `duration` (by the monotonic one) and `cpu` are seconds.

    `peak` is bytes, of all its processes together.
    """

    automation: str
    id: str
    scheduled: datetime | None
    started: datetime
    verdict: Verdict
    reason: str = ""
    ended: datetime | None = None
    exit: int | None = None
    signal: int | None = None
    attempts: int = 1
    trigger: str = "schedule"
    host: str = ""
    revision: str = ""
    job: str = ""
    command: tuple[str, ...] = ()
    duration: float | None = None
    cpu: float = 0.0
    peak: int = 0
    tail: str = ""
    output_bytes: int = 0
    log: str = ""
    runner: tuple[int, str, str] = (0, "", "")  # process id, its creation time, boot id

    @property
    def name(self) -> str:
        return f"{self.automation}/{self.id}"

    @property
    def replaced(self) -> bool:
        """Whether a newer run ended it, as its manifest wants: `overlap: kill`. The runner's own words say so."""
        return self.verdict is Verdict.STOPPED and self.reason.startswith("stopped by the newer run ")

    @property
    def good(self) -> bool:
        """Whether nobody needs to look at it."""
        return self.verdict in ENDED_WELL or self.replaced


def read_run(content: bytes) -> Run | None:
    """The run that a run file tells of; None where not even its first line can be read."""
    lines = [found for line in content.split(b"\n")[:-1] if (found := _line(line)) is not None]
    if not lines or "started" not in lines[0] or "automation" not in lines[0]:
        return None
    try:
        return _run(lines)
    except (KeyError, TypeError, ValueError):
        return None


def _line(text: bytes) -> Mapping[str, Json] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _run(lines: list[Mapping[str, Json]]) -> Run:
    start = lines[0]
    end = next((line for line in reversed(lines) if "verdict" in line), {})
    started, ended = cast(datetime, _instant(start["started"])), _instant(end.get("ended"))
    elapsed = None if ended is None else (ended - started).total_seconds()
    runner = cast("Mapping[str, Json]", start.get("runner") or {})
    tried = sum("attempt" in line for line in lines)
    return Run(
        automation=str(start["automation"]),
        id=str(start["id"]),
        scheduled=_instant(start.get("scheduled")),
        started=started,
        verdict=Verdict(str(end.get("verdict", Verdict.RUNNING))),
        reason=str(end.get("reason", "")),
        ended=ended,
        exit=_whole(end.get("exit")),
        signal=_whole(end.get("signal")),
        attempts=_whole(end.get("attempts")) or max(1, tried),
        trigger=str(start.get("trigger", "schedule")),
        host=str(start.get("host", "")),
        revision=str(start.get("revision", "")),
        job=str(start.get("job", "")),
        command=tuple(map(str, cast("list[Json]", start.get("command") or []))),
        duration=_number(end.get("duration", end.get("seconds")), elapsed),
        cpu=_number(end.get("cpu"), 0.0) or 0.0,
        peak=_whole(end.get("peak")) or 0,
        tail=str(end.get("tail", "")),
        output_bytes=_whole(end.get("outputBytes")) or 0,
        log=str(end.get("log", "")),
        runner=(_whole(runner.get("pid")) or 0, str(runner.get("created", "")), str(runner.get("boot", ""))),
    )


def _whole(value: Json) -> int | None:
    """A count that any database can hold."""
    if value is None or (type(value) is int and abs(value) < _MOST):
        return value
    raise ValueError(f"{value!r} is no count")


def _number(value: Json, default: float | None) -> float | None:
    if value is None:
        return default
    if type(value) in (int, float) and abs(cast(float, value)) < _MOST:
        return float(cast(float, value))
    raise ValueError(f"{value!r} is no number of seconds")


def _instant(value: Json) -> datetime | None:
    if value is None:
        return None
    found = datetime.fromisoformat(str(value))
    if found.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return found
