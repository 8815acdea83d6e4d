"""The systemd provider: what the engine calls. Everything else is imported when it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import HostError, ObserveError, ReconcileError
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, State
from reconciler.provider import Finding, Ills, Imported, Support, Supported, Unsupported, Wanted


class Systemd:
    """Holds automations as timers and services as service units. Stateless."""

    name: ClassVar[str] = "systemd"
    kinds: ClassVar[frozenset[str]] = frozenset({"Automation", "Service"})
    lock: ClassVar[str | None] = "systemd"

    def probe(self, host: Host) -> Support:
        from reconciler.providers.systemd.manager import SCOPES, Silent, ask, programs_missing
        from reconciler.providers.systemd.scopes import default_of

        missing = programs_missing(host)
        if missing is not None:
            return Unsupported(f"there is no `{missing}` program", "this needs systemd 250 or newer, and findutils")
        default = default_of(host)
        silent: list[Silent] = []
        for scope in (default, *(s for s in SCOPES if s != default and default == "system")):
            answer = ask(host, scope)
            if not isinstance(answer, Silent):
                return Supported()
            silent.append(answer)
        return Unsupported("; ".join(one.why for one in silent), "; or: ".join(one.hint for one in silent))

    def canonical(self, resource: Resource) -> State:
        from reconciler.providers.systemd.canonical import canonical

        return canonical(resource)

    def document(self, id: ResourceId, state: State) -> str:
        from reconciler.providers.systemd.units import document, render

        text = state.attributes.get("text")
        return text if isinstance(text, str) else document(render(id, state.attributes))

    def unmarked(self, id: ResourceId, state: State, document: str) -> str:  # noqa: ARG002
        from reconciler.providers.systemd.units import unmarked

        return unmarked(document.encode()).decode()

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        from reconciler.providers.systemd.observe import observe

        try:
            return observe(host, wanted)
        except HostError as error:
            raise ObserveError(f"cannot look at the units: {error.message}", hint=error.hint) from error

    def batch(self, change: Change) -> str | None:  # noqa: ARG002 - one reload and one start for them all
        return "systemd"

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        from reconciler.providers.systemd.carry import apply

        apply(host, changes)

    def review(
        self,
        facts: Mapping[str, Json],
        after: Mapping[ResourceId, State],  # noqa: ARG002
        changes: Sequence[Change],
    ) -> tuple[Finding, ...]:
        from reconciler.providers.systemd.review import review

        return review(facts, changes)

    def health(self, host: Host, ids: Sequence[ResourceId]) -> Ills:
        from reconciler.providers.systemd.health import health

        try:
            return health(host, ids) or None
        except ObserveError as error:
            return error.message

    def advice(self, host: Host) -> tuple[Finding, ...]:
        from reconciler.providers.systemd.health import advice

        return advice(host)

    def watch_paths(self, host: Host) -> tuple[str, ...]:
        from reconciler.providers.systemd.scopes import managers

        try:
            return tuple(manager.folder for manager in managers(host, {}).values())
        except ReconcileError:
            return ()

    def foreign(self, host: Host, user: str | None) -> tuple[Imported, ...]:
        from reconciler.providers.systemd.importer import foreign

        return foreign(host, user)
