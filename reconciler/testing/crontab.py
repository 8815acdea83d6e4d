"""A stand-in for the `crontab` program, in memory and as strict as Debian's, for tests of providers and plugins.

Tables by user, trouble on demand, and a log of calls. A differential test keeps it in step with the real program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.host.protocol import Completed

LINE_LIMIT = 10_000
COMMAND_LIMIT = 998
USAGE = b"""crontab: usage error: unrecognized option
usage:\tcrontab [-u user] [-n] file
\tcrontab [ -u user ] [ -i ] { -e | -l | -r }
\tfile\t(default operation is replace, per 1003.2)
\t-n\t(dry run: checks the syntax, then bails out)
"""
# Another family's usage text: there `-n` means something else and must never be tried.
OTHER_USAGE = b"""crontab: invalid option -- '?'
usage: crontab [options] file
 -n         set host in cluster to run users' crontabs
 -T <file>  test a crontab file syntax
"""

_ALIASES = frozenset({"reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"})
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_FIELDS: tuple[tuple[str, int, int, Sequence[str]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day-of-month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day-of-week", 0, 7, _DAYS),
)
_SPACE = " \t\n\v\f\r"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the operation (`list`, `install`, `check`, `remove`, `edit`, `usage`), whose table, and the input."""

    operation: str
    user: str
    stdin: bytes


@dataclass(slots=True)
class _Trouble:
    operation: str
    answer: Completed
    times: int


class CrontabProgram:
    """Give `programs()` to a FakeHost. `tables` may be edited at any time, as a person would.

    `debian=False` leaves out what only Debian's program does: the dry run, and the escapes in what `-l` prints.
    """

    def __init__(
        self, user: str = "tester", tables: Mapping[str, bytes] | None = None, *, debian: bool = True
    ) -> None:
        self.user = user
        self.tables: dict[str, bytes] = dict(tables or {})
        self.accounts: set[str] = {user, *self.tables}
        self.denied: set[str] = set()
        self.calls: list[Call] = []
        self.debian = debian
        self.forgets = False  # answers that all is well, and keeps nothing
        self._trouble: list[_Trouble] = []
        self._hooks: list[tuple[str, Callable[[], None]]] = []

    def programs(self) -> dict[str, Callable[[Sequence[str], bytes], Completed]]:
        """The programs of a host that has this crontab: itself, and the `env` that may start it."""
        return {"crontab": self, "env": self._env}

    def answer(self, operation: str, code: int, stderr: bytes = b"", stdout: bytes = b"", *, times: int = 1) -> None:
        """Answer the next calls of an operation like this, and do nothing else in them."""
        self._trouble.append(_Trouble(operation, Completed(code, stdout, stderr), times))

    def before(self, operation: str, hook: Callable[[], None]) -> None:
        """Run `hook` once, just before the next call of an operation: somebody edits at that moment."""
        self._hooks.append((operation, hook))

    def count(self, *operations: str) -> int:
        """How many calls of these operations there were."""
        return sum(call.operation in operations for call in self.calls)

    def __call__(self, argv: Sequence[str], stdin: bytes) -> Completed:
        arguments = list(argv[1:])
        named = arguments[:1] == ["-u"] and len(arguments) > 1
        user = arguments[1] if named else self.user
        operation = _operation(arguments[2:] if named else arguments)
        self.calls.append(Call(operation, user, stdin))
        self._run_hooks(operation)
        for trouble in self._trouble:
            if trouble.operation == operation and trouble.times > 0:
                trouble.times -= 1
                return trouble.answer
        return self._refusal(named, user) or self._do(operation, user, stdin)

    def _run_hooks(self, operation: str) -> None:
        for entry in [entry for entry in self._hooks if entry[0] == operation]:
            self._hooks.remove(entry)
            entry[1]()

    def _refusal(self, named: bool, user: str) -> Completed | None:
        if named and self.user != "root":
            return _failed("must be privileged to use -u")
        if user not in self.accounts:
            return _failed(f"crontab:  user `{user}' unknown")
        if user in self.denied:
            return _failed(f"You ({user}) are not allowed to use this program (crontab)\nSee crontab(1)")
        return None

    def _do(self, operation: str, user: str, stdin: bytes) -> Completed:
        table = self.tables.get(user)
        if operation == "usage" or (operation == "check" and not self.debian):
            return Completed(1, b"", USAGE if self.debian else OTHER_USAGE)
        if operation in ("install", "check"):
            return self._take(user, stdin, keep=operation == "install")
        if table is None:
            return _failed(f"no crontab for {user}")
        if operation == "remove":
            del self.tables[user]
            return Completed(0, b"", b"")
        if operation == "edit":
            return Completed(0, table, b"No modification made\n")
        return Completed(0, self._listed(table), b"")

    def _listed(self, table: bytes) -> bytes:
        return table.replace(b"\r", b"\\r").replace(b"\b", b"\\b") if self.debian else table

    def _take(self, user: str, table: bytes, *, keep: bool) -> Completed:
        problem = problem_with(table)
        if problem is not None:
            return _failed(problem)
        if keep and not self.forgets:
            self.tables[user] = table
        return Completed(0, b"", b"" if keep else b"The syntax of the crontab file was successfully checked.\n")

    def _env(self, argv: Sequence[str], stdin: bytes) -> Completed:
        rest = list(argv[1:])
        while rest and "=" in rest[0]:
            rest.pop(0)
        return self(rest, stdin)


