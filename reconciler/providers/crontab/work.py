"""What a batch of changes does to one table: each `before` is checked, then edits are made. Pure.

Writes nothing; `provider` installs the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change
from reconciler.model.data import Json
from reconciler.model.errors import Conflict
from reconciler.model.state import State
from reconciler.providers.crontab.foreign import jobs, state_of
from reconciler.providers.crontab.line import Mark, attributes, marked, render, unmarked
from reconciler.providers.crontab.table import Edit, Spot, Table, edit, spot_of
from reconciler.providers.crontab.users import users_of


def standing(table: Table, position: int) -> dict[str, Json]:
    """The attributes, without the user, of our line at a position."""
    found = attributes(table.lines[position].raw, table.mark)
    inherited = table.environment(position) if position > table.top else None
    if inherited:
        found["inherits"] = sorted(inherited)
    return found


def bare(state: State) -> dict[str, Json]:
    """A state's attributes without the user: the table itself says whose it is."""
    return {name: value for name, value in state.attributes.items() if name != "user"}


def restore_data(table: Table, position: int, spot: Spot, user: str) -> dict[str, Json]:
    """What puts a line back exactly. Latin-1 carries any byte through JSON."""
    return {
        "user": user,
        "line": table.lines[position].raw.decode("latin-1"),
        **dict(zip(Spot._fields, spot, strict=True)),
    }


def outcome(table: Table, changes: Sequence[Change], user: str, place: str) -> Table:
    """The table with these changes made. Raises Conflict, naming the line, where a `before` no longer stands.

    `user` is whose table this is, as states name it; a change that moves a line between users touches two tables.
    """
    batch = _Batch(table, user, place)
    for change in changes:
        batch.add(change)
    return batch.table()


