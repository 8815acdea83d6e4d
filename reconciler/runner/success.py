"""The rules of success beyond the exit code: what the output must and must not hold, and files that must be fresh.

Patterns are searched in every line of the whole output while it streams by; a schema judges stdout as one document.
"""

from __future__ import annotations

import _signal
import os
import time

from reconciler.runner import schema
from reconciler.runner.fresh import mark
from reconciler.runner.job import Job
from reconciler.runner.signals import Signals, name
from reconciler.runner.text import loads, readable, size, why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType
    from typing import Any

    from reconciler.runner.fresh import Mark

LINE = 65536  # bytes of one line that are looked at as one
DOCUMENT = 4 * 1024 * 1024  # bytes of stdout that a schema can judge
TICK, TICKS = 0.1, 50  # seconds of the processor, and how many of them one part of the output may cost


class _TooLong(Exception):
    """A pattern would go on for ever, or somebody wants us to stop."""


class Rules:
    """The rules of one attempt. A rule that cannot be understood is broken: silence would look like success."""

    def __init__(self, job: Job, before: Sequence[tuple[str, Mark]], asked: Signals) -> None:
        """`before`: how the files of the job stood before the run."""
        self._job, self._before, self._asked = job, before, asked
        self.interrupted = False
        self._judging, self._left = False, TICKS
        _signal.signal(_signal.SIGVTALRM, self._tick)
        self._unusable: list[str] = []
        self._matches, self._rejects = (self._pattern(word, getattr(job, word)) for word in ("matches", "rejects"))
        self._matched, self._offence = False, ""
        self._rest: dict[int, bytes] = {}
        self._document: bytearray | None = None
        if job.schema is not None:
            try:
                schema.check(job.schema)
                self._document = bytearray()
            except schema.Unusable as error:
                self._unusable.append(str(error))

    @property
    def needs_output(self) -> bool:
        return bool(self._matches or self._rejects or self._document is not None)

    def _pattern(self, word: str, text: str) -> Callable[[str], Any] | None:
        if not text:
            return None
        import re

        try:
            return re.compile(text).search
        except (re.error, RecursionError, OverflowError) as error:
            self._unusable.append(f"success.output.{word} is no regular expression: {error}")
            return None

    def hear(self, stream: int, part: bytes) -> None:
        """A part of the output, secrets already hidden."""
        if not self._unusable:
            self._bounded(lambda: self._hear(stream, part))

    def _hear(self, stream: int, part: bytes) -> None:
        if self._document is not None and stream == 1 and len(self._document) <= DOCUMENT:
            self._document += part
        if not (self._matches or self._rejects):
            return
        lines = (self._rest.get(stream, b"") + part).split(b"\n")
        rest = lines.pop()
        while len(rest) > LINE:
            lines.append(rest[:LINE])
            rest = rest[LINE:]
        self._rest[stream] = rest
        for line in lines:
            self._line(readable(line))

    def _line(self, line: str) -> None:
        if self._matches and not self._matched:
            self._matched = self._matches(line) is not None
        if self._rejects and not self._offence and self._rejects(line):
            self._offence = line.strip()[:120] or "an empty line"

    def _bounded(self, judge: Callable[[], str | None]) -> str:
        """Do what may take for ever for a few seconds: patterns look at signals while they search."""
        self._left = min(self._left + 1, TICKS)
        self._judging = True
        _signal.setitimer(_signal.ITIMER_VIRTUAL, TICK, TICK)
        try:
            return judge() or ""
        except _TooLong as error:
            self._unusable.append(str(error))
            return ""
        finally:
            self._judging = False
            _signal.setitimer(_signal.ITIMER_VIRTUAL, 0)

    def _tick(self, _number: int, _frame: FrameType | None) -> None:
        self._left -= 1
        if self._judging and self._asked.stop:
            self.interrupted = True
            raise _TooLong(f"{name(self._asked.stop)} came while success.output looked at its output")
        if self._judging and self._left <= 0:
            raise _TooLong(f"a pattern of success.output took too long, more than {TICK * TICKS:g} s")

    def broken(self, seconds: float) -> str:
        """The first rule that is broken; empty where all hold."""
        found = "" if self._unusable else self._bounded(self._output)
        if self._unusable:
            return f"cannot judge the run: {self._unusable[0]}"
        return found or self._beside(seconds)

    def _output(self) -> str:
        for rest in self._rest.values():
            if rest:
                self._line(readable(rest))
        job = self._job
        if self._offence:
            return f"the output has a line that success.output.rejects forbids: {self._offence}"
        if self._matches and not self._matched:
            return f"no line of the output matches success.output.matches, {job.matches!r}"
        return self._misfit(bytes(self._document)) if self._document is not None else ""

    def _beside(self, seconds: float) -> str:
        job = self._job
        for rule, (path, before) in zip(job.files, self._before, strict=True):
            if found := self._stale(rule, path, before):
                return found
        if job.least and seconds < job.least:
            return f"ended after {seconds:.3g} s, sooner than runtime.min, {job.least:g} s"
        return ""

    def _misfit(self, document: bytes) -> str:
        if len(document) > DOCUMENT:
            return f"stdout is larger than {size(DOCUMENT)}, too large for success.output.schema"
        try:
            found = schema.broken(self._job.schema, loads(document.decode()))
        except ValueError as error:
            return f"stdout is no JSON, which success.output.schema asks for: {error}"
        except RecursionError:
            return "stdout is nested too deeply for success.output.schema"
        return f"stdout does not fit success.output.schema: {found}" if found else ""

    def _stale(self, rule: Mapping[str, Any], path: str, before: Mark) -> str:
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            return f"success.files: cannot find {path}: {why(error)}"
        oldest, least = rule.get("maxAge"), rule.get("minSize")
        age = time.time() - found.st_mtime
        if not isinstance(oldest, int | float):
            if mark(found) == before:
                return f"success.files: the run did not write {path}"
        elif age > oldest:
            return f"success.files: {path} is {age:.0f} s old, older than {oldest:g} s"
        if isinstance(least, int | float) and found.st_size < least:
            return f"success.files: {path} has {found.st_size} bytes, fewer than {least:g}"
        return ""
