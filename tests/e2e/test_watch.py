"""Watch, for real: saved files are applied, half-saved ones are not, drift is put back, it stops when told."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, wait_until

pytestmark = pytest.mark.cron


class Watching:
    """A running `reconcile watch` and what it has said so far."""

    def __init__(self, machine: Machine, *more: str) -> None:
        self.log = machine.folder / "watch.log"
        self.file = self.log.open("wb")
        self.process = subprocess.Popen(
            machine.argv("watch", "desired", *more),
            cwd=machine.folder,
            env=machine.environment(),
            stdout=self.file,
            stderr=subprocess.STDOUT,
        )
        wait_until(lambda: "watching" in self.said() or self.process.poll() is not None, 20, "watch has started")

    def said(self) -> str:
        return self.log.read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(15)
        finally:
            self.process.kill()
            self.file.close()


@pytest.fixture
def watching(machine: Machine) -> Iterator[Watching]:
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    running = Watching(machine, "--interval", "1s")
    wait_until(lambda: b"Automation/a" in (machine.table() or b""), 20, "the first pass")
    yield running
    running.stop()


def test_a_saved_file_is_applied(machine: Machine, watching: Watching) -> None:
    machine.automation("b", "@daily", ["/bin/echo", "b"])
    wait_until(lambda: b"Automation/b" in (machine.table() or b""), 10, "the saved file is applied")
    machine.automation("b", "@weekly", ["/bin/echo", "b"])
    wait_until(lambda: b"@weekly" in (machine.table() or b""), 10, "the edit is applied")
    (machine.tree / "b.yaml").unlink()
    wait_until(lambda: b"Automation/b" not in (machine.table() or b""), 10, "the removed file is pruned")


def test_a_half_saved_file_changes_nothing_and_the_last_good_revision_stays(
    machine: Machine, watching: Watching
) -> None:
    good = machine.table() or b""
    (machine.tree / "a.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: Automation\nmetadata: {name: a}\nspec:\n  schedul"
    )
    wait_until(lambda: "last good revision" in watching.said(), 10, "the problem is reported")
    assert machine.table() == good
    machine.install(good.replace(b"*/5", b"*/7"))
    wait_until(lambda: machine.table() == good, 15, "drift is put back from the last good revision")
    assert watching.said().count("last good revision") == 1  # said once, not every second
    machine.automation("a", "*/6 * * * *", ["/bin/true"])
    wait_until(lambda: b"*/6" in (machine.table() or b""), 10, "the repaired file is applied")


def test_drift_is_put_back(machine: Machine, watching: Watching) -> None:
    good = machine.table() or b""
    machine.install(b"0 9 * * * mine\n" + good.replace(b"*/5", b"*/7"))
    wait_until(lambda: machine.table() == b"0 9 * * * mine\n" + good, 15, "drift is put back, the new line stays")


def test_a_folder_that_vanishes_prunes_nothing_and_comes_back(machine: Machine, watching: Watching) -> None:
    good = machine.table()
    hidden = machine.folder / "hidden"
    machine.tree.rename(hidden)
    time.sleep(2.5)
    assert machine.table() == good
    hidden.rename(machine.tree)
    machine.automation("c", "@daily", ["/bin/echo", "c"])
    wait_until(lambda: b"Automation/c" in (machine.table() or b""), 15, "changes are seen again")


def test_a_failed_revision_is_tried_once(machine: Machine, watching: Watching) -> None:
    good = machine.table()
    machine.automation(
        "a", "*/9 * * * *", ["/bin/true"], verify={"within": "100ms", "probes": [{"exec": ["/bin/false"]}]}
    )
    wait_until(lambda: "rolled back" in watching.said(), 15, "the bad revision is rolled back")
    assert good is not None
    machine.install(good.replace(b"*/5", b"*/7"))
    wait_until(lambda: machine.table() == good, 15, "drift is put back from the last stable revision")
    time.sleep(2)
    assert machine.table() == good
    assert watching.said().count("rolled back") == 1
    machine.automation("a", "*/8 * * * *", ["/bin/true"])
    wait_until(lambda: b"*/8" in (machine.table() or b""), 10, "a changed revision is tried")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told(machine: Machine, watching: Watching, number: signal.Signals) -> None:
    began = time.monotonic()
    assert watching.stop(number) == 0
    assert time.monotonic() - began < 3
    assert "stopped" in watching.said()


def test_there_is_only_one(machine: Machine, watching: Watching) -> None:
    second = machine.run("watch", "desired")
    assert second.returncode == 4
    assert str(watching.process.pid) in second.stderr
    applied = machine.apply()  # a person may still apply in between
    assert applied.returncode == 0, applied.stderr


def test_once_makes_one_pass(machine: Machine) -> None:
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    assert machine.run("watch", "desired", "--once").returncode == 0
    assert b"Automation/a" in (machine.table() or b"")
    (machine.tree / "a.yaml").write_text("nonsense: [")
    assert machine.run("watch", "desired", "--once").returncode == 1
    assert b"Automation/a" in (machine.table() or b"")


def test_a_single_file_can_be_watched(machine: Machine) -> None:
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    file: Path = machine.tree / "a.yaml"
    assert machine.run("watch", str(file), "--once").returncode == 0
    assert b"Automation/a" in (machine.table() or b"")
