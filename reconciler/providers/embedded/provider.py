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
from reconciler.providers.embedded.table import LOADED, Damaged, bare, document, outcome, parse, spell


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
            raw = host.read(where.definitions)
            table = parse(raw)
            runs = not table or control.status(host, where) is not None
        except HostError as error:
            raise ObserveError(f"cannot look at the supervisor: {error.message}", hint=error.hint) from error
        except Damaged as error:
            hint = "the supervisor goes on by its last good copy; remove the file, and apply writes it anew"
            raise ObserveError(f"cannot use {where.definitions}: {error}", hint=hint) from error
        items = {item.id: item for item in wanted}
        path = str(where.definitions)
        shown = {id_: state if runs else _idle(state, items.get(id_)) for id_, state in sorted(table.items())}
        found = tuple(
            Observed(id_, self.name, state, Ownership.OURS, f"{path}, {id_}", document(state))
            for id_, state in shown.items()
        )
        return Observation(found, {"runs": runs})

    def batch(self, change: Change) -> str | None:  # noqa: ARG002 - one file holds them all
        return "embedded"

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        """One write for the whole batch, then the supervisor runs by it."""
        try:
            where = control.site(host)
            raw = host.read(where.definitions)
            new = spell(outcome(parse(raw), changes, str(where.definitions)))
            if new != raw:
                _write(host, where, raw, new)
            if any(change.after is not None and LOADED in change.after.attributes for change in changes):
                control.stop(host, where)  # an undo: none ran before
            elif new is not None or new != raw or host.status(where.children) is not None:
                _settle(host, where, new)
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


def _idle(state: State, item: Wanted | None) -> State:
    """What is defined and not run, where it was applied and is still wanted; else the crash came before the start."""
    if item is None or item.desired is None:
        return state
    if bare(item.desired) == state and (LOADED in item.desired.attributes or item.applied == state):
        return State({**state.attributes, LOADED: False})
    return state


def _write(host: Host, where: control.Site, raw: bytes | None, new: bytes | None) -> None:
    if new is not None and host.status(where.folder) is None:
        made = host.execute(["mkdir", "-p", "-m", "700", str(where.folder)], timeout=control.LOOK)
        if made.code != 0:
            raise ApplyError(f"cannot make {where.folder}: {made.stderr.decode('utf-8', 'replace').strip()}")
    if host.read(where.definitions) != raw:
        raise Conflict(f"cannot change {where.definitions}: somebody edited it meanwhile", hint="plan again")
    if new is None:
        host.remove(where.definitions)
    else:
        host.write(where.definitions, new)


def _settle(host: Host, where: control.Site, new: bytes | None) -> None:
    """The supervisor runs by what was written, or it is said why it does not."""
    found = control.reload(host, where)
    if found.get("refused"):
        raise ApplyError(f"the supervisor refuses its definitions: {found['refused']}")
    if found.get("digest") != control.digest(new):
        raise ApplyError("the supervisor runs by other definitions than were written", hint="plan again")
