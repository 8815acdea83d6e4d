"""Observe: every line of ours in every table asked for, and foreign lines that run what a wanted resource would.

Reads only. What leaves here about foreign lines is digests, save for a line that stands in a wanted one's way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.data import Json, bytes_digest
from reconciler.model.job import unwrapped
from reconciler.model.state import Observation, Observed, Ownership, State
from reconciler.provider import Wanted
from reconciler.providers.crontab import daemon, program
from reconciler.providers.crontab.foreign import Job, facts_of, jobs, key, state_of
from reconciler.providers.crontab.line import show
from reconciler.providers.crontab.table import Spot
from reconciler.providers.crontab.users import own_name, refuse_others, table_user, user_of
from reconciler.providers.crontab.work import bare, restore_data, standing

PROVIDER = "crontab"


def observe(host: Host, wanted: Sequence[Wanted]) -> Observation:
    """One look at one's own table and at those of all users named in `wanted`."""
    own = own_name(host)
    states = {item.id: state for item in wanted if (state := item.desired or item.applied) is not None}
    named = {user_of(state) for item in wanted for state in (item.desired, item.applied) if state is not None}
    for user in sorted(named):
        refuse_others(user, own)
    ours: dict[ResourceId, list[Observed]] = {}
    looks: list[_Look] = []
    notices: list[str] = []
    needed = {table_user(user_of(item.desired), own) for item in wanted if item.desired is not None}
    for user in sorted({"", *(table_user(user, own) for user in named)}):
        try:
            look = _Look(host, user, own, states)
        except program.UnknownUser:
            if user in needed:
                raise
            given_up = [item.id for item in wanted if item.applied is not None and user_of(item.applied) == user]
            notices += [_given_up(user, given_up)] if given_up else []
            continue  # the table went with the account, and nobody asks for anything in it any more
        looks.append(look)
        for item in look.ours():
            ours.setdefault(item.id, []).append(item)
    found = [_one(items) for items in ours.values()]
    missing = [item for item in wanted if item.desired is not None and item.id not in ours]
    for look in looks:
        found += look.in_the_way(missing)
    users: dict[str, Json] = {look.user: look.facts() for look in looks}
    facts: dict[str, Json] = {"daemon": daemon.running(host), "own": own, "users": users}
    return Observation(tuple(found), facts, tuple(notices))


def _given_up(user: str, ids: Sequence[ResourceId]) -> str:
    return (
        f"There is no account {user} any more, so nobody can read its crontab: {', '.join(map(str, sorted(ids)))} is "
        "given up. A line that is left in the spool of cron runs again if the account comes back."
    )


def _one(items: Sequence[Observed]) -> Observed:
    """One observation for an id; two lines for it are trouble."""
    if len(items) == 1:
        return items[0]
    from dataclasses import replace

    places = " and ".join(item.where for item in items)
    return replace(items[0], trouble=f"two lines carry the mark of {items[0].id}: {places}")


class _Look:
    """One table, read once (twice where its listing hides what must be known exactly)."""

    def __init__(self, host: Host, user: str, own: str, states: Mapping[ResourceId, State]) -> None:
        self.user = user
        self._host = host
        self._own = own
        self._states = states
        self._place = program.place(host, user)
        self._listed = program.listing(host, user)
        self._table = program.parse(host, self._listed.content, user)
        self._exact = not self._listed.ambiguous
        self._spots: tuple[Spot, ...] = ()
        self._jobs: tuple[Job, ...] = jobs(self._table)

    def ours(self) -> list[Observed]:
        """Every line that carries our mark."""
        if not self._table.ours:
            return []
        held = [(p, line.id, standing(self._table, p)) for p, line in enumerate(self._table.lines) if line.id]
        self._be_exact_about(p for p, id_, attributes in held if not self._as_wanted(id_, attributes))
        return [
            self._observed(p, id_, State({"user": self._label(id_), **attributes}), Ownership.OURS)
            for p, id_, attributes in held
        ]

    def in_the_way(self, missing: Sequence[Wanted]) -> list[Observed]:
        """Foreign lines that run what a wanted resource, which is not there yet, would run."""
        if not self._jobs:
            return []
        by_key: dict[str, list[Job]] = {}
        for job in self._jobs:
            by_key.setdefault(job.key, []).append(job)
        pairs = [
            (job, item.id, item.desired)
            for item in missing
            if item.desired is not None and table_user(user_of(item.desired), self._own) == self.user
            for job in by_key.get(key(unwrapped(item.desired).attributes.get("command", "")), ())
            if job.same_as(item.desired)
        ]
        self._be_exact_about(job.position for job, _, _ in pairs)
        return [
            self._observed(
                job.position, id_, state_of(self._table, job, self._label(id_), desired), Ownership.FOREIGN
            )
            for job, id_, desired in pairs
        ]

    def facts(self) -> dict[str, Json]:
        """What a review needs to know about this table."""
        foreign = self._table.foreign
        return {
            "exists": self._listed.content is not None,
            "foreign": len(foreign),
            "lines": len(self._table.lines),
            "digest": bytes_digest(b"".join(foreign)),
            "jobs": facts_of(self._table, self._jobs),
        }

    def _as_wanted(self, id_: ResourceId, attributes: Mapping[str, Json]) -> bool:
        return id_ in self._states and bare(self._states[id_]) == attributes

    def _label(self, id_: ResourceId) -> str:
        """The user as the wanted state names it, so that naming oneself is no difference."""
        wanted = user_of(self._states[id_]) if id_ in self._states else ""
        return wanted if self.user == "" and wanted == self._own else self.user

    def _observed(self, position: int, id_: ResourceId, state: State, ownership: Ownership) -> Observed:
        if not self._spots:
            self._spots = tuple(self._table.spots())
        return Observed(
            id=id_,
            provider=PROVIDER,
            state=state,
            ownership=ownership,
            where=f"{self._place}, line {self._table.number(position)}",
            document=show(self._table.lines[position].raw.removesuffix(b"\n")),
            restore=restore_data(self._table, position, self._spots[position], self.user),
        )

    def _be_exact_about(self, positions: Iterable[int]) -> None:
        """Read the table's own bytes where the listing may hide some of these lines."""
        if self._exact or not any(program.hides(self._table.lines[position].raw) for position in positions):
            return
        self._table = program.parse(self._host, program.exact(self._host, self._listed), self.user)
        self._exact = True
        self._spots = ()