class _Batch:
    """The edits of one batch on one table, while they are collected."""

    def __init__(self, table: Table, user: str, place: str) -> None:
        self._before = table
        self._user = user
        self._place = place
        self._edits: list[Edit] = []
        self._exact: dict[int, Change] = {}  # edits that put a line back where it was
        self._taken: set[int] = set()  # foreign lines that an adoption of this batch takes

    def table(self) -> Table:
        """The outcome. A line put back where it was rises to the top if it would now mean something else there."""
        table = edit(self._before, self._edits)
        for index, change in self._exact.items():
            after = cast(State, change.after)
            if standing(table, table.ours[change.id][0]) != bare(after):
                self._edits[index] = self._afresh(self._edits[index].position, change.id, after)._replace(rise=True)
        return edit(self._before, self._edits)

    def add(self, change: Change) -> None:
        position = self._position(change)
        if change.action is Action.ADOPT:
            self._adopt(change, position)
        elif change.action is Action.RELEASE:
            self._release(change, position)
        elif change.after is None or _moves_from(change, self._user):
            self._remove(change, position)
        elif change.before is None or _moves_to(change, self._user):
            self._create(change, position)
        else:
            self._update(change, position)

    def _position(self, change: Change) -> int | None:
        positions = self._before.ours.get(change.id, [])
        if len(positions) > 1:
            lines = " and ".join(str(self._before.number(position)) for position in positions)
            raise self._conflict(change, f"lines {lines} both carry its mark", "remove all but one of them")
        return positions[0] if positions else None

    def _is(self, position: int, state: State | None) -> bool:
        return state is not None and standing(self._before, position) == bare(state)

    def _create(self, change: Change, position: int | None) -> None:
        if position is None:
            self._put(None, change)
        elif not self._is(position, change.after):
            raise self._conflict(change, f"line {self._before.number(position)} already carries its mark")

    def _update(self, change: Change, position: int | None) -> None:
        if position is None:
            raise self._conflict(change, "somebody removed its line")
        if self._is(position, change.after):
            return
        self._expect(change, position)
        self._put(position, change)

    def _remove(self, change: Change, position: int | None) -> None:
        if position is not None:
            self._expect(change, position)
            self._edits.append(Edit(position, None))

    def _expect(self, change: Change, position: int) -> None:
        if not self._is(position, change.before):
            raise self._conflict(change, f"somebody changed line {self._before.number(position)}")

    def _put(self, position: int | None, change: Change) -> None:
        """One line of ours in, where it was before if `exact` says so and it would still mean the same there."""
        after = cast(State, change.after)
        noted = _exact(change)
        if noted is not None and marked(noted[0], self._before.mark) == change.id:
            self._exact[len(self._edits)] = change
            self._edits.append(Edit(position, *noted))
        else:
            self._edits.append(self._afresh(position, change.id, after))

    def _afresh(self, position: int | None, id_: ResourceId, after: State) -> Edit:
        rise = position is not None and position > self._before.top and "inherits" not in after.attributes
        return Edit(position, spelled(id_, after, self._before.mark).encode("utf-8") + b"\n", rise=rise)

    def _adopt(self, change: Change, position: int | None) -> None:
        if position is not None:
            if not self._is(position, change.after):
                raise self._conflict(change, f"line {self._before.number(position)} already carries its mark")
            return
        foreign = self._foreign(change)
        if foreign is None:
            raise self._conflict(change, "the line to take over is no longer there as it was")
        if marked(self._before.lines[foreign].raw, self._before.mark.other) is not None:
            raise self._conflict(change, "another reconciler holds the line to take over", "release it there first")
        self._taken.add(foreign)
        self._edits.append(Edit(foreign, None))
        self._put(None, change)

    def _foreign(self, change: Change) -> int | None:
        """The foreign line that a change takes over (or has given up), nearest to where it was."""
        known = change.restore or change.exact
        data = cast("Mapping[str, Json]", known) if known else {}
        noted = cast(str, data.get("line", "")).encode("latin-1")
        raw = unmarked(noted, self._before.mark).removesuffix(b"\n")
        near = cast(int, data.get("gap", 0))
        lines = enumerate(self._before.lines)
        found = [i for i, line in lines if raw and line.id is None and line.raw.removesuffix(b"\n") == raw]
        if not found and change.before is not None and not known:
            wanted = bare(change.before)
            same = ((job.position, state_of(self._before, job, "", change.after)) for job in jobs(self._before))
            found = [position for position, state in same if bare(state) == wanted]
        found = [position for position in found if position not in self._taken]
        foreign = {position: gap for gap, position in enumerate(self._before.foreign_positions)}
        return min(found, key=lambda position: abs(foreign[position] - near), default=None)

    def _release(self, change: Change, position: int | None) -> None:
        if position is None:
            if self._foreign(_turned(change)) is None:
                raise self._conflict(change, "its line is no longer there")
            return
        self._expect(change, position)
        noted = _exact(change)
        if noted is not None:
            self._edits.append(Edit(position, noted[0], noted[1]))
        else:
            self._edits.append(Edit(position, unmarked(self._before.lines[position].raw, self._before.mark)))

    def _conflict(
        self, change: Change, cause: str, hint: str = "look at it with `crontab -l`, then plan again"
    ) -> Conflict:
        return Conflict(f"cannot {change.action} {change.id}: {cause}", where=self._place, hint=hint)


def _exact(change: Change) -> tuple[bytes, Spot] | None:
    if not change.exact:
        return None
    data = cast("Mapping[str, Json]", change.exact)
    return cast(str, data["line"]).encode("latin-1"), spot_of(data)


def _turned(change: Change) -> Change:
    """A release seen as what it leaves behind: the exact line, or its own without the mark."""
    from dataclasses import replace

    return replace(change, restore=change.exact or change.restore, exact=None)


def spelled(id_: ResourceId, state: State, mark: Mark) -> str:
    """Our line for a state, without its newline; one that we could not parse is spelled as its text says."""
    text = state.attributes.get("text")
    return text if isinstance(text, str) else render(id_, state.attributes, mark)


def _moves(change: Change) -> bool:
    return len(users_of(change)) == 2


def _moves_from(change: Change, user: str) -> bool:
    return _moves(change) and user == users_of(change)[0]


def _moves_to(change: Change, user: str) -> bool:
    return _moves(change) and user == users_of(change)[1]
