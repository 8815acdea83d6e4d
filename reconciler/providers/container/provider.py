"""The container provider: what the engine calls. One list of containers per look, one batch per apply."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import Hindered, HostError, ObserveError
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, State
from reconciler.provider import Described, Finding, Ills, Imported, Support, Supported, Unsupported, Wanted
from reconciler.providers.container.api import Engine
from reconciler.providers.container.sockets import NoEngine, find
from reconciler.providers.container.spec import ID, canonical, document


class Container:
    """Keeps services as containers of a Docker Engine or of Podman. Stateless."""

    name: ClassVar[str] = "container"
    kinds: ClassVar[frozenset[str]] = frozenset({"Service"})
    lock: ClassVar[str | None] = "container"

    def __init__(self, environ: Mapping[str, str] | None = None, workers: int = 0) -> None:
        """`workers` is how many containers are changed at once; 0: as many as serves an engine well."""
        self._environ = os.environ if environ is None else environ
        self._workers = workers

    def probe(self, host: Host) -> Support:
        """Asks no engine: one that is down is not the same as none, and `observe` says so."""
        try:
            find(host, self._environ)
        except (NoEngine, HostError) as error:
            return Unsupported(error.message, error.hint)
        return Supported()

    def canonical(self, resource: Resource) -> State:
        return canonical(resource)

    def document(self, id: ResourceId, state: State) -> str:
        return document(id, state)

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        from reconciler.providers.container.look import observe

        try:
            return observe(self._engine(host), wanted)
        except (NoEngine, HostError) as error:
            raise self._unseen(host, error) from error

    def batch(self, change: Change) -> str | None:  # noqa: ARG002
        """All together: one list, each image once, and containers are made side by side."""
        return "container"

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        from reconciler.providers.container.batch import WORKERS, carry_out

        home = self._environ.get("HOME") or "/root"
        try:
            carry_out(self._engine(host), changes, home, self._workers or WORKERS)
        except (NoEngine, HostError) as error:
            what = str(changes[0].id) if len(changes) == 1 else f"{len(changes)} containers"
            raise Hindered(f"cannot change {what}: {error.message}", hint=error.hint) from error

    def review(
        self,
        facts: Mapping[str, Json],
        after: Mapping[ResourceId, State],
        changes: Sequence[Change],
    ) -> tuple[Finding, ...]:
        from reconciler.providers.container.review import review

        return review(facts, after, changes)

    def health(self, host: Host, ids: Sequence[ResourceId]) -> Ills:
        from reconciler.providers.container.health import health

        try:
            return health(self._engine(host), ids) or None
        except (NoEngine, HostError) as error:
            return f"its container cannot be looked at: {error.message}"

    def sweep(self, host: Host, changes: Sequence[Change]) -> None:
        from reconciler.providers.container.tidy import sweep

        try:
            sweep(self._engine(host), changes)
        except (NoEngine, HostError) as error:
            raise Hindered(f"cannot remove old containers: {error.message}", hint=error.hint) from error

    def keeps(self, host: Host, change: Change) -> bool:
        from reconciler.providers.container.tidy import keeps

        try:
            return keeps(self._engine(host), change)
        except (NoEngine, HostError) as error:
            raise self._unseen(host, error) from error

    def remains(self, host: Host) -> tuple[str, ...]:
        from reconciler.providers.container.tidy import remains

        try:
            return remains(self._engine(host))
        except (NoEngine, HostError) as error:
            raise self._unseen(host, error) from error

    def foreign(self, host: Host, user: str | None) -> tuple[Imported, ...]:  # noqa: ARG002
        from reconciler.providers.container.importer import foreign

        try:
            return foreign(self._engine(host), ID)
        except (NoEngine, HostError) as error:
            raise self._unseen(host, error) from error

    def _unseen(self, host: Host, error: NoEngine | HostError) -> ObserveError:
        """What a look at the containers ended with, and at which socket."""
        try:
            where = f"the socket {find(host, self._environ)}"
        except (NoEngine, HostError):
            where = None
        return ObserveError(f"cannot look at the containers: {error.message}", where=where, hint=error.hint)

    def described(self, host: Host, file: Described) -> tuple[Imported, ...]:
        from reconciler.providers.container.compose.file import compose

        return compose(host, file, self._environ)

    def _engine(self, host: Host) -> Engine:
        return Engine(host, find(host, self._environ), self._environ)
