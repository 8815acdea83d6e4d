"""After an undo that failed: no later command says that all is well before it is undone, or something else stands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.workplace import CRONTAB, Workplace, own_name


@pytest.fixture
def full(workplace: Workplace) -> Path:
    """The file that says that the disk of the crontabs is full. A rollout failed, and so did its undo."""
    program, flag = Path(shutil.which("crontab") or ""), workplace.tables / "full"
    refusal = '        -) [ -f "$TABLES/full" ] && { echo "no space left" >&2; exit 1; }; '
    program.write_text(
        CRONTAB.replace("        -) ", refusal).replace("-r) ", '-r) [ -f "$TABLES/full" ] && exit 1; ')
    )
    manifest = workplace.manifest("a")
    content = manifest.read_text()
    manifest.write_text(f'{content}  verify: {{within: 1s, probes: [{{exec: "touch {flag}; false"}}]}}\n')
    assert workplace.run("apply", "--yes").code == 8
    assert "echo a" in table(workplace)
    return flag


def table(workplace: Workplace) -> str:
    path = workplace.tables / own_name()
    return path.read_text() if path.exists() else ""


def test_an_apply_tries_the_undo_again_before_it_plans(workplace: Workplace, full: Path) -> None:
    full.unlink()
    ran = workplace.run("apply", "--yes")
    assert "Rollout 1 had failed, and so had its undo: what it had done is undone now." in ran.err
    assert "quarantined" in ran.err
    assert ran.code == 5
    assert "echo a" not in table(workplace)


@pytest.mark.parametrize("command", [["apply", "--yes"], ["watch", "--once"]], ids=" ".join)
def test_nothing_to_do_is_not_said_while_something_is_left(
    workplace: Workplace, full: Path, command: list[str]
) -> None:
    ran = workplace.run(*command)
    assert ran.code == 8
    assert full.exists()
    assert "Nothing to do" not in ran.out
    assert "What is left as it should not be:\n  - Automation/a: " in ran.out + ran.err
    assert "`reconcile resume`" in ran.out + ran.err


def test_a_watch_undoes_it_once_it_can(workplace: Workplace, full: Path) -> None:
    full.unlink()
    assert workplace.run("watch", "--once").code == 5
    assert "echo a" not in table(workplace)


def test_a_resume_that_succeeds_says_so(workplace: Workplace, full: Path) -> None:
    full.unlink()
    ran = workplace.run("resume")
    assert ran.code == 7
    assert "could not be undone" not in ran.err
    assert "what it had done is undone now." in ran.err
    assert workplace.run("resume").code == 0


def test_doctor_shows_it(workplace: Workplace, full: Path) -> None:
    ran = workplace.run("doctor")
    assert ran.code == 1
    assert "rollout 1 (apply) failed and could not be undone completely" in " ".join(ran.out.split())
    assert "reconcile resume" in ran.out
    full.unlink()
    workplace.run("resume")
    assert "could not be undone" not in workplace.run("doctor").out
