"""Files as states: from a manifest, from the disk, and to a text for people. Text stays text, the rest is base64."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from reconciler.host.protocol import FileStatus
from reconciler.model.data import Json, bytes_digest
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.resource import Resource
from reconciler.model.state import State

LIMIT = 2**20


@dataclass(frozen=True, slots=True)
class Found:
    """One file on the disk."""

    data: bytes
    status: FileStatus

    def as_seen_by(self, path: str, reference: State | None) -> State:
        """Its state with an owner only where the reference names one, and in the form in which it does."""
        named = str(reference.attributes.get("owner", "")) if reference else ""
        owner = f"{self.status.owner}:{self.status.group}" if ":" in named else self.status.owner
        return state(path, self.data, f"{self.status.mode:04o}", owner if named else None)

    @property
    def note(self) -> dict[str, Json]:
        """Everything that is needed to put it back exactly."""
        data = b64encode(self.data).decode("ascii")
        return {"data": data, "mode": self.status.mode, "owner": self.status.owner, "group": self.status.group}


def from_note(note: Json) -> Found:
    known = cast("Mapping[str, Json]", note)
    status = FileStatus("file", cast(int, known["mode"]), str(known["owner"]), str(known["group"]))
    return Found(b64decode(str(known["data"])), status)


def state(path: str, data: bytes, mode: str, owner: str | None) -> State:
    attributes: dict[str, Json] = {"path": path, "mode": mode, "digest": bytes_digest(data)}
    if owner is not None:
        attributes["owner"] = owner
    try:
        attributes["content"] = data.decode("utf-8")
    except UnicodeDecodeError:
        attributes["base64"] = b64encode(data).decode("ascii")
    return State(attributes)


def data_of(wanted: State) -> bytes:
    if "content" in wanted.attributes:
        return str(wanted.attributes["content"]).encode("utf-8")
    return b64decode(str(wanted.attributes["base64"]))


def canonical(resource: Resource) -> State:
    """What the manifest asks for. Of the file system it reads `source` alone, which is part of the tree."""
    spec = resource.spec
    if spec.get("source") is not None:
        data = _read(Path(resource.source.file).parent, str(spec["source"]))
    else:
        try:
            data = str(spec["content"]).encode("utf-8")
        except UnicodeEncodeError as error:
            raise UnsupportedSpec("half a character cannot stand in a file", field="content") from error
    if len(data) > LIMIT:
        raise UnsupportedSpec(f"it holds {len(data):,} bytes, more than {LIMIT:,}", field="content")
    owner = spec.get("owner")
    return state(str(spec["path"]), data, str(spec.get("mode") or "0644"), None if owner is None else str(owner))


def _read(folder: Path, source: str) -> bytes:
    try:
        path = (folder / source).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()):
            raise UnsupportedSpec(f"{source} leads out of the folder of its manifest", field="source")
        if not path.is_file():
            raise UnsupportedSpec(f"{source} is not a regular file", field="source")
        with path.open("rb") as file:
            return file.read(LIMIT + 1)
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise UnsupportedSpec(f"cannot read {folder / source}: {cause}", field="source") from error


def document(shown: State) -> str:
    """Head and content; the digest stands in the head, so that every difference shows."""
    at = shown.attributes
    owner = f", owner {at['owner']}" if "owner" in at else ""
    head = f"# {at['path']}\n# mode {at['mode']}{owner}\n# digest {at['digest']}\n"
    return head + (str(at["content"]) if "content" in at else f"({len(data_of(shown)):,} bytes that are no text)")
