"""One change of a batch: what stands is checked, then containers are made, moved aside, or brought back.

At every point an engine either holds the container as it was, or what it takes to bring it back: the old one is
renamed and stopped, never removed, before its successor has proven itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar, cast

from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict, Hindered, HostError, ReconcileError
from reconciler.model.state import State
from reconciler.providers.container import tidy
from reconciler.providers.container.api import Engine, Refusal
from reconciler.providers.container.look import foreign_state
from reconciler.providers.container.make import check, ensure_image, ensure_networks
from reconciler.providers.container.rows import NEW, OLD, RUNS, Row, half_made, listed, made, note, state_of, unnoted
from reconciler.providers.container.running import grace_of, ports_of, run_as, start, stop
from reconciler.providers.container.spec import DIGEST, HOLDER, ID, RELEASED, as_made, body, collide, marks

SERVER_TROUBLE = 500  # from this status on the engine speaks of itself, and not of what it was given
T = TypeVar("T")


class Work:
    """One change and the containers that it is about. Where it `makes` one, `image` is to be set before `run`."""

    def __init__(
        self, engine: Engine, change: Change, home: str, rows: Sequence[Row], tags: Mapping[str, str]
    ) -> None:
        self.change, self.image = change, ""
        self._engine, self._home = engine, home
        self._tags, self._rows = tags, rows
        mine = [row for row in rows if row.owner == change.id]
        self._standing = [row for row in mine if row.stands]
        self._fresh = [row for row in rows if half_made(row) == str(change.id)]
        self._kept = [row for row in mine if OLD in row.name]
        self._astray = [r for r in self._kept if r.runs and change.after is None and not self._standing]
        self._squatter = next((r for r in rows if r.name == change.id.name and r.owner != change.id), None)
        self._undoing = change.cause is Cause.UNDO
        self._noted = cast("Mapping[str, str]", change.exact or unnoted(change, rows) or {})
        self._stood = cast("Mapping[str, Json]", change.restore or {}).get("id")
        self._exact = next((row for row in rows if row.id == self._noted.get("id")), None)

    @property
    def _main(self) -> Row | None:
        return self._standing[0] if self._standing else None

    @property
    def _left(self) -> frozenset[int]:
        """Ports of containers that have ended, or do so for this change: an engine may give them back late."""
        own = (*self._standing, *self._fresh, *self._kept, self._squatter, self._exact)
        ended = (row for row in self._rows if row.owner is not None and not row.runs)
        return ports_of([row for row in (*own, *ended) if row is not None])

    # What stands

    def done(self) -> bool:
        main, after = self._main, self.change.after
        if self.change.action is Action.RELEASE:
            there = self._squatter
            back = not self._exact or (there is self._exact and there.runs == (self._noted["status"] in RUNS))
            return main is None and there is not None and not self._fresh and back
        if after is None:
            return main is None and not self._astray
        if self._fresh and self._undoing:
            return False
        return len(self._standing) == 1 and main is not None and state_of(main, self.change.id, self._tags) == after

    def expect(self) -> None:
        """Raises Conflict where `before` does not stand."""
        main, before = self._main, self.change.before
        if len(self._standing) > 1:
            raise self._conflict(f"{' and '.join(row.name for row in self._standing)} both carry its mark")
        if main is None:
            self._expect_absent()
            return
        if self._undoing and main is self._exact:
            return
        if self.change.action is Action.ADOPT or before is None:
            raise self._conflict(f"the container {main.name} already carries its mark")
        if self._undoing and (main.digest == as_made(before).digest or self._fresh):
            return  # how well it runs is not the question when it is taken back
        if state_of(main, self.change.id, self._tags) != before:
            raise self._conflict(f"somebody changed the container {main.name}")
        if self._squatter is not None:
            raise self._conflict(f"another container is called {self._squatter.name}")

    def _expect_absent(self) -> None:
        before = self.change.before
        midway = bool(self._astray) or (self._undoing and bool(self._fresh or self._exact))
        if self.change.action is Action.ADOPT:
            if (there := self._squatter) is not None and there.held and ID in there.labels:
                raise self._conflict(f"the reconciler of {there.labels[HOLDER]} holds it; release it there")
            if midway and (there is None or RELEASED in there.labels or there.id == self._stood):
                return
            if there is None or (before is not None and foreign_state(self._engine, there) != before):
                raise self._conflict("the container to take over is no longer there as it was")
        elif before is not None and not midway:
            raise self._conflict("somebody removed its container")
        elif self._squatter is not None and not midway:
            raise self._conflict(f"a container of somebody else is called {self._squatter.name}")

    def _conflict(self, cause: str) -> Conflict:
        change = self.change
        hint = f"look at it with `docker ps --all --filter name={change.id.name}`, then plan again"
        return Conflict(
            f"cannot {change.action} {change.id}: {cause}", where=f"container {change.id.name}", hint=hint
        )

    # What is done

    @property
    def after(self) -> State:
        return self.change.after or State({})

    @property
    def makes(self) -> bool:
        """Whether a new container will be made."""
        change, main = self.change, self._main
        if change.after is None or self._exact is not None:
            return False
        return main is None or not self._repairable(main, change.after)

    @property
    def wish(self) -> tuple[Json, Json]:
        """What it wants of an image: its name, and when to fetch it."""
        return self.after.attributes.get("image"), self.after.attributes.get("pull")

    @property
    def networks(self) -> Sequence[str]:
        return cast("Sequence[str]", self.after.attributes.get("networks", ()))

    @property
    def leaves(self) -> bool:
        """Whether something may be left over, to be removed once the change stands."""
        return bool(self._fresh or self._undoing)

    def attempt(self, step: Callable[[], T]) -> T:
        """The result of a step; trouble with the engine becomes a failure of this change."""
        try:
            return step()
        except HostError as error:
            sort = ApplyError if isinstance(error, Refusal) and error.status < SERVER_TROUBLE else Hindered
            raise sort(f"cannot {self.change.action} {self.change.id}: {error.message}", hint=error.hint) from error

    def run(self) -> None:
        """All or nothing: what fails half-way is taken back before the error is raised."""
        try:
            self.attempt(self._do)
        except ApplyError as error:
            self.take_back()
            error.where = error.where or f"container {self.change.id.name}"
            raise

    def _do(self) -> None:
        change, main = self.change, self._main
        if self._exact is not None:
            self._bring_back(self._exact)
        elif change.after is None:
            self._remove(main)
        elif main is not None and not self.makes:
            self._repair(main, change.after)
        else:
            self._replace(main or self._squatter, change.after)

    def take_back(self) -> None:
        """After a failure: the inverse of this change. Its own trouble is not the one to show."""
        change = self.change
        if self._undoing:
            return  # the engine goes on with an undo by itself
        stood = self._main or (self._squatter if change.action is Action.ADOPT else None)
        known = change if change.restore or stood is None else replace(change, restore=note(stood))
        with suppress(ReconcileError):
            back = Work(self._engine, known.inverse(), self._home, listed(self._engine), self._tags)
            if not back.done():
                back.expect()
                if back.makes:
                    back.image = ensure_image(self._engine, back.after)
                    ensure_networks(self._engine, back.networks)
                back._do()
            tidy.after(self._engine, [back.change])

    def _remove(self, main: Row | None) -> None:
        for row in self._astray:  # a process died before it was stopped, or before it had its name again
            stop(self._engine, row)
        if main is not None and self._gone_for_good(main):
            stop(self._engine, main)
            self._engine.remove(main.id)
        elif main is not None:
            self._set_aside(main)

    def _repairable(self, main: Row, after: State) -> bool:
        if self.change.exact or self.change.action is Action.RELEASE:
            return False  # nothing short of another container will do
        stands = state_of(main, self.change.id, self._tags)
        odd = stands.attributes.keys() - after.attributes.keys() - {"status", "name"}
        same = made(main) == after and not odd and as_made(stands) == after
        return same and main.status not in ("dead", "removing")

    def _repair(self, main: Row, after: State) -> None:
        """The right container, stopped, paused or renamed by somebody."""
        if main.name != self.change.id.name:
            self._engine.rename(main.id, self.change.id.name)
        if main.status == "paused":
            self._engine.unpause(main.id)
        elif not main.runs:
            self._start(main.id)
            check(self._engine, main.id, after)

    def _replace(self, old: Row | None, after: State) -> None:
        """A new container in the place of the old one, which is kept. It starts first where both can run at once."""
        engine, name = self._engine, self.change.id.name
        for row in self._fresh:
            engine.remove(row.id)
        for row in self._kept:  # a process that died may have left one running
            stop(engine, row)
        new = self._make(after)
        origin = None if old is None else made(old)
        early = old is None or (origin is not None and not collide(origin, after))
        if early:
            self._start(new)
            check(engine, new, after)
        if old is not None:
            self._set_aside(old)
        engine.rename(new, name)
        if not early:
            self._start(new, old)
            check(engine, new, after)

    def _make(self, after: State) -> str:
        id_ = self.change.id
        released = self.change.action is Action.RELEASE
        labels = marks(id_, after, self.image, self._engine.holder, released=released)
        new = self._engine.create(f"{id_.name}{NEW}{as_made(after).digest[:12]}", body(after, labels, self._home))
        for network in cast("list[str]", after.attributes.get("networks", []))[1:]:
            self._engine.connect(network, new)
        return new

    def _bring_back(self, exact: Row) -> None:
        """The very container that stood before, in one step; what took its place goes."""
        name, status = self._noted["name"], self._noted["status"]
        other = next((row for row in (self._main, self._squatter) if row and row.id != exact.id), None)
        if other is not None:
            self._vacate(other)
        alone = other is None and not self._fresh
        if not alone and exact.name != name:
            self._engine.rename(exact.id, name)
        for row in self._fresh:
            stop(self._engine, row)
        away = [*([other] if other else []), *self._fresh]
        run_as(self._engine, exact, status, self._left, lambda: self._make_way(away))
        if alone and exact.name != name:
            self._engine.rename(exact.id, name)
        if other is not None and self._gone_for_good(other):
            self._engine.remove(other.id)

    def _start(self, id_: str, old: Row | None = None) -> None:
        start(self._engine, id_, self._left, lambda: self._make_way([old] if old else []))

    def _make_way(self, away: Sequence[Row]) -> None:
        """What comes back although it was stopped holds the port: it is removed where it goes anyway."""
        for row in away:
            if self._gone_for_good(row):
                self._engine.remove(row.id)
            else:
                self._engine.stop(row.id, grace_of(row))

    def _gone_for_good(self, other: Row) -> bool:
        ours = other.owner == self.change.id or other.labels.get(RELEASED) == str(self.change.id)
        return self._undoing and ours and other.id != self._stood

    def _vacate(self, other: Row) -> None:
        """Out of the name, and findable as half of an undo until the old one runs."""
        if self._gone_for_good(other):
            digest = other.labels.get(DIGEST, other.id)[:12]
            stop(self._engine, other)
            self._engine.rename(other.id, f"{self.change.id.name}{NEW}{digest}")
        else:
            self._set_aside(other)

    def _set_aside(self, row: Row) -> None:
        """Stopped, under another name.

        A deletion renames first: wherever a process dies, it is told from a container that ended by itself. Docker
        cannot rename one that it is just starting again; then, and where a successor tells, it is stopped first.
        """
        aside = f"{self.change.id.name}{OLD}{row.id[:12]}"
        if self.change.after is None and row.status != "restarting":
            with suppress(Refusal):
                self._engine.rename(row.id, aside)
                stop(self._engine, row)
                return
        stop(self._engine, row)
        self._engine.rename(row.id, aside)
