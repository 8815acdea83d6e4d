"""One service of a compose file while it is read: its spec so far, and what could not be carried over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from reconciler.model.data import Json
from reconciler.provider import Described

Steps: TypeAlias = tuple[str | int, ...]


class Incomplete(Exception):
    """Without this the service would be another one; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Project:
    """What a service takes from the rest of its file: names as the engine knows them, folders, other files."""

    file: Described
    name: str
    volumes: Mapping[str, str]  # as the file calls them -> as the engine does
    networks: Mapping[str, str]
    called: Mapping[str, str]  # service -> the container's name, which is the manifest's
    kept: Mapping[str, Mapping[str, Json]]  # `secrets` and `configs`, by section and name, joined with a dot
    read: Mapping[Path, str | None]  # the files of variables; None: there is none that can be read

    def folder(self, path: str) -> str:
        """A path of the file as one that does not depend on the folder it is read in."""
        from posixpath import normpath

        if path.startswith("~/") or path == "~":
            return path
        return normpath(str(self.file.path.parent / path))


@dataclass(slots=True)
class Draft:
    """`path` leads to the service in its file."""

    project: Project
    path: Steps
    spec: dict[str, Json] = field(default_factory=dict)
    labels: dict[str, Json] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def say(self, what: str, *path: str | int) -> None:
        self.notes.append(f"{what} ({self.project.file.place((*self.path, *path))})")

    def lose(self, what: str, *path: str | int) -> None:
        self.say(f"{what} cannot be carried over", *path)


def items(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else [] if value is None else [value]


def pairs(value: Json) -> list[tuple[str, Json, str | int]]:
    """`NAME: value` and `- NAME=value` alike: name, value (None where there is none), and the step to its place."""
    if isinstance(value, dict):
        return [(name, item, name) for name, item in value.items()]
    found: list[tuple[str, Json, str | int]] = []
    for index, item in enumerate(items(value)):
        name, equals, text = str(item).partition("=")
        found.append((name, text if equals else None, index))
    return found


def written(item: Json) -> str:
    """A value as compose passes it on."""
    return str(item).lower() if isinstance(item, bool) else str(item)