def problem_with(table: bytes) -> str | None:
    """What Debian's program says against a table, or None where it takes it."""
    *lines, last = table.decode("latin-1").split("\n")
    if len(lines) > LINE_LIMIT:
        return f"crontab is too long; maximum number of lines is {LINE_LIMIT}."
    for number, line in enumerate(lines):
        problem = _problem_with_line(line)
        if problem is not None:
            return f'"-":{number}: {problem}\nerrors in crontab file, can\'t install.'
    if last.lstrip(" \t")[:1] not in ("", "#"):  # a comment may lack its newline
        return "new crontab file is missing newline before EOF, can't install."
    return None


def _problem_with_line(line: str) -> str | None:
    text = line.lstrip(" \t")
    if text[:1] in ("", "#") or _is_environment(text):
        return None
    if "\0" in text:
        return "bad command"
    if text.startswith("@"):
        match = re.match(r"@([^ \t]*)[ \t]*", text)
        if match is None or match[1] not in _ALIASES:
            return "bad time specifier"
        return _problem_with_command(text[match.end() :])
    for name, low, high, names in _FIELDS:
        if not _is_field(text, low, high, names):
            return f"bad {name}"
        text = re.sub(r"\A[^ \t]*[ \t]*", "", text)
    return _problem_with_command(text)


def _problem_with_command(command: str) -> str | None:
    if command.startswith("*"):  # most likely a sixth field
        return "bad command"
    return "command too long" if len(command) > COMMAND_LIMIT else None


def _is_environment(line: str) -> bool:
    """`NAME = value`, either side quoted or not; a value must not be empty unless it is quoted."""
    match = re.match(r"""(?:'[^']*'|"[^"]*"|[^\s='"][^\s=]*|(?==))\s*=\s*(.*)\Z""", line, re.DOTALL)
    if match is None:
        return False
    value = match[1].rstrip(_SPACE)
    if value[:1] in ("'", '"'):
        return len(value) > 1 and value.find(value[0], 1) == len(value) - 1
    return bool(value)


def _is_field(text: str, low: int, high: int, names: Sequence[str]) -> bool:
    """Whether a schedule field starts `text`. Like the program, it does not mind what follows the last range."""
    while True:
        text_after = _range(text, low, high, names)
        if text_after is None:
            return False
        if not text_after.startswith(","):
            return True
        text = text_after[1:]


def _range(text: str, low: int, high: int, names: Sequence[str]) -> str | None:
    if text.startswith("*"):
        first, last, text = low, high, text[1:]
    else:
        start = _number(text, low, names)
        if start is None:
            return None
        first, text = start
        if not text.startswith("-"):
            return text if low <= first <= high and not text.startswith("/") else None
        end = _number(text[1:], low, names)
        if end is None:
            return None
        last, text = end
    if text.startswith("/"):
        stepped = _number(text[1:], 0, ())
        if stepped is None or stepped[0] == 0:
            return None
        text = stepped[1]
    return text if low <= first <= high and low <= last <= high else None


def _number(text: str, low: int, names: Sequence[str]) -> tuple[int, str] | None:
    match = re.match(r"[0-9A-Za-z]+", text)
    if match is None:
        return None
    word = match[0].lower()
    if word.isdigit():
        return (int(word), text[match.end() :]) if len(word) < 10 else None
    if word in names:
        return names.index(word) + low, text[match.end() :]
    return None


def _operation(arguments: Sequence[str]) -> str:
    return {
        ("-l",): "list",
        ("-r",): "remove",
        ("-e",): "edit",
        ("-",): "install",
        ("-n", "-"): "check",
    }.get(tuple(arguments), "usage")


def _failed(text: str) -> Completed:
    return Completed(1, b"", text.encode() + b"\n")
