"""The story of one run, and the border: whatever goes wrong in here, the command of the line is run.

Says what it has to say on stderr; prints nothing else of its own.
"""

from __future__ import annotations

import os
import sys

from reconciler.runner.line import USAGE, Line, Usage, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """The exit code of the run."""
    _open_closed_streams()
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--help" in options or "-h" in options:
        os.write(1, USAGE.encode())
        return 0
    try:
        line = parse(arguments)
    except Usage as error:
        say(f"cannot run anything: {error}\n{USAGE}")
        return 2
    for note in line.notes:
        say(note)
    try:
        from reconciler.runner.run import Run

        run = Run(line, say)
    except Exception as error:  # noqa: BLE001 - a bug in here must not keep the job from running
        say(f"a bug in the runner: {type(error).__name__}: {error}; the command runs without it")
        return _bare(line)
    try:
        return run.carry_out()
    except Exception as error:  # noqa: BLE001 - as above; a job that runs already is waited for, never started again
        say(f"a bug in the runner: {type(error).__name__}: {error}; the job goes on, its record does not")
        return run.wait_bare() if run.started else _bare(line)


def say(message: str) -> None:
    """A line on stderr, if there is still somebody to read it."""
    try:
        os.write(2, f"reconcile exec: {message}\n".encode(errors="backslashreplace"))
    except OSError:
        return


def _open_closed_streams() -> None:
    """Where the caller closed a standard stream, the next file that we open would take its place."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _bare(line: Line) -> int:
    """Become the command, with its folder and nothing else of its settings."""
    try:
        sys.stderr = sys.__stderr__
        if line.folder:
            os.chdir(os.path.expanduser(line.folder))
        os.execvp(line.command[0], line.command)
    except OSError as error:
        say(f"cannot start {line.command[0]}: {error.strerror}")
        return 127 if isinstance(error, FileNotFoundError) else 126
