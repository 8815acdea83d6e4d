"""Writing YAML: manifests formatted with their comments kept, and new ones from plain data. Touches no files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from io import StringIO
from itertools import pairwise
from typing import Any

from reconciler.load.parse import read_reference
from reconciler.load.text import SourceText, decode
from reconciler.model.data import Json
from reconciler.model.errors import LoadError, ReconcileError

_OPENING = re.compile(r":(?: +#.*)?$")
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n\r]*", re.MULTILINE)
_SEPARATOR = re.compile(r"^(---(?:[ \t][ \t]*(?:#[^\n]*)?)?\r?\n)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^(?:%|\.\.\.)", re.MULTILINE)
_WIDTH = 4096  # never wrap a line


def format_manifest(file: str, content: bytes) -> bytes:
    """A manifest file in even layout: same documents, same comments, same quotes. Raises LoadError on bad YAML."""
    source, unreadable = decode(file, content)
    nodes, problems = ([], [unreadable]) if unreadable else read_reference(source)
    if problems:
        raise LoadError(tuple(problems))
    if not nodes:
        return content
    meaning = [node.plain() for node in nodes]
    for text in _layouts(source.text):
        kept, trouble = read_reference(SourceText(file, text))
        same = not trouble and [node.plain() for node in kept] == meaning
        if same and _comments(text) == _comments(source.text):
            return text.encode("utf-8")
    cause = "its meaning or its comments would not survive"
    raise ReconcileError(f"cannot format {file}: {cause}", where=file, hint="format it by hand")


def _layouts(text: str) -> tuple[str, ...]:
    """The even layouts of a text, the best first; none where the round trip itself gives up."""
    from ruamel.yaml.error import YAMLError

    try:
        plain = _round_trip(text)
    except (YAMLError, ValueError, TypeError, OverflowError):  # a date that does not exist, for example
        return ()
    return _align_comments(plain), plain


def dump_manifests(documents: Iterable[Mapping[str, Json]]) -> str:
    """Manifests as YAML text, in the order given; text that could be misread is quoted."""
    yaml = _writer("")
    parts: list[str] = []
    for document in documents:
        stream = StringIO()
        yaml.dump(_quoted(document), stream)
        parts.append(stream.getvalue())
    return "---\n".join(parts)


def _round_trip(text: str) -> str:
    """The text through ruamel's round trip, document by document: between them it would lose comments."""
    if _DIRECTIVE.search(text):
        return _one_round_trip(text, text)
    parts = _SEPARATOR.split(text)
    for index in range(0, len(parts), 2):  # between them stand the separators
        if any(line.strip() and not line.lstrip().startswith("#") for line in parts[index].split("\n")):
            parts[index] = _one_round_trip(parts[index], text)
    return "".join(parts)


def _one_round_trip(text: str, whole: str) -> str:
    yaml = _writer(whole)
    stream = StringIO()
    yaml.dump_all(list(yaml.load_all(text)), stream)
    return stream.getvalue()


def _writer(text: str) -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.allow_unicode = True
    mapping, offset = _indentation(text)
    yaml.indent(mapping=mapping, sequence=offset + 2, offset=offset)
    return yaml


def _indentation(text: str) -> tuple[int, int]:
    """How much deeper the first nested mapping and the dashes of the first nested list stand than their key."""
    mapping, offset = 0, -1
    lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    for above, line in pairwise(lines):
        deeper = _depth(line) - _depth(above)
        if not _OPENING.search(above) or above.lstrip().startswith("- "):
            continue
        if line.lstrip().startswith("- "):
            offset = deeper if offset < 0 else offset
        elif deeper > 0:
            mapping = mapping or deeper
    return mapping or 2, 2 if offset < 0 else offset


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _align_comments(text: str) -> str:
    """Comments that have a line of their own, as deep as the line that they stand above."""
    lines = text.split("\n")
    depth: int | None = None
    for index in range(len(lines) - 1, -1, -1):
        bare = lines[index].lstrip(" ")
        if bare.startswith("#"):
            lines[index] = lines[index] if depth is None else " " * depth + bare
        elif bare:
            depth = None if bare.startswith(("---", "...")) else _depth(lines[index])
    return "\n".join(lines)


def _comments(text: str) -> Counter[str]:
    """Everything that may be a comment: quotes are kept, so a # in a quoted text counts the same both times."""
    return Counter(match[0].strip() for match in _COMMENT.finditer(text))


def _quoted(value: Any) -> Any:
    """Plain data with text double-quoted wherever another YAML reader could take it for something else."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, Mapping):
        return {key: _quoted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_quoted(item) for item in value]
    if isinstance(value, str) and not _BARE.fullmatch(value):
        return DoubleQuotedScalarString(value)
    return value


_WORDS = "y|n|yes|no|on|off|true|false|null"
_BARE = re.compile(rf"(?!(?i:{_WORDS})\Z)(?:[A-Za-z_/~](?:[A-Za-z0-9_./@%+=, -]*[A-Za-z0-9_./@%+=-])?)")
