"""The command line that schedulers call: NAME[@DIGEST], options, and the command after `--`. Pure.

What cannot be understood becomes a note, as long as there is a command to run.
"""

from __future__ import annotations

from reconciler.runner.text import compact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE = """\
Usage: reconcile exec NAME[@DIGEST] [OPTIONS] -- COMMAND [ARGUMENT...]

  Run an automation's command: bounded, recorded, one at a time. This is what
  crontab lines, timers and agents call; `reconcile run NAME` is for people.

Options:
  --state DIR     Where runs are recorded, if not the default.
  --in DIR        Working directory of the command; `~` is expanded.
  --slot INSTANT  The scheduled instant, as 2026-11-21T06:00:00Z. Runs once.
  --trigger WORD  schedule, manual, catch-up or boot.
  --cli PATH      The reconcile program that collects records now and then.
  --tell FD       A descriptor that the id of the run is written to.
  --help          Show this message and exit.

The exit code is the command's; 124 after a timeout, 128+n after signal n,
125 where it was not run, 126 or 127 where it could not be started. With
--trigger manual it is 0 exactly where the verdict is succeeded or skipped.
"""
TRIGGERS = ("schedule", "manual", "catch-up", "boot")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Usage(Exception):
    """There is no command to run."""


class Line:
    """What the line says. `name` is empty where a run of it cannot be recorded."""

    __slots__ = ("cli", "command", "digest", "folder", "name", "notes", "slot", "state", "tell", "trigger")

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        self.name = self.digest = self.state = self.folder = self.slot = self.cli = ""
        self.trigger = "schedule"
        self.tell = -1
        self.notes: list[str] = []


def parse(arguments: Sequence[str]) -> Line:
    """Raises Usage where nothing could be run at all."""
    words = list(arguments[1:] if arguments[:1] == ["exec"] else arguments)
    if "--" not in words:
        raise Usage("there is no `--` with a command after it")
    cut = words.index("--")
    line = Line(words[cut + 1 :])
    if not line.command or not line.command[0]:
        raise Usage("there is no command after `--`")
    options: dict[str, str] = {}
    rest = iter(words[:cut])
    for word in rest:
        name, given, value = word.partition("=")
        if name in ("--state", "--in", "--slot", "--trigger", "--cli", "--tell"):
            options[name] = value if given else next(rest, "")
        elif word.startswith("-"):
            line.notes.append(f"there is no option {word}")
        elif line.name:
            line.notes.append(f"the word {word} is one too many")
        else:
            line.name, _, line.digest = word.partition("@")
    _take(line, options)
    return line


def _take(line: Line, options: Mapping[str, str]) -> None:
    line.state, line.folder, line.cli = (options.get(name, "") for name in ("--state", "--in", "--cli"))
    if not line.name or not _LETTERS.issuperset(line.name) or line.name[0] in ".-" or len(line.name) > 200:
        line.notes.append(f"the run is not recorded: {line.name!r} is no name of an automation")
        line.name = ""
    if line.digest and (len(line.digest) != 12 or not set("0123456789abcdef").issuperset(line.digest)):
        line.notes.append(f"the job file is not read: {line.digest!r} is no digest")
        line.digest = ""
    if "--trigger" in options:
        if options["--trigger"] in TRIGGERS:
            line.trigger = options["--trigger"]
        else:
            line.notes.append(f"there is no trigger {options['--trigger']!r}")
    if options.get("--tell", "").isdecimal():
        line.tell = int(options["--tell"])
    if "--slot" in options:
        if compact(options["--slot"]):
            line.slot = options["--slot"]
        else:
            line.notes.append(f"the slot {options['--slot']!r} is no instant like 2026-11-21T06:00:00Z")
