"""`reconcile show`: one rollout, step by step."""

from __future__ import annotations

import json

import pytest

from tests.cli import rollouts
from tests.cli.workplace import Workplace


@pytest.fixture
def with_history(workplace: Workplace) -> Workplace:
    with rollouts.journal(workplace.state) as journal:
        rollouts.stable(journal)
        rollouts.failed(journal)
    return workplace


def test_every_step_is_told_with_what_became_of_it(with_history: Workplace) -> None:
    ran = with_history.run("show", "2")
    assert ran.code == 0
    assert ran.out.startswith("Rollout 2 (apply): rolled back\n")
    assert "1. undone   create Automation/backup: it is new" in ran.out
    assert "2. failed   verify Automation/backup: Automation/backup does not answer" in ran.out


def test_json_tells_the_same(with_history: Workplace) -> None:
    answer = json.loads(with_history.run("show", "1", "-o", "json").out)
    assert (answer["rollout"]["number"], answer["rollout"]["status"]) == (1, "stable")
    first, second = answer["steps"]
    assert (first["what"], first["status"], first["note"]) == ("create Automation/backup", "done", "it is new")
    assert second["what"] == "verify Automation/backup"
    assert first["at"] == "2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize("output", ["text", "json"])
def test_secrets_are_masked(with_history: Workplace, output: str) -> None:
    ran = with_history.run("show", "2", "-o", output)
    assert "does not answer" in ran.out
    assert "abcdefghijklmnop" not in ran.out


def test_an_unknown_number_gets_the_known_range(with_history: Workplace) -> None:
    ran = with_history.run("show", "7")
    assert (ran.code, ran.out) == (1, "")
    assert "cannot show rollout 7: the journal knows 1 to 2" in ran.err
    assert "reconcile history" in ran.err


def test_an_empty_journal_is_said_to_be_empty(workplace: Workplace) -> None:
    ran = workplace.run("show", "1")
    assert ran.code == 1
    assert "cannot show rollout 1: the journal is empty" in ran.err
    assert not workplace.state.exists()


def test_a_broken_journal_is_not_called_empty(workplace: Workplace) -> None:
    workplace.state.mkdir()
    (workplace.state / "journal.db").write_bytes(b"not a database, and long enough to be read as one" * 50)
    ran = workplace.run("show", "1")
    assert ran.code == 1
    assert "the journal cannot be used" in ran.err


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5"])
def test_what_is_no_number_is_refused(workplace: Workplace, number: str) -> None:
    assert workplace.run("show", "--", number).code == 1
