"""Text that is safe and aligned on any terminal: hidden characters made visible, display width, wrapping, colours.

Everything that came from outside passes `visible` before it is laid out. Knows nothing of plans.
"""

from __future__ import annotations

import re

from reconciler.model.frozen import dataclass
from reconciler.model.lazy import pattern

# Control characters, invisible format characters, direction overrides, line separators and lone surrogates:
# whatever could move a cursor, hide text, reorder it, or fail to encode. An explicit list, not the Unicode
# tables of the running Python, so that two machines print the same bytes.
HIDDEN = pattern(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def visible(text: str) -> str:
    """The text with every hidden character spelled out: `\\x1b`, `\\u202e`. One line stays one line."""
    if text.isascii() and text.isprintable():
        return text
    return HIDDEN.sub(_spelled, text)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] in _SHORT:
        return _SHORT[match[0]]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, as `surrogateescape` keeps it
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cells(text: str) -> int:
    """Columns that the text takes on a terminal; wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken at spaces; a longer word keeps a line of its own.

    A short command between backticks counts as one word: what is to be copied stays in one piece.
    """
    lines: list[str] = []
    line, used = "", 0
    for word in _words(text):
        size = cells(word)
        if line and used + 1 + size > width:
            lines.append(line)
            line, used = word, size
        else:
            line, used = (f"{line} {word}", used + 1 + size) if line else (word, size)
    return [*lines, line]


_COMMAND = pattern("`[^`]{1,60}`|[^ ]")


def _words(text: str) -> list[str]:
    if "`" not in text:
        return text.split(" ")
    words, word, end = [], "", 0
    for match in _COMMAND.finditer(text):
        if match.start() > end:  # one space or more
            words += [word, *[""] * (match.start() - end - 1)]
            word = ""
        word += match[0]
        end = match.end()
    return [*words, word]


def several(count: int, one: str, many: str | None = None) -> str:
    """`1 step`, `2 steps`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
    "alarm": "1;31",
}


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours where asked for; without, `paint` gives the text back."""

    colour: bool = False

    def paint(self, style: str, text: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colour and style else text
