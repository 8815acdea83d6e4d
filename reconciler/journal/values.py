"""Model values as the text that a column holds, and back. The shape of that text belongs to `model.codec`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from reconciler.model.codec import decode, encode
from reconciler.model.data import Json

T = TypeVar("T")

# ASCII only, so that bytes that are no UTF-8 (kept as lone surrogates) can be stored and come back.
_DUMP = json.JSONEncoder(separators=(",", ":")).encode


def pack(value: object) -> str:
    return _DUMP(encode(value))


def pack_each(values: Iterable[object]) -> str:
    """Many values as one JSON list. One at a time: thousands of encoded values at once wake the garbage collector."""
    return f"[{','.join(_DUMP(encode(value)) for value in values)}]"


def unpack(cls: type[T], text: str) -> T:
    return decode(cls, json.loads(text))


def unpack_each(cls: type[T] | Any, text: str) -> tuple[T, ...]:
    """The inverse of `pack_each`; `cls` may be a union of steps."""
    return tuple(decode(cls, item) for item in json.loads(text))


def unpack_rows(cls: type[T], texts: Iterable[str]) -> tuple[T, ...]:
    """Many columns that each hold one value, parsed in one go."""
    return unpack_each(cls, f"[{','.join(texts)}]")


def unpack_json(text: str) -> Json:
    data: Json = json.loads(text)
    return data


def plain(text: str) -> str:
    """Text for people, with what SQLite could not store spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def parse_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
