"""The crontab provider: what the engine calls. Reads once, decides in pure functions, installs once per table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import Conflict, HostError, ObserveError, ReconcileError
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, State
from reconciler.provider import Finding, Imported, Support, Supported, Unsupported, Wanted
from reconciler.providers.crontab import daemon, program
from reconciler.providers.crontab.canonical import canonical
from reconciler.providers.crontab.program import Listing
from reconciler.providers.crontab.table import Table
from reconciler.providers.crontab.users import own_name, users_of, without_own_name
from reconciler.providers.crontab.work import outcome, spelled

_SPOOLS = (Path("/var/spool/cron/crontabs"), Path("/var/spool/cron"), Path("/usr/lib/cron/tabs"))


class Crontab:
    """Holds automations as lines of crontabs. Stateless."""

    name: ClassVar[str] = "crontab"
    kinds: ClassVar[frozenset[str]] = frozenset({"Automation"})
    lock: ClassVar[str | None] = "crontab"

    def probe(self, host: Host) -> Support:
        if host.which("crontab") is None:
            return Unsupported("there is no `crontab` program", "install cron, for example `apt-get install cron`")
        return Supported()

    def canonical(self, resource: Resource) -> State:
        return canonical(resource)

    def document(self, id: ResourceId, state: State) -> str:
        return spelled(id, state)

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        from reconciler.providers.crontab.look import observe

        try:
            return observe(host, wanted)
        except HostError as error:
            raise ObserveError(f"cannot look at the crontabs: {error.message}", hint=error.hint) from error

    def batch(self, change: Change) -> str | None:
        return f"crontab:{users_of(change)[-1]}"

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        """All tables are read and every outcome is known before the first is written."""
        own = own_name(host)
        pending = [
            replacement for user, mine in _by_user(changes, own) if (replacement := _prepare(host, user, mine))
        ]
        for item in pending:
            if item.new is not None:
                program.check(host, item.listed.user, item.new)
        done: list[_Replacement] = []
        for item in pending:
            try:
                _install(host, item)
            except ReconcileError:
                _take_back(host, done)
                raise
            done.append(item)

    def review(
        self, facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
    ) -> tuple[Finding, ...]:
        from reconciler.providers.crontab.review import review

        return review(facts, after, changes)

    def health(self, host: Host, ids: Sequence[ResourceId]) -> str | None:  # noqa: ARG002
        return None if daemon.running(host) else daemon.ABSENT

    def watch_paths(self, host: Host) -> tuple[str, ...]:
        return tuple(str(path) for path in _SPOOLS if _exists(host, path))

    def foreign(self, host: Host, user: str | None) -> tuple[Imported, ...]:
        from reconciler.providers.crontab.importer import foreign

        return foreign(host, user)


@dataclass(frozen=True, slots=True)
class _Replacement:
    """One table to be written. `old` and `new` are its bytes; None means that there is no crontab."""

    listed: Listing
    old: bytes | None
    new: bytes | None


def _by_user(changes: Sequence[Change], own: str) -> list[tuple[str, list[Change]]]:
    """The changes of each table. A table that loses a line to another comes first: a crash never leaves it twice."""
    groups: dict[str, list[Change]] = {}
    for change in (without_own_name(change, own) for change in changes):
        for user in users_of(change):
            groups.setdefault(user, []).append(change)
    return list(groups.items())


def _prepare(host: Host, user: str, changes: Sequence[Change]) -> _Replacement | None:
    listed = program.listing(host, user)
    old = program.exact(host, listed)
    table: Table = program.parse(host, old)
    new = bytes(outcome(table, changes, user, program.place(host, user)))
    if new == bytes(table):
        return None
    # A table that holds nothing any more did not exist before our first line came, as far as anyone can tell.
    return _Replacement(listed, bytes(table) if old is not None else None, new or None)


def _install(host: Host, item: _Replacement) -> None:
    user = item.listed.user
    if program.listing(host, user) != item.listed:
        raise Conflict(
            f"cannot change the {program.place(host, user)}: somebody edited it meanwhile",
            hint="nothing was written; plan again",
        )
    program.install(host, user, item.listed, item.new)


def _take_back(host: Host, done: Sequence[_Replacement]) -> None:
    """Put back the tables written so far in a batch that failed on a later one; its error is the one to show."""
    for item in reversed(done):
        try:
            now = program.listing(host, item.listed.user)
            if program.stands(host, now, item.new):
                program.install(host, item.listed.user, now, item.old)
        except ReconcileError:
            continue


def _exists(host: Host, path: Path) -> bool:
    try:
        return host.modified(path) is not None
    except HostError:
        return False
