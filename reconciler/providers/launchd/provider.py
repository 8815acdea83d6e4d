"""The launchd provider: what the engine calls. Everything heavy is imported where it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import Hindered, HostError, ObserveError
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, State
from reconciler.provider import Finding, Ills, Imported, Support, Supported, Unsupported, Wanted


class Launchd:
    """Holds automations and services as agents and daemons. Stateless."""

    name: ClassVar[str] = "launchd"
    kinds: ClassVar[frozenset[str]] = frozenset({"Automation", "Service"})
    lock: ClassVar[str | None] = "launchd"

    def probe(self, host: Host) -> Support:
        if host.which("launchctl") is None:
            return Unsupported("there is no `launchctl` program: launchd is part of macOS")
        return Supported()

    def canonical(self, resource: Resource) -> State:
        from reconciler.providers.launchd.canonical import canonical

        return canonical(resource)

    def document(self, id: ResourceId, state: State) -> str:
        from reconciler.providers.launchd.definition import document

        return document(id, state)

    def unmarked(self, id: ResourceId, state: State, document: str) -> str:  # noqa: ARG002
        from reconciler.providers.launchd.definition import unmarked_text

        return unmarked_text(document)

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        from reconciler.providers.launchd.look import observe

        try:
            return observe(host, wanted)
        except HostError as error:
            raise ObserveError(f"cannot look at launchd: {error.message}", hint=error.hint) from error

    def batch(self, change: Change) -> str | None:  # noqa: ARG002
        """Each alone: labels do not depend on each other, and one that drains slowly has its own time."""
        return None

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        """Every precondition is checked before the first write."""
        from reconciler.providers.launchd.session import session
        from reconciler.providers.launchd.work import Work

        try:
            here = session(host)
            work = [Work(host, here, change) for change in changes]
            for one in work:
                one.check()
            for one in work:
                one.carry_out()
        except HostError as error:
            raise Hindered(f"cannot change launchd: {error.message}", hint=error.hint) from error

    def review(
        self, facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
    ) -> tuple[Finding, ...]:
        from reconciler.providers.launchd.review import review

        return review(facts, after, changes)

    def health(self, host: Host, ids: Sequence[ResourceId]) -> Ills:
        from reconciler.providers.launchd.health import health

        try:
            return health(host, ids) or None
        except HostError as error:
            return f"launchd cannot be asked: {error.message}"

    def watch_paths(self, host: Host) -> tuple[str, ...]:
        from reconciler.providers.launchd.session import session

        try:
            here = session(host)
        except HostError:
            return ()
        return (str(here.folder(here.scope)),)

    def foreign(self, host: Host, user: str | None) -> tuple[Imported, ...]:
        from reconciler.providers.launchd.importer import foreign

        return foreign(host, user)
