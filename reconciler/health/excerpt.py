"""Foreign text made fit for a message: on one line, short, and with nothing that a terminal would obey."""

from __future__ import annotations

from reconciler.model.mask import Mask

EXCERPT = 200
HIDING = Mask("excerpt")
SHORT = 72


def excerpt(content: bytes | str, *, end: bool = False) -> str:
    """The beginning (or the end) of some output, as quoted text; "nothing" where it is empty."""
    window = content[-4 * EXCERPT :] if end else content[: 4 * EXCERPT]
    text = window.decode("utf-8", "replace") if isinstance(window, bytes) else window
    line = HIDING.text(clean(text.strip()))  # before cutting: half a secret is not seen as one any more
    if not line:
        return "nothing"
    if len(line) > EXCERPT:
        return f"`…{line[-EXCERPT:]}`" if end else f"`{line[:EXCERPT]}…`"
    return f"`{line}`"


def short(text: str) -> str:
    """Text from a manifest for one line of a plan."""
    line = clean(" ".join(text.split()))
    if len(line) > SHORT:
        line = HIDING.text(line)
    return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"


def clean(text: str) -> str:
    """Line ends as ` ⏎ `, other unprintable characters (escape codes, text direction marks) as `?`."""
    lines = " ⏎ ".join(text.splitlines())
    return "".join(letter if letter.isprintable() else "?" for letter in lines)
