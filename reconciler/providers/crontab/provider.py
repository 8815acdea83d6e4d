"""The crontab provider: what the engine calls. Reads once, decides in pure functions, installs once per table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict, HostError, ObserveError, ReconcileError
from reconciler.model.frozen import dataclass
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, State
from reconciler.provider import Finding, Imported, Support, Supported, Unsupported, Wanted
from reconciler.providers.crontab import daemon, program
from reconciler.providers.crontab.canonical import canonical
from reconciler.providers.crontab.program import Listing
from reconciler.providers.crontab.table import Table
from reconciler.providers.crontab.users import mark_in, own_name, user_of, users_of, without_own_name
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
        return spelled(id, state, mark_in(user_of(state)))

    def unmarked(self, id: ResourceId, state: State, document: str) -> str:  # noqa: ARG002
        from reconciler.providers.crontab.line import unmarked

        return unmarked(document.encode(), mark_in(user_of(state))).decode()

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
            except ReconcileError as error:
                left = _take_back(host, done)
                if left and isinstance(error, Conflict):  # a Conflict would promise that nothing was written
                    places = " and ".join(program.place(host, item.listed.user) for item in left)
                    hint = f"the {places} could not be put back: look there, then plan again"
                    raise ApplyError(error.message, where=error.where, hint=hint) from error
                raise
            done.append(item)

    def review(
        self, facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
    ) -> tuple[Finding, ...]:
        from reconciler.providers.crontab.review import review

        return review(facts, after, changes)

    def health(self, host: Host, ids: Sequence[ResourceId]) -> str | None:  # noqa: ARG002
        return daemon.ABSENT if daemon.running(host) is False else None  # None: nobody could look

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
    try:
        listed = program.listing(host, user)
    except program.UnknownUser:
        # The table went with the account: what only takes lines out of it has nothing left to do.
        if bytes(outcome(program.parse(host, None, user), changes, user, program.place(host, user))):
            raise
        return None
    old = program.exact(host, listed)
    table: Table = program.parse(host, old, user)
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


def _take_back(host: Host, done: Sequence[_Replacement]) -> list[_Replacement]:
    """Put back the tables written so far in a batch that failed on a later one. Those that cannot be are returned."""
    left: list[_Replacement] = []
    for item in reversed(done):
        try:
            now = program.listing(host, item.listed.user)
            if program.stands(host, now, item.new):
                program.install(host, item.listed.user, now, item.old)
            elif now != item.listed:
                left.append(item)
        except ReconcileError:
            left.append(item)
    return left


def _exists(host: Host, path: Path) -> bool:
    try:
        return host.modified(path) is not None
    except HostError:
        return False
