"""Signals, a full disk, a crontab program that fails, hangs or talks nonsense: a message, a code, nothing lost."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, wait_until
from tests.e2e.test_real_cron import HOSTILE

pytestmark = pytest.mark.cron


def start_waiting(machine: Machine) -> subprocess.Popen[str]:
    """An apply that has written and now waits for a probe."""
    machine.automation(
        "a",
        "*/5 * * * *",
        ["/bin/true"],
        verify={"within": "30s", "probes": [{"file": str(machine.folder / "never")}]},
    )
    process = subprocess.Popen(
        machine.argv("apply", "desired", "--yes"),
        cwd=machine.folder,
        env=machine.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: machine.table() not in (None, HOSTILE), 20, "apply has written")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_undoes_what_was_done(machine: Machine, number: signal.Signals) -> None:
    machine.install(HOSTILE)
    process = start_waiting(machine)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 7
    assert number.name in stderr
    assert machine.table() == HOSTILE
    assert "quarantine" not in machine.run("plan", "desired").stdout  # the revision is not to blame


def test_a_killed_apply_is_reported_before_it_is_repaired(machine: Machine) -> None:
    machine.install(HOSTILE)
    process = start_waiting(machine)
    process.kill()
    process.communicate()
    plan = machine.run("plan", "desired")
    assert "interrupted" in plan.stdout
    assert "interrupted" in machine.run("status", "desired").stdout
    (machine.folder / "never").write_text("")
    done = machine.apply()
    assert done.returncode == 0, done.stderr
    assert "Rollout 1 had been interrupted" in done.stderr


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if done.returncode != 0:
        pytest.skip("cannot mount a small file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_changes_nothing_and_says_so(machine: Machine, tiny_disk: Path) -> None:
    machine.install(HOSTILE)
    machine.environ["RECONCILER_STATE_DIR"] = str(tiny_disk / "state")
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    assert machine.apply().returncode == 0
    before = machine.table()
    machine.automation("b", "@daily", ["/bin/echo", "b"])
    filler = (tiny_disk / "filler").open("wb", buffering=0)
    with suppress(OSError):
        while True:
            filler.write(b"x" * 1024)
    failed = machine.apply()
    assert failed.returncode == 1
    assert "no space" in failed.stderr.lower() or "full" in failed.stderr.lower()
    assert "Traceback" not in failed.stderr
    assert machine.table() == before
    filler.close()
    (tiny_disk / "filler").unlink()
    done = machine.apply()
    assert done.returncode == 0, done.stderr
    assert b"Automation/b" in (machine.table() or b"")


def shim(machine: Machine, text: str) -> None:
    """Put a crontab program of our own in front of the real one."""
    folder = machine.folder / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "crontab").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "crontab").chmod(0o755)
    if not machine.environ.get("PATH", "").startswith(str(folder)):
        machine.environ["PATH"] = f"{folder}:{machine.environment()['PATH']}"


TROUBLES = {
    "-l fails": ('case "$*" in *-l*) echo "disk error" >&2; exit 1;; esac; exec /usr/bin/crontab "$@"', 1),
    "-l is not allowed": (
        'case "$*" in *-l*) echo "You (x) are not allowed to use this program (crontab)" >&2; exit 1;; esac',
        1,
    ),
    "-l answers garbage": ('case "$*" in *-l*) printf \'a\\000b\'; exit 0;; esac; exec /usr/bin/crontab "$@"', 1),
    "-l prints, then fails": ('case "$*" in *-l*) echo "0 1 * * * x"; exit 3;; esac; exec /usr/bin/crontab "$@"', 1),
    "install is refused": ('case "$*" in *-l*) exec /usr/bin/crontab "$@";; esac; echo "no" >&2; exit 1', 7),
    "install says yes and does nothing": ('case "$*" in *-l*) exec /usr/bin/crontab "$@";; esac; cat >/dev/null', 7),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_a_crontab_program_in_trouble_is_an_error_and_nothing_is_lost(machine: Machine, name: str) -> None:
    machine.install(HOSTILE)
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    text, code = TROUBLES[name]
    shim(machine, text)
    done = machine.apply()
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert machine.table() == HOSTILE


def test_a_missing_crontab_program_is_refused_with_what_to_do(machine: Machine) -> None:
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    machine.environ["PATH"] = "/nowhere"
    done = machine.apply()
    assert done.returncode == 5
    assert "crontab" in done.stdout + done.stderr
    assert "install cron" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_hanging_crontab_program_is_given_up(machine: Machine) -> None:
    machine.install(HOSTILE)
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    shim(machine, 'case "$*" in *-l*) sleep 300;; esac')
    done = machine.run("plan", "desired")
    assert done.returncode == 1
    assert "longer than" in done.stderr
    assert machine.table() == HOSTILE


def test_no_cron_daemon_is_refused_unless_accepted(machine: Machine) -> None:
    """Without a daemon in sight (a process namespace of its own), lines would never run."""
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    inside = ["unshare", "--fork", "--pid", "--mount-proc", "--mount", "sh", "-c"]
    hide = 'mount -t tmpfs tmpfs /run && exec "$@"'
    base = [*inside, hide, "sh"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*base, *machine.argv(*arguments)],
            cwd=machine.folder,
            env=machine.environment(),
            capture_output=True,
            text=True,
        )

    if subprocess.run([*base, "true"], capture_output=True).returncode != 0:
        pytest.skip("cannot make a process namespace here")
    refused = run("apply", "desired", "--yes")
    assert refused.returncode == 5, refused.stderr
    assert "cron daemon" in refused.stdout
    assert machine.table() is None
    accepted = run("apply", "desired", "--yes", "--accept", "missed-run")
    assert accepted.returncode == 0, accepted.stderr
    assert machine.table() is not None
