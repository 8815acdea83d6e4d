"""The reference provider: a file of JSON lines on any host, shared with lines that other people wrote.

Small enough to read in one sitting, and it passes the whole conformance suite. `Note` is its only kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId, parse_address
from reconciler.model.change import Action, Change
from reconciler.model.data import Json
from reconciler.model.errors import Conflict, Hindered, HostError, ObserveError, UnsupportedSpec
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, Observed, Ownership, State
from reconciler.provider import Support, Supported, Wanted

MARK = "reconciler"


@dataclass(frozen=True, slots=True)
class _Line:
    """One line, without its newline. `id` is None where it carries no mark of ours."""

    raw: bytes
    id: ResourceId | None = None
    state: State | None = None


class MemoryProvider:
    """One `Note` a line, marked with its address. Whatever else stands in the file is left as it is."""

    name: ClassVar[str] = "memory"
    kinds: ClassVar[frozenset[str]] = frozenset({"Note"})
    lock: ClassVar[str | None] = "memory"

    def __init__(self, path: Path = Path("/memory/notes.jsonl")) -> None:
        self.path = path

    def probe(self, _host: Host) -> Support:
        return Supported()

    def canonical(self, resource: Resource) -> State:
        attributes = {name: value for name, value in resource.spec.items() if value is not None}
        try:
            json.dumps(attributes, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise UnsupportedSpec(f"cannot keep {resource.id}: it holds half a character ({error.reason})") from error
        return State(attributes)

    def document(self, id: ResourceId, state: State) -> str:
        entry = {MARK: str(id), "state": state.attributes}
        return json.dumps(entry, ensure_ascii=False, sort_keys=True)

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        try:
            lines = _parse(host.read(self.path) or b"", self.kinds)
        except HostError as error:
            raise ObserveError(f"cannot read the notes: {error.message}", hint=error.hint) from error
        found = [*self._ours(lines), *self._in_the_way(lines, wanted)]
        return Observation(tuple(sorted(found, key=lambda item: (item.id, item.where))), {"lines": len(lines)})

    def _ours(self, lines: Sequence[_Line]) -> list[Observed]:
        found: dict[ResourceId, Observed] = {}
        for index, line in enumerate(lines):
            if line.id is not None and line.state is not None:
                twice = f"{self._where(index)} is a second copy of it" if line.id in found else None
                first = found.get(line.id) or self._observed(line.id, line, index, line.state, Ownership.OURS)
                found[line.id] = first if twice is None else _troubled(first, twice)
        return list(found.values())

    def _in_the_way(self, lines: Sequence[_Line], wanted: Sequence[Wanted]) -> list[Observed]:
        ours = {line.id for line in lines}
        return [
            self._observed(one.id, line, index, State(foreign), Ownership.FOREIGN)
            for one in wanted
            if one.id not in ours
            for index, line in enumerate(lines)
            if line.id is None and (foreign := _entry(line.raw)) is not None
            if any(state is not None and state.attributes == foreign for state in (one.desired, one.applied))
        ]

    def _observed(self, id_: ResourceId, line: _Line, index: int, state: State, ownership: Ownership) -> Observed:
        text = line.raw.decode("utf-8")
        return Observed(id_, self.name, state, ownership, self._where(index), text, {"line": text, "index": index})

    def _where(self, index: int) -> str:
        return f"{self.path.name}, line {index + 1}"

    def batch(self, _change: Change) -> str | None:
        return "notes"

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        try:
            content = host.read(self.path) or b""
        except HostError as error:
            raise Hindered(f"cannot read the notes: {error.message}", hint=error.hint) from error
        edited = self._edited(content, changes)
        if edited == content:
            return
        try:
            host.write(self.path, edited)
        except HostError as error:
            raise Hindered(f"cannot write the notes: {error.message}", hint=error.hint) from error

    def _edited(self, content: bytes, changes: Sequence[Change]) -> bytes:
        """The file as it stands after the changes: replaced in place, taken out, then put in from the top."""
        lines = _parse(content, self.kinds)
        slots: dict[int, bytes | None] = {}
        inserts: list[tuple[int, bytes]] = []
        for change in changes:
            if not _is_done(lines, change):
                index, exact = _standing(lines, change), _exact(change)
                raw = self._raw(change, lines, index)
                if index is None and raw is not None:
                    inserts.append((exact[1] if exact else 0, raw))
                elif index in slots:
                    raise Conflict(f"cannot {change.action} {change.id}: another change of this batch takes its line")
                elif index is not None:
                    slots[index] = raw
        kept = [slots.get(index, line.raw) for index, line in enumerate(lines)]
        rows = [raw for raw in kept if raw is not None]
        for index, raw in sorted(inserts, key=lambda insert: insert[0]):
            rows.insert(index, raw)
        return b"\n".join(rows)

    def _raw(self, change: Change, lines: Sequence[_Line], index: int | None) -> bytes | None:
        exact = _exact(change)
        if change.after is None:
            return None
        if exact is not None:
            return exact[0].encode("utf-8")
        if change.action is Action.RELEASE and index is not None:
            state = lines[index].state
            return json.dumps(state.attributes if state else {}, ensure_ascii=False, sort_keys=True).encode("utf-8")
        return self.document(change.id, change.after).encode("utf-8")


def _parse(content: bytes, kinds: frozenset[str]) -> list[_Line]:
    """Every line, also the empty one after a last newline, so that joining them gives the same bytes back."""
    lines = []
    for raw in content.split(b"\n"):
        entry = _entry(raw)
        mark, state = (entry.get(MARK), entry.get("state")) if entry else (None, None)
        try:
            id_ = parse_address(mark) if isinstance(mark, str) else None
        except ValueError:
            id_ = None
        if id_ is not None and id_.kind not in kinds:
            id_ = None
        shown = State(state) if isinstance(state, Mapping) else State({"text": raw.decode("utf-8", "replace")})
        lines.append(_Line(raw, id_, shown) if id_ else _Line(raw))
    return lines


def _entry(raw: bytes) -> Mapping[str, Json] | None:
    """A line as a JSON object, or None where it is something else."""
    try:
        value = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _troubled(observed: Observed, trouble: str) -> Observed:
    from dataclasses import replace

    return replace(observed, trouble=trouble)


def _marked(lines: Sequence[_Line], id_: ResourceId) -> list[int]:
    return [index for index, line in enumerate(lines) if line.id == id_]


def _is_done(lines: Sequence[_Line], change: Change) -> bool:
    """Whether the file already is as the change would leave it."""
    marked = _marked(lines, change.id)
    if change.action is Action.RELEASE and change.after is not None:
        return not marked and _unmarked(lines, change.after) is not None
    if change.after is None:
        return not marked
    return len(marked) == 1 and lines[marked[0]].state == change.after


def _standing(lines: Sequence[_Line], change: Change) -> int | None:
    """The line that stands as `before` (None where there is to be none yet). Raises Conflict where it does not."""
    marked = _marked(lines, change.id)
    if change.action is Action.ADOPT and change.before is not None and not marked:
        exact = _exact(change)
        index = _unmarked(lines, change.before, exact[1] if exact else 0)
        if index is not None:
            return index
    elif change.before is None and not marked:
        return None
    elif len(marked) == 1 and lines[marked[0]].state == change.before:
        return marked[0]
    cause = "it is not there any more" if not marked else "somebody changed it"
    raise Conflict(f"cannot {change.action} {change.id}: {cause}", hint="plan again")


def _unmarked(lines: Sequence[_Line], state: State, near: int = 0) -> int | None:
    """The line of somebody else that says just this, the nearest one where several do."""
    same = [n for n, line in enumerate(lines) if line.id is None and _entry(line.raw) == state.attributes]
    return min(same, key=lambda index: abs(index - near), default=None)


def _exact(change: Change) -> tuple[str, int] | None:
    note = cast("Mapping[str, Json] | None", change.exact)
    return (str(note["line"]), int(str(note["index"]))) if note else None
