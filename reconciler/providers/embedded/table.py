"""The definitions file: all entries in one table, and the same table with a batch of changes made. Pure.

One entry to a line, sorted by address: equal tables are equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change
from reconciler.model.data import canonical_text
from reconciler.model.errors import Conflict
from reconciler.model.state import State

VERSION = 1
LOADED = "loaded"  # false in a state: the definition is there, and no supervisor runs that would follow it
WRITTEN = "written"  # false in a state: the file is damaged or gone, and the supervisor's last good copy has it
MARKS = frozenset({LOADED, WRITTEN})  # what only a look adds to a state
KINDS = frozenset({"Automation", "Service"})

Table: TypeAlias = Mapping[ResourceId, State]


class Damaged(Exception):
    """The file is none of ours, or was damaged. The text says how."""


class Unknown(Damaged):
    """It has a format that another version of reconciler knows."""


def parse(raw: bytes | None) -> dict[ResourceId, State]:
    """The entries of a file. Raises Damaged for anything that we would not have written."""
    if raw is None:
        return {}
    try:
        found = json.loads(raw)
        if found["v"] != VERSION:
            raise Unknown(f"its format is {found['v']!r}, and this reconciler knows {VERSION}")
        entries = [(str(entry["id"]).partition("/"), State(dict(entry["state"]))) for entry in found["entries"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"it is no table of definitions ({type(error).__name__}: {error})") from error
    table = {ResourceId(kind, name): state for (kind, _, name), state in entries}
    if len(table) != len(entries) or {id_.kind for id_ in table} - KINDS:
        raise Damaged("it holds two definitions of one resource, or some of an unknown kind")
    return table


def spell(table: Table) -> bytes:
    """The bytes of a table."""
    lines = [canonical_text({"id": str(id_), "state": table[id_].attributes}) for id_ in sorted(table)]
    body = ",\n".join(lines)
    return f'{{"v":{VERSION},"entries":[\n{body}\n]}}\n'.encode()


def document(state: State) -> str:
    """One definition as people read it."""
    return json.dumps(bare(state).attributes, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def bare(state: State) -> State:
    """The state without what only a look at the supervisor can add."""
    if not MARKS & state.attributes.keys():
        return state
    return State({name: value for name, value in state.attributes.items() if name not in MARKS})


def outcome(table: Table, changes: Sequence[Change], path: str) -> dict[ResourceId, State]:
    """The table with these changes made. Raises Conflict where a `before` no longer stands."""
    found = dict(table)
    for change in changes:
        before, after = (None if state is None else bare(state) for state in (change.before, change.after))
        if change.action in (Action.ADOPT, Action.RELEASE):
            raise Conflict(f"cannot {change.action} {change.id}: a definition of the supervisor is always ours")
        now = found.get(change.id)
        if now == after:
            continue
        if now != before:
            cause = "somebody removed its definition" if now is None else "somebody changed its definition"
            raise Conflict(f"cannot {change.action} {change.id}: {cause}", where=path, hint="plan again")
        if after is None:
            del found[change.id]
        else:
            found[change.id] = after
    return found
