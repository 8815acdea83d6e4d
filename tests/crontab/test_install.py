"""Install: edits at the wrong moment, programs that fail or forget, and faults at every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.host.fake import Fault
from reconciler.model.errors import ApplyError, CommandTimeout, Conflict, HostError, ObserveError, ReconcileError

NewDesk = Callable[..., Any]
MIXED = b"# head\nMAILTO=me\n0 5 * * * /usr/bin/theirs\r\n# \\b stays\n"
THEIRS = b"# head\n\n0 1 * * * theirs\n"


def planned(desk: Any, **desired: Any) -> list[Any]:
    changes: list[Any] = desk.plan(desired)
    assert changes
    return changes


@pytest.mark.parametrize("operation", ["check", "list"])
def test_an_edit_between_reading_and_writing_is_a_conflict_with_nothing_written(desk: Any, operation: str) -> None:
    desk.table = THEIRS
    changes = planned(desk, a=desk.state("a"))

    def human() -> None:
        desk.table = THEIRS + b"# just now\n"

    if operation == "check":
        desk.program.before("check", human)
    else:
        desk.program.before("list", lambda: desk.program.before("list", human))
    with pytest.raises(Conflict, match="somebody edited it meanwhile"):
        desk.apply(*changes)
    assert desk.table == THEIRS + b"# just now\n"
    assert desk.program.count("install") == 0


def test_an_edit_just_after_the_install_is_an_error_that_promises_nothing_and_is_kept(desk: Any) -> None:
    desk.table = THEIRS
    changes = planned(desk, a=desk.state("a"))

    def human_after_install() -> None:
        desk.table += b"# just now\n"

    desk.program.before("install", lambda: desk.program.before("list", human_after_install))
    with pytest.raises(ApplyError, match="at the same moment, or `crontab` did not keep") as caught:
        desk.apply(*changes)
    assert "`crontab -l`" in (caught.value.hint or "")
    assert desk.table.endswith(b"# just now\n")


def test_a_program_that_keeps_something_else_is_caught(new_desk: NewDesk) -> None:
    desk = new_desk(THEIRS, runs_as="root", user="bob")
    changes = planned(desk, a=desk.state("a"))

    def spoil() -> None:
        desk.table = desk.table[:20] + b"\n"

    desk.program.before("install", lambda: desk.program.before("list", spoil))
    with pytest.raises(ApplyError, match="neither what it held before nor what was written") as caught:
        desk.apply(*changes)
    assert "`crontab -u bob -l`" in (caught.value.hint or "")


def test_a_table_that_cannot_be_read_back_after_the_install_is_an_error_of_the_apply(desk: Any) -> None:
    desk.table = THEIRS
    changes = planned(desk, a=desk.state("a"))
    desk.program.before("install", lambda: desk.program.answer("list", 1, b"crontab: error reading\n"))
    with pytest.raises(ApplyError, match="cannot tell whether the new crontab of tester was installed"):
        desk.apply(*changes)


def moving(new_desk: NewDesk) -> tuple[Any, list[Any]]:
    """A line about to move from root's table to bob's: two tables in one batch."""
    desk = new_desk(THEIRS, runs_as="root")
    desk.program.tables["bob"] = b"# of bob\n"
    desk.reach({"a": desk.state("a")})
    desk.user = "bob"
    return desk, desk.plan({"a": desk.state("a")})


def test_a_conflict_on_the_second_table_stays_one_where_the_first_is_put_back(new_desk: NewDesk) -> None:
    desk, changes = moving(new_desk)
    before = desk.program.tables["root"]
    desk.program.before("install", lambda: desk.program.tables.update(bob=b"# of bob, just now\n"))
    with pytest.raises(Conflict, match="crontab of bob: somebody edited it meanwhile"):
        desk.apply(*changes)
    assert desk.program.tables == {"root": before, "bob": b"# of bob, just now\n"}


def test_a_conflict_on_the_second_table_is_none_where_the_first_cannot_be_put_back(new_desk: NewDesk) -> None:
    desk, changes = moving(new_desk)

    def trouble() -> None:
        desk.program.tables["bob"] = b"# of bob, just now\n"
        desk.program.before("install", lambda: desk.program.answer("install", 1, b"disk full"))

    desk.program.before("install", trouble)
    with pytest.raises(ApplyError, match="crontab of bob: somebody edited it meanwhile") as caught:
        desk.apply(*changes)
    assert "crontab of root could not be put back" in (caught.value.hint or "")
    assert desk.program.tables["root"] == THEIRS


def test_a_program_that_keeps_nothing_is_caught(desk: Any) -> None:
    desk.table = THEIRS
    changes = planned(desk, a=desk.state("a"))
    desk.program.forgets = True
    with pytest.raises(ApplyError, match="accepted the table but did not keep it"):
        desk.apply(*changes)


def test_what_cron_says_against_a_table_is_quoted(desk: Any) -> None:
    changes = planned(desk, a=desk.state("a"))
    desk.program.answer("check", 1, b'"-":0: bad minute\nerrors in crontab file, can\'t install.\n')
    with pytest.raises(ApplyError, match='"-":0: bad minute; errors in crontab file') as caught:
        desk.apply(*changes)
    assert caught.value.message.startswith("cannot install the crontab of tester: ")
    assert caught.value.hint
    assert desk.table is None


def test_a_foreign_line_that_cron_refuses_is_kept_and_named(desk: Any) -> None:
    desk.table = b"garbage\n"
    with pytest.raises(ApplyError, match="bad minute"):
        desk.reach({"a": desk.state("a")})
    assert desk.table == b"garbage\n"


def test_a_missing_final_newline_is_not_repaired_behind_its_owners_back(new_desk: NewDesk) -> None:
    desk = new_desk(b"0 5 * * * theirs")
    with pytest.raises(ApplyError, match="missing newline") as caught:
        desk.reach({"a": desk.state("a")})
    assert "crontab -e" in (caught.value.hint or "")
    assert desk.table == b"0 5 * * * theirs"


def test_a_comment_without_final_newline_stays_the_last_line(desk: Any) -> None:
    desk.table = b"# head\n# no newline"
    changes = desk.reach({"a": desk.state("a")})
    assert desk.table.endswith(b"true\n# head\n# no newline")
    desk.undo(changes)
    assert desk.table == b"# head\n# no newline"


def test_an_install_that_fails_says_why_and_leaves_the_table(desk: Any) -> None:
    desk.table = THEIRS
    changes = planned(desk, a=desk.state("a"))
    desk.program.answer("install", 1, b"crontab: No space left on device\n")
    with pytest.raises(ApplyError, match="No space left on device"):
        desk.apply(*changes)
    assert desk.table == THEIRS


@pytest.mark.parametrize("before", [True, False])
def test_an_install_that_ends_in_trouble_counts_by_what_it_left(desk: Any, before: bool) -> None:
    """A timeout, for example: what stands in the table afterwards decides."""
    desk.table = THEIRS
    changes = planned(desk, a=desk.state("a"))
    desk.host.on_call(
        lambda call: desk.host._faults.update({call.number: _fault(before)}) if call.method == "execute" else None
    )
    if before:
        with pytest.raises(ApplyError, match="took too long"):
            desk.apply(*changes)
        assert desk.table == THEIRS
    else:
        desk.apply(*changes)
        assert set(desk.ours()) == {"a"}


def _fault(before: bool) -> Any:
    return Fault(CommandTimeout("cannot run crontab: it took too long"), before)


def test_a_table_that_cannot_be_read_is_never_written(desk: Any) -> None:
    desk.table = THEIRS
    changes = planned(desk, a=desk.state("a"))
    desk.program.answer("list", 1, b"crontab: error reading the table\n")
    with pytest.raises(ObserveError):
        desk.apply(*changes)
    assert desk.table == THEIRS
    assert desk.program.count("install", "remove") == 0


def test_a_fault_at_any_host_call_leaves_the_old_table_or_the_new_one(desk: Any) -> None:
    desk.table = MIXED
    old = desk.table
    changes = planned(desk, a=desk.state("a"), b=desk.state("b"))
    start = desk.host.calls
    desk.apply(*changes)
    new, calls = desk.table, desk.host.calls - start
    for number in range(1, calls + 1):
        for before in (True, False):
            desk.table = old
            desk.host.fail_at(number, HostError("cannot do it: a fault"), before=before)
            try:
                desk.apply(*changes)
            except ReconcileError:
                assert desk.table in (old, new)
            desk.host.heal()
            desk.apply(*changes)
            assert desk.table == new
