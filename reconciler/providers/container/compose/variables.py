"""`${NAME:-default}` in a compose file, and the files of variables that stand beside it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.data import Json

_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<how>:?[-?+])(?P<word>(?:[^{}]|\{[^{}]*\})*))?\})"
)
_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)\s*(?:=(?P<value>.*))?", re.DOTALL)
_QUOTED = re.compile(r"\s*(?:'(?P<single>[^']*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\")\s*(?:#.*)?", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class Unfilled(Exception):
    """A text that cannot be filled in; the message says why."""


@dataclass(slots=True)
class Variables:
    """What names stand for. Remembers what it filled in, and what it knew nothing of."""

    values: Mapping[str, str]
    filled: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)

    def fill(self, value: Json) -> Json:
        """The value with every reference in it filled in. Raises Unfilled."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.fill(item) for name, item in value.items()}
        return [self.fill(item) for item in value] if isinstance(value, list) else value

    def text(self, text: str) -> str:
        if "$" not in text:
            return text
        return _REFERENCE.sub(self._one, text)

    def _one(self, match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name, how, word = match["plain"] or match["name"], match["how"] or "", match["word"] or ""
        known = self.values.get(name)
        there = known is not None and (bool(known) or not how.startswith(":"))
        if how.endswith("+"):
            return self.text(word) if there else ""
        if there and known is not None:
            _refuse_secret(name)
            self.filled.add(name)
            return known
        if how.endswith("-"):
            return self.text(word)
        if how.endswith("?"):
            raise Unfilled(f"it needs the variable {name}, which is not set: {word or 'no reason is given'}")
        _refuse_secret(name)
        self.empty.add(name)
        return ""


def _refuse_secret(name: str) -> None:
    from reconciler.kinds.fields import variable_name

    try:
        variable_name(name)
    except ValueError as error:
        raise Unfilled(f"it is filled in from the variable {name}, which {error}") from None


def dotenv(text: str, known: Mapping[str, str]) -> dict[str, str]:
    """The variables of a `.env` file; double-quoted and bare values may refer to those before them."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = None if line.lstrip().startswith("#") else _LINE.fullmatch(line)
        if match is None or match["value"] is None:
            continue
        found[match["name"]] = _value(match["value"], {**found, **known})
    return found


def _value(raw: str, known: Mapping[str, str]) -> str:
    quoted = _QUOTED.fullmatch(raw)
    if quoted is not None and quoted["single"] is not None:
        return quoted["single"]
    text = quoted["double"] if quoted is not None else re.split(r"\s+#", raw.strip(), maxsplit=1)[0]
    if quoted is not None:
        text = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)
    return _REFERENCE.sub(lambda match: known.get(match["plain"] or match["name"] or "", ""), text)
