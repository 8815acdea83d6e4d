"""No room: an error that says so, nothing lost, and room made of logs that are too many."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.journal.collect import Keep, collect
from reconciler.journal.runs import Runs
from reconciler.model.errors import JournalError
from tests.journal.conftest import Disk, disk
from tests.records.build import NOON, alive, files, log, spool

__all__ = ["disk"]


def test_on_a_full_disk_nothing_is_lost_and_old_logs_make_room(disk: Disk) -> None:
    state = disk.path / "state"
    for number in range(20):
        spool(state, "a", NOON - timedelta(minutes=number), tail="x" * 1000)
    old = log(state, "a", "old", b"x" * 100_000, NOON - timedelta(days=1))
    ballast = disk.fill(leave=0)
    with pytest.raises(JournalError, match="cannot write the records of runs: the disk is full"):
        collect(state, NOON, alive, {"a": Keep(bytes=1000)})
    assert not old.exists()
    assert len(files(state)) == 20
    with Runs(state, NOON, alive) as runs:
        assert len(runs.newest()) == 20
    ballast.unlink()
    found = collect(state, NOON, alive, {})
    assert found is not None
    assert found.recorded == 20
