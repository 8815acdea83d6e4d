"""History, one rollout, the status of a host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reconciler.cli.render.characters import HIDDEN
from reconciler.cli.render.rollout import Status, StepLine, history_text, rollout_text, status_text
from reconciler.model.mask import Mask
from reconciler.model.resource import Revision
from reconciler.model.rollout import RolloutRecord, RolloutStatus, StepStatus
from reconciler.model.state import Quarantined
from tests.render.build import ATLAS, COMMIT
from tests.render.test_golden import compare

MASK = Mask("golden")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BAD = Revision("dead" * 8, commit="beefcafe" * 5, branch="main", dirty=True)
RECORDS = (
    RolloutRecord(14, "apply", COMMIT, "desired", RolloutStatus.RUNNING, NOON + timedelta(hours=3), None, "1 update"),
    RolloutRecord(
        13, "apply", BAD, "desired", RolloutStatus.ROLLED_BACK, NOON + timedelta(hours=2),
        NOON + timedelta(hours=2, seconds=61), "1 to create, 1 to update",
        "Automation/crm-sync: exec pg_isready --token=hunter2 exited with 2",
    ),
    RolloutRecord(
        12, "rollback", Revision("c0ffee12" * 4), "desired", RolloutStatus.STABLE, NOON,
        NOON + timedelta(milliseconds=420), "3 to create",
    ),
)  # fmt: skip


def test_the_history_reads_as_agreed() -> None:
    compare("../history.txt", history_text(RECORDS, timezone="Europe/Berlin", mask=MASK, stable=12))


def test_an_empty_history_says_so() -> None:
    assert history_text((), timezone="", mask=MASK) == "No rollout yet: nothing has been applied on this host.\n"


def test_one_rollout_reads_as_agreed() -> None:
    steps = [
        StepLine(1, "create Automation/weekly-digest", StepStatus.UNDONE),
        StepLine(2, "update Automation/crm-sync", StepStatus.UNDONE),
        StepLine(3, "verify Automation/crm-sync", StepStatus.FAILED, "exec pg_isready exited with 2\nno response"),
        StepLine(4, "delete Automation/old", StepStatus.PLANNED),
    ]
    compare("../show.txt", rollout_text(RECORDS[1], steps, timezone="Europe/Berlin", mask=MASK))


def test_a_status_with_everything_wrong_reads_as_agreed() -> None:
    status = Status(
        host=ATLAS,
        path="desired",
        stable=COMMIT,
        stable_since=NOON,
        stable_rollout=12,
        owned=12,
        pending=2,
        drifted=1,
        quarantine=(Quarantined(BAD, "Automation/crm-sync: exec pg_isready exited with 2", 13),),
        interrupted=RECORDS[0],
        lock_holder="reconcile apply, process 4711, since 2026-11-20 16:00",
        backends={"crontab": None, "launchd": "this is not a Mac"},
    )
    compare("../status-trouble.txt", status_text(status, mask=MASK))


def test_a_quiet_status_reads_as_agreed() -> None:
    status = Status(ATLAS, "desired", COMMIT, NOON, 12, owned=12, pending=0, drifted=0, backends={"crontab": None})
    compare("../status-quiet.txt", status_text(status, mask=MASK))


def test_the_status_says_what_stands_as_it_should_and_is_not_well() -> None:
    why = "Service/crm is fatal: given up after it was started again 5 times in 600 s"
    status = Status(ATLAS, "desired", COMMIT, NOON, 12, owned=12, pending=0, drifted=0, ailing=(why,))
    lines = status_text(status, mask=MASK).splitlines()
    assert lines[:2] == ["atlas: everything is as the manifests ask, but not all of it is well", f"Note: {why}"]
    assert lines[-1] == "What is not well needs you: see the notes above."


def test_what_could_not_be_undone_is_the_headline_and_the_next_thing_to_do() -> None:
    status = Status(ATLAS, "desired", COMMIT, NOON, 12, owned=12, pending=0, drifted=0, half_undone=35)
    text = status_text(status, mask=MASK)
    assert text.startswith("atlas: rollout 35 failed and is not undone completely\n")
    assert text.endswith("\n\nRepair what stands in the way, then: reconcile resume\n")


def test_a_new_host_is_told_how_to_start() -> None:
    text = status_text(Status(ATLAS, "desired"), mask=MASK)
    assert text.startswith("atlas: nothing has been applied yet\n")
    assert text.endswith("To start: reconcile plan desired\n")


def test_secrets_and_control_characters_do_not_come_through() -> None:
    record = RolloutRecord(
        1, "app\x1bly", COMMIT, "des\x07ired", RolloutStatus.STABLE, NOON, NOON, "TOKEN=hunter2\u202e\n", "a\nb"
    )
    shown = history_text([record], timezone="x", mask=MASK) + rollout_text(record, (), timezone="", mask=MASK)
    assert "hunter2" not in shown
    assert not HIDDEN.search(shown.replace("\n", ""))
