"""One line of a crontab: our lines rendered and parsed, everybody's lines told apart. Pure.

A line of ours reads `<schedule> <mark><Kind/name>; [cd DIR || exit; ][export K=V; ]<command>`. Cron programs
disagree about `\\\\` (only Debian's halves it), so no backslash of ours is followed by a backslash or a `%`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import cast

from reconciler.model.address import KIND_PATTERN, NAME_PATTERN, ResourceId
from reconciler.model.data import Json
from reconciler.model.lazy import pattern

COMMAND_LIMIT = 998  # bytes after the schedule; Debian's cron refuses the whole table over it

_SAFE = r"[A-Za-z0-9_@%+=:,./-]"
_BARE = pattern(f"{_SAFE}+")
_WORD = rf"(?:{_SAFE}++|'[^']*'|\\')++"  # possessive: a long line must not be tried in every way
_PIECE = pattern(rf"'([^']*)'|\\(')|({_SAFE}+)")
_FIRST_WORD = pattern(_WORD)
_DIRECTORY = pattern(rf"cd (~(?:/(?:{_WORD})?)?|{_WORD}) \|\| exit; ")
_EXPORT = pattern(rf"export ([A-Za-z_]\w*={_WORD}(?: [A-Za-z_]\w*={_WORD})*); ", re.ASCII)
# Only what may stand in a schedule, so that a command that merely mentions the mark is never taken for ours.
_BEFORE_MARK = pattern(rb"[ \t]*(?:[0-9A-Za-z*,/~?@-][0-9A-Za-z*,/~?@#-]*[ \t]*)*+")
_ENVIRONMENT = pattern(rb"""[ \t]*(?:"([^"]*)"|'([^']*)'|([^\s=]*))[ \t]*=[ \t]*(.*?)[ \t]*\r?\n?""", re.DOTALL)
_JOB = pattern(
    rb"[ \t]*(@[^ \t\r\n]+|[-0-9*][^ \t\r\n]*(?:[ \t]+[0-9A-Za-z*,/~?#-]+){4})(?:[ \t]+([^\n]*))?\n?", re.DOTALL
)
_ESCAPED = pattern(r"\\(.)|(%)", re.DOTALL)
_UNSHOWABLE = pattern("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, eq=False, slots=True)
class Mark:
    """What says in a line that a reconciler holds it, and which one: see the two there are."""

    text: str
    raw: bytes = field(init=False)
    ours: re.Pattern[str] = field(init=False)  # a whole line as we write it
    loose: re.Pattern[bytes] = field(init=False)  # the mark alone, whatever else happened to the line

    def __post_init__(self) -> None:
        raw, id_ = self.text.encode(), f"({KIND_PATTERN})/({NAME_PATTERN})"
        ours = rf"(@[a-z]+|[^ \t]+(?: [^ \t]+){{4}}) {self.text}{id_}; ([^\r\b\0]+)"
        object.__setattr__(self, "raw", raw)
        object.__setattr__(self, "ours", pattern(ours))
        object.__setattr__(self, "loose", pattern(raw + rb"%b(?:;[ \t]?|[ \t]|(?=[\r\n])|\Z)" % id_.encode()))

    @property
    def other(self) -> Mark:
        """The mark of lines that are somebody else's where this is the mark of ours."""
        return BY_ROOT if self is OWN else OWN


# A table may hold lines of two: of its owner's reconciler and of root's. Each knows its own by the mark alone.
OWN = Mark(": reconciler:")
BY_ROOT = Mark(": reconciler@root:")


class Sort(Enum):
    """What a line that is not ours means to cron."""

    BLANK = "blank"
    COMMENT = "comment"
    ENVIRONMENT = "environment"
    JOB = "job"
    INVALID = "invalid"


def sort_of(raw: bytes) -> Sort:
    """The sort of a line. In doubt a line counts as ENVIRONMENT: nothing of ours may then stand below it."""
    start = raw.lstrip(b" \t")[:1]
    if start in (b"", b"\n"):
        return Sort.BLANK
    if start == b"#":
        return Sort.COMMENT
    if b"=" in raw and _ENVIRONMENT.fullmatch(raw):
        return Sort.ENVIRONMENT
    return Sort.JOB if _JOB.fullmatch(raw) else Sort.INVALID


def variable(raw: bytes) -> tuple[str, str]:
    """Name and value of an ENVIRONMENT line, without its quotes."""
    match = _ENVIRONMENT.fullmatch(raw)
    if match is None:
        raise ValueError("not an environment line")
    name, value = match[1] or match[2] or match[3] or b"", match[4]
    if len(value) > 1 and value[:1] == value[-1:] and value[:1] in (b"'", b'"'):
        value = value[1:-1]
    return show(name), show(value)


def job(raw: bytes) -> tuple[str, str] | None:
    """Schedule and raw command of a JOB line as text, or None where it has none."""
    match = _JOB.fullmatch(raw)
    if match is None:
        return None
    return " ".join(show(match[1]).split()), show(match[2] or b"")


def show(raw: bytes) -> str:
    """Bytes as text for people: what is not UTF-8 and what would play tricks on a terminal becomes an escape."""
    text = raw.decode("utf-8", "backslashreplace")
    if text.isascii() and text.isprintable():
        return text
    return _UNSHOWABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def marked(raw: bytes, mark: Mark) -> ResourceId | None:
    """The id that an active line carries, whatever else happened to the line; None where it has not this mark."""
    at = raw.find(mark.raw)
    if at < 0 or not _BEFORE_MARK.fullmatch(raw, 0, at):
        return None
    match = mark.loose.match(raw, at)
    return None if match is None else ResourceId(match[1].decode("ascii"), match[2].decode("ascii"))


def unmarked(raw: bytes, mark: Mark) -> bytes:
    """A line without its mark: it runs the same and belongs to nobody. Any other line as it is."""
    if marked(raw, mark) is None:
        return raw
    at = raw.find(mark.raw)
    match = mark.loose.match(raw, at)
    return raw if match is None else raw[:at] + raw[match.end() :]


def attributes(raw: bytes, mark: Mark) -> dict[str, Json]:
    """What a marked line asks for. One that we would not have written this way yields its schedule and `text`."""
    body = raw.removesuffix(b"\n")
    try:
        parsed = parse(body.decode("utf-8"), mark)
    except UnicodeDecodeError:
        parsed = None
    if parsed is not None:
        return dict(parsed[1])
    return {"schedule": " ".join(show(raw.partition(mark.raw)[0]).split()), "text": show(body)}


def render(id_: ResourceId | None, wanted: Mapping[str, Json], mark: Mark) -> str:
    """The line, without its newline, for these attributes; without an id it has no mark."""
    command = wanted["command"]
    text = f"{mark.text}{id_.kind}/{id_.name}; " if id_ is not None else ""
    directory = wanted.get("directory")
    if directory is not None:
        text += f"cd {_render_directory(cast(str, directory))} || exit; "
    environment = cast("Mapping[str, str] | None", wanted.get("environment"))
    if environment:
        text += f"export {_render_environment(environment)}; "
    text += _render_script(command) if isinstance(command, str) else _render_argv(cast("Sequence[str]", command))
    return f"{wanted['schedule']} {escape(text)}"


@lru_cache(maxsize=16384)
def parse(line: str, mark: Mark) -> tuple[ResourceId, dict[str, Json]] | None:
    """The inverse of `render` for a marked line: None for anything that `render` would not have written.

    Remembered: a pass meets each line when it asks for it and when it looks for it. The result is not to be changed.
    """
    match = mark.ours.fullmatch(line)
    if match is None:
        return None
    schedule, kind, name, raw = match.groups()
    text = raw.replace("\\%", "%")
    if "\\\\" in raw or escape(text) != raw:
        return None
    found: dict[str, Json] = {"schedule": schedule}
    text = _take_environment(found, _take_directory(found, text))
    if not text:
        return None
    found["command"] = _parse_argv(text) or _parse_script(text)
    return ResourceId(kind, name), found


def escape(command: str) -> str:
    """A command as it stands in a table: cron turns a bare `%` into a newline."""
    return command.replace("%", "\\%")


def unescape(command: str, *, halve: bool = True) -> tuple[str, str | None]:
    """What cron makes of the command of a line: what the shell gets, and the standard input after a bare `%`.

    `halve` follows Debian's cron, which also turns `\\\\` into `\\`; others leave it.
    """
    if "%" not in command and "\\" not in command:
        return command, None
    out: list[str] = []
    last = 0
    for match in _ESCAPED.finditer(command):
        out.append(command[last : match.start()])
        last = match.end()
        if match[2]:
            return "".join(out), command[last:]
        drops = match[1] == "%" or (halve and match[1] == "\\")
        out.append(match[1] if drops else match[0])
    return "".join(out) + command[last:], None


@lru_cache(maxsize=16384)
def quote(word: str) -> str:
    """One shell word, safe for every cron program once escaped: see the rule at the top."""
    if _BARE.fullmatch(word):
        return word
    inner = re.sub(r"\\(?=\\)", r"\\''", word.replace("'", "'\\''")).replace("%", "'%'")
    quoted = f"'{inner}'"
    if quoted.startswith("''") and len(quoted) > 2:
        quoted = quoted[2:]
    return quoted[:-2] if quoted.endswith("''") and len(quoted) > 2 else quoted


def _unquote(text: str) -> str:
    if "'" not in text:
        return text
    if text[0] == text[-1] == "'" and text.count("'") == 2:
        return text[1:-1]
    return "".join(match[1] or match[2] or match[3] or "" for match in _PIECE.finditer(text))


def _render_directory(directory: str) -> str:
    if directory in ("~", "~/"):
        return directory
    return f"~/{quote(directory[2:])}" if directory.startswith("~/") else quote(directory)


def _render_environment(environment: Mapping[str, str]) -> str:
    return " ".join([f"{name}={quote(environment[name])}" for name in sorted(environment)])


def _render_argv(argv: Sequence[str]) -> str:
    return f"exec {' '.join(map(quote, argv))}"


def _render_script(script: str) -> str:
    return f"eval {quote(script)}" if _needs_eval(script) else script


def _needs_eval(script: str) -> bool:
    return "\\\\" in script or "\\%" in script


def _take_directory(found: dict[str, Json], text: str) -> str:
    match = _DIRECTORY.match(text)
    if match is None:
        return text
    word = match[1]
    directory = f"~/{_unquote(word[2:])}" if word.startswith("~/") else _unquote(word)
    if _render_directory(directory) != word or directory.startswith("-"):
        return text
    found["directory"] = directory
    return text[match.end() :]


def _take_environment(found: dict[str, Json], text: str) -> str:
    match = _EXPORT.match(text)
    if match is None:
        return text
    pairs = (word.partition("=") for word in _split(match[1]))
    environment = {name: _unquote(value) for name, _, value in pairs}
    if _render_environment(environment) != match[1]:
        return text
    found["environment"] = environment
    return text[match.end() :]


def _split(text: str) -> list[str]:
    return text.split(" ") if "'" not in text else _FIRST_WORD.findall(text)


def _parse_argv(text: str) -> list[str] | None:
    words = text[5:]
    if not text.startswith("exec ") or words.startswith("-"):
        return None
    argv = [_unquote(word) for word in _split(words)]
    return argv if argv and argv[0] and _render_argv(argv) == text else None


def _parse_script(text: str) -> str:
    if text.startswith("eval ") and _FIRST_WORD.fullmatch(text, 5):
        script = _unquote(text[5:])
        if _needs_eval(script) and _render_script(script) == text:
            return script
    return text
