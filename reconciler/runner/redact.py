"""Secrets out of a stream of bytes, also where a chunk ends in the middle of one. Pure.

A value is looked for as it is, line by line, and as base64, in URLs, in JSON and in hexadecimal would show it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


SHORTEST = 4  # bytes: hiding every `a` would hide the output
HIDDEN = b"\xe2\x80\xb9secret\xe2\x80\xba"


def forms(values: Iterable[bytes]) -> list[bytes]:
    """Everything that must not be shown, the longest first."""
    import binascii

    found: set[bytes] = set()
    for value in values:
        lines = [line.strip() for line in value.split(b"\n")] if b"\n" in value else []
        for plain in (value, value.strip(), *(line for line in lines if len(line) >= 8)):
            if len(plain) < SHORTEST:
                continue
            found |= {plain, binascii.hexlify(plain), binascii.hexlify(plain).upper()}
            found |= {_quoted(plain, safe) for safe in (b"", b"/")} | {_quoted(plain, b"").replace(b"%20", b"+")}
            found.add(
                plain.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n").replace(b"\t", b"\\t")
            )
            found |= _base64(plain)
    return sorted((form for form in found if len(form) >= SHORTEST), key=lambda form: (-len(form), form))


def _base64(plain: bytes) -> set[bytes]:
    """How the value shows inside of base64, wherever in a group of three bytes it starts."""
    import binascii

    found = set()
    for before in range(3):
        text = binascii.b2a_base64(b"\0" * before + plain, newline=False)
        whole = (before + len(plain)) // 3 * 4  # the last group depends on what follows
        part = text[(before * 8 + 5) // 6 : whole]
        if len(part) >= 6:
            found |= {part, part.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def _quoted(plain: bytes, safe: bytes) -> bytes:
    kept = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~" + safe
    return b"".join(bytes((byte,)) if byte in kept else b"%%%02X" % byte for byte in plain)


class Redactor:
    """One stream. What could be the beginning of a secret is held back until more is known."""

    def __init__(self, hidden: list[bytes]) -> None:
        self._hidden = hidden
        self._held = b""
        self._pattern = None
        if hidden:
            import re

            self._pattern = re.compile(b"|".join(map(re.escape, hidden)))

    def feed(self, chunk: bytes) -> bytes:
        if self._pattern is None:
            return chunk
        data = self._held + chunk
        cut = self._cut(data)
        for found in self._pattern.finditer(data):
            if found.start() < cut < found.end():
                cut = found.start()
        self._held = data[cut:]
        return self._pattern.sub(HIDDEN, data[:cut])

    def rest(self) -> bytes:
        """At the end of the stream."""
        held, self._held = self._held, b""
        return self._pattern.sub(HIDDEN, held) if self._pattern else held

    def _cut(self, data: bytes) -> int:
        """Where the first possible beginning of a secret is that the data does not finish."""
        cut = len(data)
        for form in self._hidden:
            at = data.find(form[:1], max(0, len(data) - len(form) + 1), cut)
            while at >= 0:
                if form.startswith(data[at:]):
                    cut = at
                    break
                at = data.find(form[:1], at + 1, cut)
        return cut
