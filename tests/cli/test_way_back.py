"""Which command a rollout says takes it back, that it does, and that nothing comes back by itself."""

from __future__ import annotations

import re

import pytest

from reconciler.journal.journal import Journal
from tests.cli.workplace import Ran, Workplace, own_name


def apply(workplace: Workplace, hour: int) -> Ran:
    manifest = workplace.manifest("a")
    manifest.write_text(manifest.read_text().replace("0 6 * * *", f"0 {hour} * * *"))
    return done(workplace, "apply")


def done(workplace: Workplace, *command: str) -> Ran:
    ran = workplace.run(*command, "--yes")
    assert ran.code == 0, ran.err
    return ran


def hours(workplace: Workplace) -> list[int]:
    """The hour of each entry that is installed."""
    table = workplace.tables / own_name()
    lines = table.read_text() if table.exists() else ""
    return [int(found) for found in re.findall(r"^0 (\d+) ", lines, re.MULTILINE)]


def offered(ran: Ran) -> list[str]:
    """The command that the last sentence of a rollout names."""
    found = re.search(r"`reconcile (rollback[ \d]*)`", ran.err)
    return found[1].split() if found else []


def drift(workplace: Workplace) -> None:
    table = workplace.tables / own_name()
    table.write_text(re.sub(r"^0 \d+ ", "0 1 ", table.read_text(), flags=re.MULTILINE))


def test_a_change_is_taken_back_by_a_rollback(workplace: Workplace) -> None:
    apply(workplace, 6)
    assert offered(apply(workplace, 7)) == ["rollback"]
    done(workplace, "rollback")
    assert hours(workplace) == [6]


def test_a_repair_of_drift_promises_no_way_back(workplace: Workplace) -> None:
    apply(workplace, 6)
    drift(workplace)
    repaired = done(workplace, "apply")
    assert hours(workplace) == [6]
    assert "1 change applied and verified." in repaired.err
    assert offered(repaired) == []


@pytest.mark.parametrize("back", [["rollback"], ["rollback", "0"]], ids=" ".join)
def test_a_rollback_names_the_way_forward_again(workplace: Workplace, back: list[str]) -> None:
    apply(workplace, 6)
    apply(workplace, 7)
    gone = done(workplace, *back)
    assert offered(gone) == ["rollback", "2"]
    forward = done(workplace, *offered(gone))
    assert hours(workplace) == [7]
    assert offered(forward) == ["rollback", "3"]
    done(workplace, *offered(forward))
    assert hours(workplace) == ([6] if back == ["rollback"] else [])


def test_what_was_brought_back_is_gone_back_from_step_by_step(workplace: Workplace) -> None:
    apply(workplace, 6)
    apply(workplace, 7)
    done(workplace, "rollback", "0")
    done(workplace, "rollback", "2")
    done(workplace, "rollback")
    assert hours(workplace) == [6]
    done(workplace, "rollback", "3")  # to where nothing was left
    assert workplace.run("rollback", "--yes").code == 1


def test_where_everything_is_rolled_back_the_way_forward_is_named(workplace: Workplace) -> None:
    apply(workplace, 6)
    done(workplace, "rollback")
    ran = workplace.run("rollback", "--yes")
    assert ran.code == 1
    assert offered(ran) == ["rollback", "1"]


@pytest.mark.parametrize("last", [["rollback", "0"], ["rollback"]], ids=" ".join)
def test_what_ran_is_quarantined_also_where_a_rollback_had_brought_it(workplace: Workplace, last: list[str]) -> None:
    apply(workplace, 6)
    apply(workplace, 7)
    done(workplace, "rollback", "1")
    done(workplace, "rollback", "2")
    done(workplace, *last)
    assert workplace.run("apply", "--yes").code == 5
    assert hours(workplace) == ([] if last[1:] else [6])


def test_what_ran_is_quarantined_also_below_a_change_that_is_of_no_revision(workplace: Workplace) -> None:
    apply(workplace, 6)
    apply(workplace, 7)
    workplace.crontab((workplace.tables / own_name()).read_text() + "5 5 * * * echo mine\n")
    workplace.write("other/mine.yaml", workplace.manifest("mine").read_text().replace("0 6 * * *", "5 5 * * *"))
    (workplace.folder / "desired/mine.yaml").unlink()
    done(workplace, "adopt", "Automation/mine", "other")
    done(workplace, "rollback", "1")
    assert workplace.run("apply", "--yes").code == 5
    assert hours(workplace) == [6]


def test_a_rollback_that_was_interrupted_keeps_away_what_ran_as_well(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(workplace, 6)
    apply(workplace, 7)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "finish", die)
        assert workplace.run("rollback", "--yes").code != 0
    resumed = workplace.run("resume")
    assert resumed.code == 0, resumed.err
    assert offered(resumed) == ["rollback", "2"]
    assert workplace.run("apply", "--yes").code == 5
    assert hours(workplace) == [6]


def test_the_way_forward_takes_over_again_what_was_given_back(workplace: Workplace) -> None:
    workplace.crontab("# mine\n5 5 * * * echo mine\n")
    mine = workplace.manifest("mine")
    mine.write_text(mine.read_text().replace("0 6 * * *", "5 5 * * *").replace("[echo, mine]", "echo mine"))
    done(workplace, "adopt", "Automation/mine", "desired")
    done(workplace, "apply")
    adopted = (workplace.tables / own_name()).read_text()
    gone = done(workplace, "rollback", "0")
    assert (workplace.tables / own_name()).read_text() == "# mine\n5 5 * * * echo mine\n"
    done(workplace, *offered(gone))
    assert (workplace.tables / own_name()).read_text() == adopted
