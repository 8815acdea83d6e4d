"""Apply: one install for a batch, exact undo, and nothing written when anything is not as planned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.model.change import Action
from reconciler.model.errors import Conflict

NewDesk = Callable[..., Any]
THEIRS = b"# head\n\n0 1 * * * theirs\n"


def test_a_batch_costs_one_install(desk: Any) -> None:
    desk.table = THEIRS
    desk.reach({f"job-{n:03}": desk.state(f"job-{n:03}") for n in range(50)})
    assert desk.program.count("install") == 1
    assert desk.table.count(b": reconciler:Automation/job-") == 50
    assert desk.table.endswith(THEIRS)


def test_create_update_and_delete_in_one_batch(desk: Any, foreign: Callable[[bytes], bytes]) -> None:
    desk.table = THEIRS
    desk.reach({"a": desk.state("a"), "b": desk.state("b")})
    before = desk.table
    changes = desk.reach({"b": desk.state("b", schedule="@daily"), "c": desk.state("c")})
    assert [change.action for change in changes] == [Action.DELETE, Action.UPDATE, Action.CREATE]
    assert foreign(desk.table) == THEIRS
    assert set(desk.ours()) == {"b", "c"}
    desk.undo(changes)
    assert desk.table == before


def test_applying_again_installs_nothing(desk: Any) -> None:
    desk.table = THEIRS
    changes = desk.reach({"a": desk.state("a")})
    desk.apply(*changes)
    assert desk.program.count("install") == 1


def test_undoing_again_installs_nothing(desk: Any) -> None:
    desk.table = THEIRS
    desk.reach({"a": desk.state("a")})
    changes = desk.reach({"a": desk.state("a", command=["other"])})
    desk.undo(changes)
    count = desk.program.count("install")
    desk.undo(changes)
    assert desk.program.count("install") == count


def test_undo_of_the_first_create_leaves_no_crontab_behind(desk: Any) -> None:
    changes = desk.reach({"a": desk.state("a")})
    desk.undo(changes)
    assert desk.table is None
    assert desk.program.count("remove") == 1


@pytest.mark.parametrize("theirs", [b"\n", b"#\n", b" \n", b"A=b\n"])
def test_a_table_with_any_foreign_byte_is_never_removed(desk: Any, theirs: bytes) -> None:
    desk.table = theirs
    desk.reach({"a": desk.state("a")})
    desk.reach({})
    assert desk.table == theirs
    assert desk.program.count("remove") == 0


def test_deleting_the_last_of_our_lines_and_undoing_it(desk: Any) -> None:
    desk.reach({"a": desk.state("a")})
    before = desk.table
    changes = desk.reach({})
    assert desk.table is None
    desk.undo(changes)
    assert desk.table == before


def test_an_update_stays_where_the_line_stands(desk: Any) -> None:
    desk.table = b"# one\n" + b"0 6 * * * : reconciler:Automation/a; exec true\n" + b"# two\nA=b\n"
    desk.reach({"a": desk.state("a", command=["x"])})
    assert desk.table == b"# one\n0 6 * * * : reconciler:Automation/a; exec x\n# two\nA=b\n"


def test_a_line_that_slipped_below_an_environment_line_rises_and_undo_takes_it_back(desk: Any) -> None:
    desk.reach({"a": desk.state("a"), "b": desk.state("b")})
    first, second = desk.table.splitlines(keepends=True)
    desk.table = first + b"PATH=/evil\n# x\n" + second + b"# y\n"
    before = desk.table
    changes = desk.reach({"a": desk.state("a"), "b": desk.state("b")})
    assert [change.action for change in changes] == [Action.UPDATE]
    assert desk.table == first + second + b"PATH=/evil\n# x\n# y\n"
    desk.undo(changes)
    assert desk.table == before


def test_a_tampered_line_is_healed_and_undo_brings_the_tampering_back(desk: Any) -> None:
    desk.table = b"# x\n0  6 * * * : reconciler:Automation/a;  exec true \xff\t\n# y\n"
    before = desk.table
    changes = desk.reach({"a": desk.state("a")})
    assert desk.table == b"# x\n0 6 * * * : reconciler:Automation/a; exec true\n# y\n"
    desk.undo(changes)
    assert desk.table == before


def test_undo_in_a_table_that_moved_on_keeps_the_neighbours(desk: Any) -> None:
    desk.table = b"# one\n# two\n0 6 * * * : reconciler:Automation/a; exec true\n# three\n"
    changes = desk.reach({})
    desk.table = b"# new\n" + desk.table.replace(b"# three", b"# 3")
    desk.undo(changes)
    assert desk.table == b"# new\n# one\n# two\n0 6 * * * : reconciler:Automation/a; exec true\n# 3\n"


def test_a_line_is_not_put_back_below_an_environment_line_that_came_since(desk: Any) -> None:
    desk.table = b"# one\n0 6 * * * : reconciler:Automation/a; exec true\n"
    changes = desk.reach({})
    desk.table = b"PATH=/evil\n" + desk.table
    desk.undo(changes)
    assert desk.table == b"0 6 * * * : reconciler:Automation/a; exec true\nPATH=/evil\n# one\n"


def planned(desk: Any, **desired: Any) -> list[Any]:
    changes: list[Any] = desk.plan(desired)
    assert changes
    return changes


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda t: t.replace(b"exec true", b"exec mine"), "somebody changed line 1"),
        (lambda t: b"A=b\n" + t, "somebody changed line 2"),
        (lambda t: t + t, "lines 1 and 2 both carry its mark"),
        (lambda t: b"# gone\n", "somebody removed its line"),
    ],
)
def test_an_update_of_a_line_that_changed_meanwhile_is_a_conflict(
    desk: Any, edit: Callable[[bytes], bytes], says: str
) -> None:
    desk.reach({"a": desk.state("a")})
    changes = planned(desk, a=desk.state("a", schedule="@daily"))
    desk.table = edit(desk.table)
    before, installs = desk.table, desk.program.count("install")
    with pytest.raises(Conflict, match=says) as caught:
        desk.apply(*changes)
    assert caught.value.where == "crontab of tester"
    assert desk.table == before
    assert desk.program.count("install") == installs


def test_one_conflict_stops_the_whole_batch(desk: Any) -> None:
    desk.reach({"a": desk.state("a")})
    changes = planned(desk, a=desk.state("a", schedule="@daily"), b=desk.state("b"))
    desk.table = desk.table.replace(b"exec true", b"exec mine")
    before = desk.table
    with pytest.raises(Conflict):
        desk.apply(*changes)
    assert desk.table == before


def test_creating_what_somebody_else_created_meanwhile_is_a_conflict(desk: Any) -> None:
    changes = planned(desk, a=desk.state("a"))
    desk.table = b"0 7 * * * : reconciler:Automation/a; exec other\n"
    with pytest.raises(Conflict, match="line 1 already carries its mark"):
        desk.apply(*changes)


def test_deleting_a_line_that_changed_is_a_conflict_and_a_missing_one_is_done(desk: Any) -> None:
    desk.table = THEIRS
    desk.reach({"a": desk.state("a")})
    changes = desk.plan({})
    ours = desk.table
    desk.table = ours.replace(b"exec true", b"exec mine")
    with pytest.raises(Conflict, match="somebody changed line 1"):
        desk.apply(*changes)
    desk.table = THEIRS
    desk.apply(*changes)
    assert desk.table == THEIRS


def test_each_user_has_a_batch_of_its_own(desk: Any, new_desk: NewDesk) -> None:
    other = new_desk(user="bob", runs_as="root")
    mine, theirs = desk.plan({"a": desk.state("a")}), other.plan({"a": other.state("a")})
    assert desk.provider.batch(mine[0]) == "crontab:"
    assert desk.provider.batch(theirs[0]) == "crontab:bob"


def test_apples_header_is_not_installed_again(new_desk: NewDesk) -> None:
    header = (
        b"# DO NOT EDIT THIS FILE - edit the master and reinstall.\n# (- installed on x)\n# (Cron version -- y)\n"
    )
    desk = new_desk(header + THEIRS, platform="darwin", debian=False)
    take = desk.program._take

    def take_like_apple(user: str, table: bytes, *, keep: bool) -> Any:
        return take(user, header + table, keep=keep)

    desk.program._take = take_like_apple
    changes = desk.reach({"a": desk.state("a")})
    assert desk.table.startswith(header + b"0 6 * * * : reconciler")
    assert desk.table.count(b"DO NOT EDIT") == 1
    desk.undo(changes)
    assert desk.table == header + THEIRS


@pytest.mark.parametrize("debian", [True, False])
def test_control_characters_of_others_survive_the_listing_that_hides_them(new_desk: NewDesk, debian: bool) -> None:
    theirs = b"# bell \x07 back \b literal \\b \\r\r\n0 5 * * * job\r\n"
    desk = new_desk(theirs, debian=debian)
    changes = desk.reach({"a": desk.state("a", command=["grep", "\\brx\\r"])})
    assert desk.table.endswith(theirs)
    desk.undo(changes)
    assert desk.table == theirs


def test_a_program_of_another_family_is_never_given_the_dry_run_option(new_desk: NewDesk) -> None:
    desk = new_desk(THEIRS, debian=False)
    desk.reach({"a": desk.state("a")})
    assert desk.program.count("check", "edit") == 0
    assert set(desk.ours()) == {"a"}
