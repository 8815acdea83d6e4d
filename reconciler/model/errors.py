"""What can go wrong, as types, and the exit code that each one means.

A message reads "cannot <verb> <thing>: <cause>"; `where` is a place, `hint` is what to do next.
A class exists only where somebody catches it or where the exit code differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit status of the command line (design: command line, exit codes)."""

    DONE = 0
    ERROR = 1
    PENDING = 2
    STALE = 3
    BUSY = 4
    REFUSED = 5
    PARTLY = 6
    ROLLED_BACK = 7
    ROLLBACK_FAILED = 8


class ReconcileError(Exception):
    """Root of every error that a user is meant to read."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with a manifest. `line` and `column` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str
    hint: str | None = None
    excerpt: str | None = None  # the source line, as text, without its newline

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class LoadError(ReconcileError):
    """The desired tree has problems; nothing is planned. Carries all of them, sorted."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = len(problems)
        super().__init__(f"cannot load the manifests: {count} problem{'s' if count != 1 else ''}")
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column, p.message)))


class UnsupportedSpec(ReconcileError):
    """A provider cannot express this spec. Raised by `canonical`, before anything is planned.

    `limits` holds everything that is in the way, one error for each; this one is the first (`model.limits`).
    """

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        hint: str | None = None,
        others: tuple[UnsupportedSpec, ...] = (),
    ) -> None:
        super().__init__(message, where=field, hint=hint)
        self.field = field
        self.limits: tuple[UnsupportedSpec, ...] = (self, *others)


class ObserveError(ReconcileError):
    """A backend could not be read. Never the same as "absent"."""


class ApplyError(ReconcileError):
    """A backend refused a write, or what it holds afterwards is not what was written."""


class Hindered(ApplyError):
    """A write that failed for reasons outside of what was to be written: late, full, locked, not there.

    The rollout is taken back, but its revision is not to blame and may be tried again.
    """


class Conflict(ReconcileError):
    """What stands on the host is no longer what the change was planned against; nothing was written."""


class HostError(ReconcileError):
    """The operating system refused: a program could not start, a file could not be read or written."""


class CommandTimeout(HostError):
    """A program did not end in time and was killed."""


class JournalError(ReconcileError):
    """The journal cannot be read or written."""


class CutShort(ReconcileError):
    """A rollout stopped half-way with the host possibly changed; the next apply brings it to an end."""

    exit_code = ExitCode.PARTLY


class StalePlan(ReconcileError):
    """Something changed since the plan was made, so it was not applied."""

    exit_code = ExitCode.STALE


class LockBusy(ReconcileError):
    """Somebody else is applying; the message names the holder."""

    exit_code = ExitCode.BUSY


class Refused(ReconcileError):
    """A guard said no."""

    exit_code = ExitCode.REFUSED
