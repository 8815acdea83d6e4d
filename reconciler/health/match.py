"""Searching an answer for a person's regular expression, alike for every probe."""

from __future__ import annotations

import re

from reconciler.health.excerpt import excerpt, short


def mismatch(pattern: object, content: bytes, source: str) -> str | None:
    """Why `content` does not hold the pattern, or None. `^` and `$` stand for the ends of lines."""
    text = content.decode("utf-8", "replace")
    if re.search(str(pattern), text, re.MULTILINE):
        return None
    return f"{source} does not match /{short(str(pattern))}/: found {excerpt(content, end=True)}"
