"""What stands in a unit file: sections with settings, and words quoted the way systemd unquotes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reconciler.model.lazy import pattern

PREFIXES = "@-:+!|"  # what these mean before a program is none of an argument list's business
_PLAIN = pattern(r"[A-Za-z0-9_@%+=:,./~^-]+")
_ESCAPE = pattern(r"""[\\"]|[\x00-\x1f\x7f]""")
_ESCAPED = pattern(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-7]{3}|.)", re.DOTALL)
_NAMED = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "s": 32}
_SPACE = " \t\n\r"


def quote(word: str) -> str:
    """One word; `%` is doubled, since systemd expands specifiers after it has unquoted."""
    text = word.replace("%", "%%")
    if _PLAIN.fullmatch(text):
        return text
    return f'"{_ESCAPE.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return f"\\{char}" if char in '\\"' else f"\\x{ord(char):02x}"


def command_line(argv: Sequence[str]) -> str:
    """The value of ExecStart. The colon keeps systemd from expanding `$`, in the program's name as well."""
    text = " ".join(map(quote, argv))
    return f":{text}" if "$" in text else text


def argv_of(value: str) -> list[str] | None:
    """The inverse for anybody's ExecStart: None where it does more than run one program with fixed arguments."""
    literal = value.startswith(":")
    words = split(value[1:] if literal else value)
    if not words or not words[0] or words[0][0] in PREFIXES or _separates(value):
        return None
    if not literal:
        if any(_expands(word) for word in words):
            return None
        words = [words[0], *(word.replace("$$", "$") for word in words[1:])]
    unescaped = [unspecified(word) for word in words]
    return None if None in unescaped else [word for word in unescaped if word is not None]


def _separates(value: str) -> bool:
    return " ; " in f"{value} "


def _expands(word: str) -> bool:
    return "$" in word.replace("$$", "")


def unspecified(word: str) -> str | None:
    """The word without doubled percent signs; None where it holds a real specifier."""
    rest = word.replace("%%", "")
    return None if "%" in rest else word.replace("%%", "%")


def split(value: str) -> list[str] | None:
    """Words as systemd unquotes them; None for what it refuses."""
    words: list[str] = []
    at = 0
    while True:
        while at < len(value) and value[at] in _SPACE:
            at += 1
        if at >= len(value):
            return words
        word, at = _word(value, at)
        if word is None:
            return None
        words.append(word)


def _word(value: str, at: int) -> tuple[str | None, int]:
    out: list[str] = []
    quoted = ""
    while at < len(value):
        char = value[at]
        if char == "\\":
            match = _ESCAPED.match(value, at)
            text = _unescaped(match[1]) if match else None
            if match is None or text is None:
                return None, at
            out.append(text)
            at = match.end()
            continue
        at += 1
        if quoted:
            if char == quoted:
                quoted = ""
            else:
                out.append(char)
        elif char in "\"'":
            quoted = char
        elif char in _SPACE:
            break
        else:
            out.append(char)
    return (None if quoted else "".join(out)), at


def _unescaped(escape: str) -> str | None:
    if escape[0] in "xuU" and len(escape) > 1:
        code = int(escape[1:], 16)
    elif len(escape) == 3:
        code = int(escape, 8)
    elif escape in _NAMED:
        code = _NAMED[escape]
    else:
        return escape if escape in "\\\"'" else None
    bare = escape[0] == "x" or len(escape) == 3
    return None if code == 0 or code > 0x10FFFF or (bare and code > 127) else chr(code)


def settings(text: str) -> Iterator[tuple[str, str, str]]:
    """Section, name and value of every setting, in order. Continued lines are joined; comments are left out."""
    section, pending = "", ""
    for raw in text.split("\n"):
        line = raw.rstrip("\r")
        if line.lstrip(" \t")[:1] in ("#", ";"):
            continue
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        line, pending = (pending + line).strip(), ""
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line:
            name, _, value = line.partition("=")
            yield section, name.rstrip(), value.lstrip()
