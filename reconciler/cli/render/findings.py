"""What `reconcile doctor` found, as text: a line each, what to do below it, and the count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reconciler.cli.render.characters import Palette, several, visible

_STYLES = {"ok": "green", "warn": "yellow", "fail": "alarm"}


def findings_text(found: Sequence[tuple[str, str, str, str]], *, colour: bool) -> str:
    """Each is its mark (ok, warn, fail), its name, a sentence, and what to do about it."""
    palette = Palette(colour)
    width = max(len(name) for _, name, _, _ in found)
    lines: list[str] = []
    for mark, name, message, hint in found:
        lines.append(f"{palette.paint(_STYLES[mark], f'{mark:<4}')}  {name:<{width}}  {visible(message)}")
        if hint and mark != "ok":
            lines.append(f"      {'':<{width}}  what to do: {visible(hint)}")
    count = Counter(mark for mark, _, _, _ in found)
    ending = f"{several(count['ok'], 'check')} passed"
    ending += f", {several(count['warn'], 'warning')}" if count["warn"] else ""
    ending += f", {count['fail']} failed" if count["fail"] else ""
    return "\n".join([*lines, "", f"{ending}."]) + "\n"
