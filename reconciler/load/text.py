"""The text of one manifest file: decoding, and places in it for messages. Knows nothing of YAML's grammar."""

from __future__ import annotations

import re

from reconciler.model.errors import Problem
from reconciler.model.frozen import dataclass

_BREAK = re.compile(r"\r\n|\r|\n")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
_TAB_INDENT = re.compile(r"^ *\t[ \t]*(?=[^\s#])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SourceText:
    """Decoded content of a file, as the user names the file."""

    file: str
    text: str

    def problem(self, line: int, column: int, message: str, hint: str | None = None) -> Problem:
        """A problem at a place, both counted from 1, with the line it stands in."""
        lines = _BREAK.split(self.text, maxsplit=line)
        excerpt = visible(lines[line - 1]) if 0 < line <= len(lines) else None
        return Problem(self.file, line, column, message, hint, excerpt)

    def problem_at(self, offset: int, message: str, hint: str | None = None) -> Problem:
        """A problem at a character offset."""
        before = _BREAK.split(self.text[:offset])
        return self.problem(len(before), len(before[-1]) + 1, message, hint)


def visible(text: str) -> str:
    """Text that cannot move a terminal's cursor; every character keeps its place."""
    return _HIDDEN.sub(lambda match: " " if match[0] == "\t" else "\ufffd", text)


def decode(file: str, content: bytes) -> tuple[SourceText, Problem | None]:
    """The text of a file, and what makes it unreadable as a manifest, if anything."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return SourceText(file, ""), Problem(file, 0, 0, "the file is UTF-16", "save it as UTF-8")
    source = SourceText(file, content.decode("utf-8", "replace"))
    if content.startswith(b"\xef\xbb\xbf"):
        message = "the file starts with a byte order mark (BOM)"
        return source, source.problem(1, 1, message, "save it as UTF-8 without BOM")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        offset = len(content[: error.start].decode("utf-8"))
        message = f"the file is not UTF-8: byte 0x{content[error.start]:02x} cannot stand here"
        return source, source.problem_at(offset, message, "save it as UTF-8")
    return source, _unreadable(source)


def _unreadable(source: SourceText) -> Problem | None:
    if match := _UNPRINTABLE.search(source.text):
        name = "a NUL character" if match[0] == "\0" else f"the unprintable character U+{ord(match[0]):04X}"
        return source.problem_at(match.start(), f"the file holds {name}", "remove it")
    if match := _TAB_INDENT.search(source.text):
        offset = source.text.index("\t", match.start())
        return source.problem_at(offset, "a tab stands in the indentation", "indent with spaces")
    return None
