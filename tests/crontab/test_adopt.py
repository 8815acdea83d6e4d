"""Adopt, release and moves between users: whose a line is changes, and every step back is exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.model.change import Action
from reconciler.model.errors import ApplyError, Conflict
from reconciler.model.state import Ownership

NewDesk = Callable[..., Any]
THEIRS = b"# head\n\n0 1 * * * theirs\n"


def test_adopt_takes_the_foreign_line_away_and_undo_puts_it_back(desk: Any) -> None:
    desk.table = b"# head\nA=b\n# my job\n0  5 * * * cd ~/x && job --fast\n# tail\n"
    before = desk.table
    state = desk.state("a", command=["job", "--fast"], workingDirectory="~/x", schedule="0 5 * * *")
    changes = desk.reach({"a": state}, adopt=["a"])
    assert [change.action for change in changes] == [Action.ADOPT]
    assert changes[0].before.attributes == {**state.attributes, "inherits": ["A"]}
    assert desk.table == (
        b"0 5 * * * : reconciler:Automation/a; cd ~/x || exit; exec job --fast\n# head\nA=b\n# my job\n# tail\n"
    )
    assert desk.program.count("install") == 1
    assert desk.plan({"a": state}) == []
    desk.apply(*changes)
    assert desk.program.count("install") == 1
    desk.undo(changes)
    assert desk.table == before
    desk.undo(changes)
    assert desk.table == before


def test_several_adoptions_in_one_batch_and_back(desk: Any) -> None:
    desk.table = b"0 1 * * * one\n0 2 * * * two\n\n0 3 * * * three\n# end\n"
    before = desk.table
    wanted = {name: desk.state(name, command=name) for name in ("one", "two", "three")}
    changes = desk.reach(wanted, adopt=list(wanted))
    assert set(desk.ours()) == set(wanted)
    desk.undo(changes)
    assert desk.table == before


def test_adopting_a_line_that_changed_meanwhile_is_a_conflict(desk: Any) -> None:
    desk.table = b"0 5 * * * job\n"
    changes = desk.plan({"a": desk.state("a", command="job")}, adopt=["a"])
    desk.table = b"0 6 * * * job\n"
    with pytest.raises(Conflict, match="no longer there as it was"):
        desk.apply(*changes)
    assert desk.table == b"0 6 * * * job\n"


def test_one_foreign_line_cannot_be_adopted_twice_in_a_batch(desk: Any) -> None:
    desk.table = b"0 5 * * * job\n"
    with pytest.raises(Conflict):
        desk.reach({name: desk.state(name, command="job") for name in "ab"}, adopt=["a", "b"])
    assert desk.table == b"0 5 * * * job\n"


def test_the_nearest_of_two_equal_foreign_lines_is_adopted(desk: Any) -> None:
    desk.table = b"0 5 * * * job\n# between\n0 5 * * * job\n"
    found = [o for o in desk.observe(a=desk.state("a", command="job")).found if o.ownership is Ownership.FOREIGN]
    desk.apply(desk.change(Action.ADOPT, "a", found[1], desk.state("a", command="job")))
    assert desk.table == b"0 6 * * * : reconciler:Automation/a; job\n0 5 * * * job\n# between\n"


def test_release_leaves_a_plain_line_in_place_and_undo_marks_it_again(desk: Any) -> None:
    state = desk.state("a", command=["say", "it's 5 %"], workingDirectory="~", environment={"K": "v"})
    desk.table = b"# one\n"
    desk.reach({"a": state})
    desk.table = desk.table.splitlines(keepends=True)[1] + desk.table.splitlines(keepends=True)[0] + b"# two\n"
    before = desk.table
    change = desk.release("a")
    assert desk.table == before.replace(b": reconciler:Automation/a; ", b"")
    assert desk.ours() == {}
    desk.apply(change)
    desk.undo([change])
    assert desk.table == before
    desk.undo([change])
    assert desk.table == before


def test_a_released_line_can_be_adopted_again(desk: Any) -> None:
    for command in (["say", "it's 5 %"], "printf '\\\\%s' x", "a | b"):
        state = desk.state("a", command=command, workingDirectory="~/x", environment={"K": "v"})
        desk.table = None
        desk.reach({"a": state})
        desk.release("a")
        desk.reach({"a": state}, adopt=["a"])
        assert desk.plan({"a": state}) == []


def test_releasing_a_line_that_is_gone_is_a_conflict(desk: Any) -> None:
    desk.reach({"a": desk.state("a")})
    item = desk.ours()["a"]
    desk.table = b"# nothing\n"
    with pytest.raises(Conflict, match="no longer there"):
        desk.apply(desk.change(Action.RELEASE, "a", item, item.state))


def test_moving_a_line_to_another_user_takes_it_from_the_first(new_desk: NewDesk) -> None:
    desk = new_desk(THEIRS, runs_as="root")
    desk.program.tables["bob"] = b"# of bob\n"
    desk.reach({"a": desk.state("a")})
    before = dict(desk.program.tables)
    desk.user = "bob"
    changes = desk.reach({"a": desk.state("a")})
    assert desk.program.tables == {
        "root": THEIRS,
        "bob": b"0 6 * * * : reconciler@root:Automation/a; exec true\n# of bob\n",
    }
    desk.apply(*changes)
    desk.undo(changes)
    assert desk.program.tables == before


def test_a_move_that_fails_half_way_is_taken_back(new_desk: NewDesk) -> None:
    desk = new_desk(THEIRS, runs_as="root")
    desk.program.tables["bob"] = b"# of bob\n"
    desk.reach({"a": desk.state("a")})
    before = dict(desk.program.tables)
    desk.user = "bob"
    changes = desk.plan({"a": desk.state("a")})
    desk.program.before("install", lambda: desk.program.answer("install", 1, b"disk full", times=0))
    desk.program.before(
        "install", lambda: desk.program.before("install", lambda: desk.program.answer("install", 1, b"disk full"))
    )
    with pytest.raises(ApplyError, match="disk full"):
        desk.apply(*changes)
    assert desk.program.tables == before
