"""Two reconcilers on one table, its owner's and root's: each knows its own lines, and leaves the other's alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.change import Action, Danger
from reconciler.model.errors import Conflict
from reconciler.model.state import Ownership

NewDesk = Callable[..., Any]
BOBS = b"0 5 * * * : reconciler:Automation/a; exec job\n"  # written by bob's own reconciler
ROOTS = b"0 5 * * * : reconciler@root:Automation/a; exec job\n"  # written by root's


def as_root(new_desk: NewDesk, table: bytes | None) -> Any:
    return new_desk(table, runs_as="root", user="bob")


def as_bob(new_desk: NewDesk, table: bytes | None) -> Any:
    return new_desk(table, runs_as="bob")


def test_what_root_writes_for_another_user_says_so(new_desk: NewDesk) -> None:
    desk = as_root(new_desk, b"# of bob\n")
    changes = desk.reach({"a": desk.state("a", command=["job"], schedule="0 5 * * *")})
    assert desk.table == ROOTS + b"# of bob\n"
    assert desk.plan({"a": desk.state("a", command=["job"], schedule="0 5 * * *")}) == []
    desk.undo(changes)
    assert desk.table == b"# of bob\n"


@pytest.mark.parametrize("runs_as", ["tester", "root"])
@pytest.mark.parametrize("named", [True, False])
def test_ones_own_table_keeps_the_plain_mark_however_one_names_oneself(
    new_desk: NewDesk, runs_as: str, named: bool
) -> None:
    desk = new_desk(runs_as=runs_as, user=runs_as if named else "")
    desk.reach({"a": desk.state("a", command=["job"], schedule="0 5 * * *")})
    assert desk.table == BOBS


@pytest.mark.parametrize(("desk_of", "theirs"), [(as_root, BOBS), (as_bob, ROOTS)])
def test_an_automation_of_the_same_name_stays_when_the_other_reconciler_comes_and_goes(
    new_desk: NewDesk, foreign: Callable[..., bytes], desk_of: Callable[..., Any], theirs: bytes
) -> None:
    desk = desk_of(new_desk, theirs)
    assert desk.ours() == {}
    assert desk.ours(a=desk.state("a", command=["other"])) == {}
    for command in (["other"], ["third"]):
        desk.reach({"a": desk.state("a", command=command)})
        assert desk.table.endswith(theirs)
        assert set(desk.ours(a=desk.state("a"))) == {"a"}
    changes = [_deleted(desk)]
    assert desk.table == theirs
    desk.undo(changes)
    assert desk.table.endswith(theirs)


def _deleted(desk: Any) -> Any:
    """By hand: root looks into the table of bob only where something names him."""
    item = desk.ours(a=desk.state("a"))["a"]
    change = desk.change(Action.DELETE, "a", item, None)
    desk.apply(change)
    return change


@pytest.mark.parametrize(("desk_of", "theirs"), [(as_root, BOBS), (as_bob, ROOTS)])
def test_a_line_of_the_other_reconciler_is_a_running_job(
    new_desk: NewDesk, desk_of: Callable[..., Any], theirs: bytes
) -> None:
    desk = desk_of(new_desk, theirs)
    wanted = {"b": desk.state("b", command=["job"])}
    observation = desk.observe(**wanted)
    (item,) = observation.found
    assert item.ownership is Ownership.FOREIGN
    assert item.state.attributes["command"] == ["job"]
    after = {desk.id("b"): wanted["b"]}
    (finding,) = desk.provider.review(observation.facts, after, desk.plan(wanted))
    assert finding.hazard is not None
    assert finding.hazard.danger is Danger.DOUBLE_RUN
    assert "reconcile release" in (finding.hint or "")


@pytest.mark.parametrize(
    ("desk_of", "theirs", "holder"), [(as_root, BOBS, "reconciler of bob"), (as_bob, ROOTS, "reconciler of root")]
)
def test_a_line_of_the_other_reconciler_cannot_be_adopted(
    new_desk: NewDesk, desk_of: Callable[..., Any], theirs: bytes, holder: str
) -> None:
    desk = desk_of(new_desk, theirs)
    wanted = {"b": desk.state("b", command=["job"])}
    changes = desk.plan(wanted, adopt=["b"])
    facts = desk.observe(**wanted).facts
    finding = desk.provider.review(facts, {desk.id("b"): wanted["b"]}, changes)[0]
    assert finding.hazard is None
    assert holder in finding.message
    with pytest.raises(Conflict, match="another reconciler holds"):
        desk.apply(*changes)
    assert desk.table == theirs


@pytest.mark.parametrize(("desk_of", "theirs"), [(as_root, BOBS), (as_bob, ROOTS)])
def test_release_takes_only_ones_own_mark_away(new_desk: NewDesk, desk_of: Callable[..., Any], theirs: bytes) -> None:
    desk = desk_of(new_desk, theirs)
    desk.reach({"a": desk.state("a", command=["mine"])})
    before = desk.table
    item = desk.ours(a=desk.state("a"))["a"]
    change = desk.change(Action.RELEASE, "a", item, item.state)
    desk.apply(change)
    assert desk.table == b"0 6 * * * exec mine\n" + theirs
    desk.undo([change])
    assert desk.table == before


@pytest.mark.parametrize(("desk_of", "theirs"), [(as_root, BOBS), (as_bob, ROOTS)])
def test_a_line_of_the_other_reconciler_is_not_imported(
    new_desk: NewDesk, desk_of: Callable[..., Any], theirs: bytes
) -> None:
    desk = desk_of(new_desk, theirs)
    (item,) = desk.provider.foreign(desk.host, desk.user or None)
    assert item.manifest is None
    assert "another reconciler holds it" in (item.why or "")


def test_a_line_that_moves_to_another_user_and_back_changes_its_mark(new_desk: NewDesk) -> None:
    desk = new_desk(None, runs_as="root")
    desk.program.tables["bob"] = BOBS
    desk.reach({"a": desk.state("a", command=["mine"])})
    before = dict(desk.program.tables)
    desk.user = "bob"
    changes = desk.reach({"a": desk.state("a", command=["mine"])})
    assert desk.program.tables == {"bob": b"0 6 * * * : reconciler@root:Automation/a; exec mine\n" + BOBS}
    desk.undo(changes)
    assert desk.program.tables == before


def test_the_announced_line_is_the_one_that_stands(new_desk: NewDesk) -> None:
    desk = as_root(new_desk, None)
    state = desk.state("a", command="a | b", environment={"K": "v"})
    desk.reach({"a": state})
    item = desk.ours(a=state)["a"]
    assert item.state == state
    assert item.document == desk.provider.document(desk.id("a"), state)
    assert item.document.encode() + b"\n" == desk.table


def test_a_bent_line_of_root_is_healed_and_undo_brings_it_back(new_desk: NewDesk) -> None:
    bent = b"0 5 * * *  : reconciler@root:Automation/a;  exec job \xff\n"
    desk = as_root(new_desk, b"# x\n" + bent + BOBS)
    state = desk.state("a", command=["job"], schedule="0 5 * * *")
    changes = desk.reach({"a": state})
    assert desk.table == b"# x\n" + ROOTS + BOBS
    desk.undo(changes)
    assert desk.table == b"# x\n" + bent + BOBS


def test_a_foreign_line_that_only_quotes_a_mark_can_be_adopted(new_desk: NewDesk) -> None:
    """Its bytes are no mark: nothing may be cut out of them on the way."""
    desk = as_bob(new_desk, b"0 6 * * * echo ': reconciler:Automation/x; y'\n")
    before = desk.table
    changes = desk.reach({"a": desk.state("a", command=["echo", ": reconciler:Automation/x; y"])}, adopt=["a"])
    assert set(desk.ours()) == {"a"}
    desk.undo(changes)
    assert desk.table == before


def test_restore_data_with_the_mark_of_the_other_reconciler_never_brings_back_its_line(new_desk: NewDesk) -> None:
    """A journal is only data: what it holds must not make a line that we would not know again."""
    desk = as_root(new_desk, b"# x\n")
    state = desk.state("a", command=["job"], schedule="0 5 * * *")
    desk.reach({"a": state})
    deleted = _deleted(desk)
    noted = {**deleted.restore, "line": BOBS.decode()}
    desk.undo([replace(deleted, restore=noted)])
    assert desk.table == ROOTS + b"# x\n"
