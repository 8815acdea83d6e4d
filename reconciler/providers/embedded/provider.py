"""The embedded provider: what the engine calls. It writes one file; the supervisor does what stands in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict, HostError, ObserveError
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, Observed, Ownership, State
from reconciler.provider import Finding, Ills, Support, Supported, Unsupported, Wanted
from reconciler.providers.embedded import control
from reconciler.providers.embedded.table import (
    LOADED,
    MARKS,
    WRITTEN,
    Damaged,
    Unknown,
    bare,
    document,
    outcome,
    parse,
    spell,
)


class Embedded:
    """Holds automations and services as definitions of the supervisor that comes with reconciler. Stateless."""

    name: ClassVar[str] = "embedded"
    kinds: ClassVar[frozenset[str]] = frozenset({"Automation", "Service"})
    lock: ClassVar[str | None] = "embedded"

    def probe(self, host: Host) -> Support:
        platform = host.facts().platform
        if platform not in ("linux", "darwin"):
            return Unsupported(f"the embedded supervisor does not run on {platform}")
        return Supported()

    def canonical(self, resource: Resource) -> State:
        from reconciler.providers.embedded.canonical import canonical

        return canonical(resource)

    def document(self, id: ResourceId, state: State) -> str:  # noqa: ARG002
        return document(state)

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        try:
            where = control.site(host)
            table, why = _standing(host, where, host.read(where.definitions))
            runs = not table or control.status(host, where) is not None
        except HostError as error:
            raise ObserveError(f"cannot look at the supervisor: {error.message}", hint=error.hint) from error
        except Damaged as error:
            hint = "no service ends for that; remove the file, and apply the whole tree: that writes it anew"
            raise ObserveError(f"cannot use {where.definitions}: {error}", hint=hint) from error
        items = {item.id: item for item in wanted}
        path = str(where.definitions)
        marks = [mark for mark, missing in ((LOADED, not runs), (WRITTEN, bool(why))) if missing]
        idle = why or ("" if runs else "the embedded supervisor does not run")
        shown = {id_: _marked(state, marks, items.get(id_)) for id_, state in sorted(table.items())}
        found = tuple(
            Observed(
                id_, self.name, state, Ownership.OURS, f"{path}, {id_}", document(state),
                idle=idle if state != table[id_] else "",
            )
            for id_, state in shown.items()
        )  # fmt: skip
        return Observation(found, {"runs": runs})

    def batch(self, change: Change) -> str | None:  # noqa: ARG002 - one file holds them all
        return "embedded"

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        """One write for the whole batch, then the supervisor runs by it."""
        try:
            where = control.site(host)
            raw = host.read(where.definitions)
            before, _ = _standing(host, where, raw)
            table = outcome(before, changes, str(where.definitions))
            if raw is None and not before and not table and host.status(where.children) is None:
                return
            new = spell(table)
            if new != raw:
                _write(host, where, raw, new)
            undone = {mark for change in changes if change.after for mark in MARKS & change.after.attributes.keys()}
            if LOADED in undone:
                control.stop(host, where)  # none ran before
            else:
                _settle(host, where, new)
            if (WRITTEN in undone or not table) and host.read(where.definitions) == new:
                host.remove(where.definitions)  # the supervisor has read it: that it goes now says nothing new
        except Damaged as error:
            raise Conflict(f"cannot change {where.definitions}: {error}", hint="nothing was written") from error
        except HostError as error:
            raise ApplyError(
                f"cannot change the definitions of the supervisor: {error.message}", hint=error.hint
            ) from error

    def review(
        self,
        facts: Mapping[str, Json],  # noqa: ARG002
        after: Mapping[ResourceId, State],  # noqa: ARG002
        changes: Sequence[Change],
    ) -> tuple[Finding, ...]:
        from reconciler.providers.embedded.review import review

        return review(changes)

    def health(self, host: Host, ids: Sequence[ResourceId]) -> Ills:
        from reconciler.providers.embedded.health import health

        return health(host, ids)

    def watch_paths(self, host: Host) -> tuple[str, ...]:
        return (str(control.site(host).definitions),)


def _standing(host: Host, where: control.Site, raw: bytes | None) -> tuple[dict[ResourceId, State], str]:
    """What the supervisor is to run, and why its file does not say so: its last good copy does. Raises Damaged."""
    try:
        if raw is not None:
            return parse(raw), ""
        why = f"{where.definitions} is gone"
    except Unknown:
        raise
    except Damaged as error:
        if host.status(where.accepted) is None:
            raise
        why = f"{where.definitions} cannot be used: {error}"
    table = parse(host.read(where.accepted))
    return table, why if table else ""


def _marked(state: State, marks: Sequence[str], item: Wanted | None) -> State:
    """Not followed or not written, where it was applied and is still wanted; else the crash came before that."""
    if item is None or item.desired is None or bare(item.desired) != state:
        return state
    found = {mark: False for mark in marks if mark in item.desired.attributes or item.applied == state}
    return State({**state.attributes, **found}) if found else state


def _write(host: Host, where: control.Site, raw: bytes | None, new: bytes) -> None:
    if host.status(where.folder) is None:
        made = host.execute(["mkdir", "-p", "-m", "700", str(where.folder)], timeout=control.LOOK)
        if made.code != 0:
            raise ApplyError(f"cannot make {where.folder}: {made.stderr.decode('utf-8', 'replace').strip()}")
    if host.read(where.definitions) != raw:
        raise Conflict(f"cannot change {where.definitions}: somebody edited it meanwhile", hint="plan again")
    host.write(where.definitions, new)


def _settle(host: Host, where: control.Site, new: bytes) -> None:
    """The supervisor runs by what was written, or it is said why it does not."""
    found = control.reload(host, where)
    if found.get("refused"):
        raise ApplyError(f"the supervisor refuses its definitions: {found['refused']}")
    if found.get("digest") != control.digest(new):
        raise ApplyError("the supervisor runs by other definitions than were written", hint="plan again")
