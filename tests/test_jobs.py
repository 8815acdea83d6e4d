"""Job files and the launcher on a real disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler import jobs
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import ReconcileError
from reconciler.model.intent import Intent
from reconciler.model.job import Job
from reconciler.model.resource import Resource, Source
from reconciler.model.state import Owned, State
from reconciler.settings import Folders


def places(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "state", tmp_path / "cache", tmp_path / "bin")


def intent(folders: Folders, name: str, **settings: Json) -> Intent:
    job = Job(name, settings) if settings else None
    call = [str(folders.launcher), "exec", f"{name}@{job.digest}" if job else name, "--", "true"]
    resource = Resource(ResourceId("Automation", name), {}, Source("x.yaml", 1))
    return Intent(resource, "crontab", State({"command": call}), job=job)


def prepare(folders: Folders, *intents: Intent) -> None:
    jobs.prepare(folders, intents, str(folders.launcher))


def test_what_is_missing_is_written_once(tmp_path: Path) -> None:
    folders = places(tmp_path)
    many = [intent(folders, f"n{number}", timeout=number + 1) for number in range(20)]
    prepare(folders, *many)
    stamps = {file.name: file.stat().st_mtime_ns for file in (folders.state / "jobs").iterdir()}
    assert stamps.keys() == {one.job.file_name for one in many if one.job}
    assert os.access(folders.launcher, os.X_OK)
    written = folders.launcher.stat().st_mtime_ns
    prepare(folders, *many)
    assert {file.name: file.stat().st_mtime_ns for file in (folders.state / "jobs").iterdir()} == stamps
    assert folders.launcher.stat().st_mtime_ns == written


def test_a_file_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    folders = places(tmp_path)
    one = intent(folders, "a", timeout=5)
    prepare(folders, one)
    assert one.job is not None
    file = folders.state / "jobs" / one.job.file_name
    file.write_bytes(file.read_bytes()[:5])
    prepare(folders, one)
    assert file.read_bytes() == one.job.content


def test_without_an_automation_nothing_is_written(tmp_path: Path) -> None:
    folders = places(tmp_path)
    prepare(folders)
    assert not folders.bin.exists()
    assert not folders.state.exists()


def test_a_launcher_that_is_not_ours_to_write_is_left_alone(tmp_path: Path) -> None:
    folders = places(tmp_path)
    jobs.prepare(folders, [intent(folders, "a")], "/usr/bin/reconcile")
    assert not folders.bin.exists()


def test_what_cannot_be_written_is_an_error_that_says_where(tmp_path: Path) -> None:
    folders = places(tmp_path)
    folders.state.write_text("a file")
    with pytest.raises(ReconcileError) as caught:
        prepare(folders, intent(folders, "a", timeout=5))
    assert "cannot prepare the runs of automations" in str(caught.value)
    assert str(folders.state) in str(caught.value.where)


def test_settings_are_remembered_of_what_is_about_to_change(tmp_path: Path) -> None:
    folders = places(tmp_path)
    old, same, new = (intent(folders, name, timeout=5) for name in ("a", "b", "a"))
    new = intent(folders, "a", timeout=6)
    prepare(folders, old, same)
    inventory = [Owned(one.id, "crontab", one.state) for one in (old, same)]
    assert old.job is not None
    assert jobs.remembered(folders.state, [new, same], inventory) == {old.job.digest: {"timeout": 5}}


def test_what_nobody_names_is_forgotten(tmp_path: Path) -> None:
    folders = places(tmp_path)
    one, two = intent(folders, "a", timeout=5), intent(folders, "a", timeout=6)
    prepare(folders, one, two)
    assert one.job is not None
    jobs.forget(folders.state, {one.job.digest})
    assert [file.name for file in (folders.state / "jobs").iterdir()] == [one.job.file_name]
