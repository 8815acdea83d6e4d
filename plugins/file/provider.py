"""The file provider. A file has no room for a mark, so what is ours is what the inventory says (`Wanted.applied`).

A file that stands where a new one is wanted is somebody else's: reported FOREIGN, refused, and taken over on request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from reconciler.host.limits import TooLong
from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict, Hindered, HostError, ObserveError
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, Observed, Ownership, State
from reconciler.provider import Finding, Support, Supported, Wanted

from .content import LIMIT, Found, canonical, data_of, document, from_note
from .review import review


class Files:
    """Holds each File as one file. Stateless."""

    name: ClassVar[str] = "file"
    kinds: ClassVar[frozenset[str]] = frozenset({"File"})
    lock: ClassVar[str | None] = "file"

    def probe(self, host: Host) -> Support:  # noqa: ARG002
        return Supported()

    def canonical(self, resource: Resource) -> State:
        return canonical(resource)

    def document(self, id: ResourceId, state: State) -> str:  # noqa: ARG002
        return document(state)

    def source_digest(self, resource: Resource, state: State) -> str | None:
        return None if resource.spec.get("source") is None else str(state.attributes["digest"])

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        found: list[Observed] = []
        foreign: dict[str, Json] = {}
        homeless: list[str] = []
        try:
            for item in wanted:
                if item.applied is not None:
                    found += self._ours(host, item.id, item.applied, item.desired)
                elif item.desired is not None:
                    path = path_of(item.desired)
                    status = host.status(Path(path))
                    if status is not None:
                        foreign[path] = status.type
                        found += self._foreign(host, item.id, item.desired) if status.type == "file" else ()
                    elif host.status(Path(path).parent) is None:
                        homeless.append(path)
        except HostError as error:
            raise ObserveError(f"cannot look at the files: {error.message}", hint=error.hint) from error
        facts: dict[str, Json] = {"foreign": foreign, "homeless": sorted(homeless)}
        return Observation(tuple(sorted(found, key=lambda item: item.id)), facts)

    def _ours(self, host: Host, id_: ResourceId, applied: State, desired: State | None) -> list[Observed]:
        path = path_of(applied)
        try:
            file = look(host, path)
        except (_NotAFile, TooLong) as error:
            return [Observed(id_, self.name, State({"path": path}), Ownership.OURS, path, "", trouble=str(error))]
        return [] if file is None else [self._observed(id_, path, file, applied, desired, Ownership.OURS)]

    def _foreign(self, host: Host, id_: ResourceId, desired: State) -> list[Observed]:
        path = path_of(desired)
        try:
            file = look(host, path)
        except (_NotAFile, TooLong):
            return []
        return [] if file is None else [self._observed(id_, path, file, desired, None, Ownership.FOREIGN)]

    def _observed(
        self, id_: ResourceId, path: str, file: Found, first: State, second: State | None, ownership: Ownership
    ) -> Observed:
        shown = file.as_seen_by(path, first)
        if second is not None and shown != first and file.as_seen_by(path, second) == second:
            shown = second
        return Observed(id_, self.name, shown, ownership, path, document(shown), file.note)

    def batch(self, change: Change) -> str | None:  # noqa: ARG002
        return None

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        """One file at a time: each is replaced whole or not at all."""
        for change in changes:
            try:
                _carry_out(host, change)
            except HostError as error:
                raise Hindered(
                    f"cannot {change.action} {change.id}: {error.message}", hint=error.hint or "plan again"
                ) from error
            except _NotAFile as error:
                raise ApplyError(f"cannot {change.action} {change.id}: {error}", hint="plan again") from error

    def review(
        self, facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
    ) -> tuple[Finding, ...]:
        return review(facts, after, changes)


class _NotAFile(Exception):
    """A link, a folder or something else stands where a file was."""


def path_of(state: State) -> str:
    return str(state.attributes["path"])


def look(host: Host, path: str) -> Found | None:
    """The file at a path, or None. Raises _NotAFile, and TooLong for one that no manifest could have made."""
    status = host.status(Path(path))
    if status is None:
        return None
    if status.type != "file":
        raise _NotAFile(f"{path} is no regular file any more but a {status.type}")
    data = host.read(Path(path), limit=LIMIT)
    return None if data is None else Found(data, status)


def _carry_out(host: Host, change: Change) -> None:
    reference = change.after or change.before
    if reference is None:
        return
    path = path_of(reference)
    try:
        now = look(host, path)
    except (_NotAFile, TooLong) as error:
        raise Conflict(f"cannot {change.action} {change.id}: {error}", where=path, hint="plan again") from error
    if _done(change, path, now):
        return
    before = None if now is None else now.as_seen_by(path, change.before or change.after)
    if before != change.before:
        cause = "it is not there any more" if now is None else "somebody changed it"
        raise Conflict(f"cannot {change.action} {change.id}: {cause}", where=path, hint="plan again")
    if change.after is None:
        host.remove(Path(path))
    elif change.exact:
        _write(host, path, from_note(change.exact))
    elif change.action is not Action.RELEASE:
        _write_wanted(host, path, change.after, now)


def _done(change: Change, path: str, now: Found | None) -> bool:
    """Whether the file stands already as the change would leave it."""
    if change.after is None or now is None:
        return now is None and change.after is None
    if change.exact:
        return now == from_note(change.exact)
    return now.as_seen_by(path, change.after) == change.after


def _write(host: Host, path: str, file: Found) -> None:
    status = file.status
    host.write(Path(path), file.data, mode=status.mode, owner=status.owner, group=status.group)


def _write_wanted(host: Host, path: str, wanted: State, now: Found | None) -> None:
    """Without a word in the manifest, a file keeps the owner that it has."""
    named, _, group = str(wanted.attributes.get("owner", "")).partition(":")
    owner = named or (now.status.owner if now else None)
    kept = group or (now.status.group if now else None)
    host.write(Path(path), data_of(wanted), mode=int(str(wanted.attributes["mode"]), 8), owner=owner, group=kept)
