"""`reconcile history`: past rollouts, newest first, read without touching the journal."""

from __future__ import annotations

import json
import re

import pytest

from reconciler.model.resource import Revision
from tests.cli import rollouts
from tests.cli.workplace import Workplace


def test_before_the_first_apply_there_is_no_history(workplace: Workplace) -> None:
    ran = workplace.run("history")
    assert ran.code == 0
    assert ran.out == "No rollout yet: nothing has been applied on this host.\n"
    assert not workplace.state.exists()


def test_the_newest_comes_first_and_the_stable_one_is_marked(workplace: Workplace) -> None:
    with rollouts.journal(workplace.state) as journal:
        rollouts.stable(journal)
        rollouts.failed(journal)
    ran = workplace.run("history")
    assert ran.code == 0
    rows = ran.out.splitlines()
    assert rows[1].split()[0] == "2"
    assert "rolled back" in rows[1]
    assert rows[2].split()[0] == "1"
    assert "stable (now)" in rows[2]


def test_json_tells_the_same(workplace: Workplace) -> None:
    with rollouts.journal(workplace.state) as journal:
        rollouts.stable(journal)
        rollouts.failed(journal)
    answer = json.loads(workplace.run("history", "-o", "json").out)
    assert answer["stable"] == 1
    assert [(each["number"], each["status"]) for each in answer["rollouts"]] == [(2, "rolled-back"), (1, "stable")]


@pytest.mark.parametrize("output", ["text", "json"])
def test_secrets_in_failures_are_masked(workplace: Workplace, output: str) -> None:
    with rollouts.journal(workplace.state) as journal:
        rollouts.failed(journal)
    ran = workplace.run("history", "-o", output)
    assert "does not answer" in ran.out
    assert "abcdefghijklmnop" not in ran.out


def test_no_more_than_asked_for(workplace: Workplace) -> None:
    with rollouts.journal(workplace.state) as journal:
        for _ in range(25):
            rollouts.stable(journal)
    assert len(json.loads(workplace.run("history", "-o", "json").out)["rollouts"]) == 20
    found = json.loads(workplace.run("history", "-n", "2", "-o", "json").out)["rollouts"]
    assert [each["number"] for each in found] == [25, 24]


@pytest.mark.parametrize("count", ["0", "-1", "many", "9" * 30])
def test_a_count_that_is_none_is_refused(workplace: Workplace, count: str) -> None:
    assert workplace.run("history", "-n", count).code == 1


def test_a_broken_journal_is_said_and_left_as_it_is(workplace: Workplace) -> None:
    workplace.state.mkdir()
    (workplace.state / "journal.db").write_bytes(b"not a database, and long enough to be read as one" * 50)
    before = workplace.files()
    ran = workplace.run("history")
    assert ran.code == 0
    assert "warning: the journal cannot be used" in ran.err
    assert workplace.files() == before


def test_status_names_what_frees_each_quarantined_revision(workplace: Workplace) -> None:
    """Two trees with other edits on one commit: the commit alone would not tell which."""
    with rollouts.journal(workplace.state) as journal:
        for digest in ("abcd1234" * 4, "dcba4321" * 4):
            failed = Revision(digest, commit="c0ffee12" * 5, branch="main", dirty=True)
            journal.quarantine_add(failed, "it did not start", rollouts.failed(journal))
    named = re.findall(r"`reconcile (release --quarantine \S+)`", workplace.run("status").out)
    assert len(named) == 2
    for command in named:
        assert workplace.run(*command.split()).code == 0
    assert "quarantined" not in workplace.run("status").out


def test_a_job_file_goes_with_the_last_rollout_that_could_bring_it_back(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.app.KEPT_ROLLOUTS", 2)
    manifest = workplace.manifest("a")
    told = manifest.read_text()
    kept = []
    for minutes in range(1, 6):
        manifest.write_text(f"{told}  timeout: {minutes}m\n")
        ran = workplace.run("apply", "--yes")
        assert ran.code == 0, ran.err
        files = (workplace.state / "jobs").glob("*.json")
        kept.append(sorted(json.loads(file.read_bytes())["timeout"] // 60 for file in files))
    assert kept == [[1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert workplace.run("rollback", "--yes").code == 0
