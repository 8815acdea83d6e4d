"""The command line over the embedded supervisor: apply, verify, roll back, and end with nothing left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.runner import tree
from tests.supervisor.place import ROOT, Site, until


class Home:
    """A tree and the command line on the state folder of a test."""

    def __init__(self, here: Site) -> None:
        self.here = here
        self.tree = here.state / "desired"
        self.tree.mkdir()

    def wants(self, name: str, spec: dict[str, object], kind: str = "Service") -> None:
        document = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        (self.tree / f"{name}.yaml").write_text(json.dumps(document))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "RECONCILER_STATE_DIR": str(self.here.state),
            "RECONCILER_CACHE_DIR": str(self.here.state / "cache"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        argv = [sys.executable, "-m", "reconciler", *words]
        return subprocess.run(argv, env=environment, cwd=self.here.state, capture_output=True, text=True, timeout=120)

    def apply(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.run("apply", "desired", "--yes", *more)


@pytest.fixture
def home(here: Site) -> Home:
    return Home(here)


def service(command: str, **more: object) -> dict[str, object]:
    verify = {"within": "5s", "stableFor": "1s"}
    return {"supervisor": "embedded", "command": command, "verify": verify, **more}


def test_a_tree_is_applied_runs_and_goes(home: Home) -> None:
    home.wants("web", service("echo up; exec sleep 3600"))
    job = {"scheduler": "embedded", "schedule": {"every": "2s"}, "command": ["true"], "missed": "latest"}
    home.wants("tick", {"schedule": job["schedule"], **job}, "Automation")
    done = home.apply()
    assert done.returncode == 0, done.stdout + done.stderr
    pid = home.here.reaches("web", "running")["pid"]
    spool = home.here.state / "runs/spool/tick"
    until(lambda: any('"verdict":"succeeded"' in path.read_text() for path in spool.glob("*.run")))
    again = home.run("plan", "desired", "--detailed-exitcode")
    assert again.returncode == 0, again.stdout
    done = home.run("rollback", "0", "--yes")  # an empty tree never prunes
    assert done.returncode == 0, done.stdout + done.stderr
    assert not Path(f"/proc/{pid}").exists()
    until(lambda: not (home.here.folder / "socket").exists(), seconds=20)
    assert not (home.here.folder / "definitions.json").exists()


def test_a_service_may_take_as_long_to_get_ready_as_its_verification_allows(home: Home) -> None:
    up = home.here.state / "up"
    home.wants("web", service(f"sleep 1; touch {up}; exec sleep 3600", health=[{"file": str(up)}]))
    done = home.apply()
    assert "verified" in done.stdout + done.stderr, done.stdout + done.stderr
    assert done.returncode == 0


def test_one_that_waits_for_another_to_be_ready_is_given_its_time(home: Home) -> None:
    """The gate of the other may pass before the supervisor's own look at it does."""
    late = home.here.state / "late"
    gate_or_late = f'[ -n "$RECONCILER_STATE_DIR" ] || [ -e {late} ]'  # only the gate has our variables
    look = {"exec": {"command": ["/bin/sh", "-c", gate_or_late]}}
    web = {"supervisor": "embedded", "command": f"sleep 2; touch {late}; exec sleep 3600", "health": [look]}
    home.wants("web", web)
    home.wants("chatty", {"supervisor": "embedded", "command": "exec sleep 3600", "dependsOn": ["Service/web"]})
    done = home.apply()
    assert done.returncode == 0, done.stdout + done.stderr
    assert late.exists()
    assert home.here.service("chatty")["state"] == "running"


def test_a_version_that_does_not_stay_up_gives_way_to_the_one_before(home: Home) -> None:
    home.wants("web", service("echo one; exec sleep 3600"))
    assert home.apply().returncode == 0
    budget = {"policy": "always", "budget": "1 in 1m"}
    home.wants("web", service("echo cannot find my config; exit 7", restart=budget))
    done = home.apply()
    assert done.returncode == 7, done.stdout + done.stderr
    assert "Service/web is" in done.stdout + done.stderr
    assert "cannot find my config" in done.stdout + done.stderr
    assert home.here.reaches("web", "running")["pid"]
    until(lambda: home.here.log("web").rstrip().endswith("one"))


def test_status_shows_a_service_that_was_given_up_why_and_what_to_do(home: Home) -> None:
    end = home.here.state / "end"
    command = f"until [ -e {end} ]; do sleep 0.05; done; echo cannot find my config; exit 7"
    home.wants("web", service(command, restart={"policy": "always", "budget": "1 in 1m"}))
    assert home.apply().returncode == 0
    assert "Nothing needs doing." in home.run("status").stdout
    end.touch()
    home.here.reaches("web", "fatal")
    done = home.run("status")
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr  # as with drift: status reports
    assert "embedded cannot run everything as applied" in done.stdout.splitlines()[0]
    why = "given up after it was started again 1 time in 60 s: it ended with exit code 7"
    assert f"Service/web: it is fatal: {why}" in said
    assert "its last output: cannot find my config" in said
    remedy = done.stdout.splitlines()[-1]
    assert remedy.startswith("Correct what stands above and apply.")
    found = json.loads(home.run("status", "no-tree-at-all", "-o", "json").stdout)
    assert "cannot find my config" in found["unwell"]["embedded"]
    end.unlink()
    again = remedy.partition("as it is: ")[2].split()
    assert subprocess.run(again, env=home.here.environment, capture_output=True).returncode == 0
    home.here.reaches("web", "running")
    assert "Nothing needs doing." in home.run("status").stdout


def test_a_supervisor_that_does_not_run_is_drift_and_apply_brings_it_back(home: Home) -> None:
    home.wants("web", service("exec sleep 3600"))
    assert home.apply().returncode == 0
    pid = home.here.reaches("web", "running")["pid"]
    home.here.kill()
    found = home.run("plan", "desired", "--detailed-exitcode")
    assert found.returncode == 2, found.stdout
    assert "the embedded supervisor does not run: it is put back as the manifest says" in found.stdout
    assert "somebody" not in found.stdout + home.run("status").stdout
    (check,) = (
        one
        for one in json.loads(home.run("doctor", "-o", "json").stdout)["checks"]
        if "does not run" in one["message"]
    )
    assert "`reconcile apply`" in check["hint"]
    done = home.apply()
    assert done.returncode == 0, done.stdout + done.stderr
    assert home.here.reaches("web", "running")["pid"] == pid


@pytest.mark.parametrize("damage", ["cut", "gone"])
@pytest.mark.parametrize("runs", [True, False])
def test_definitions_that_are_damaged_or_gone_end_nothing_and_apply_writes_them_anew(
    home: Home, damage: str, runs: bool
) -> None:
    home.wants("web", service("exec sleep 3600"))
    home.wants("other", service("exec sleep 3600"))
    assert home.apply().returncode == 0
    file = home.here.folder / "definitions.json"
    pids = {name: home.here.service(name)["pid"] for name in ("web", "other")}
    born = {pid: tree.created(pid) for pid in pids.values()}
    if not runs:
        home.here.kill()
    good = file.read_bytes()
    file.unlink() if damage == "gone" else file.write_bytes(good[:60])
    why = f"{file} is gone" if damage == "gone" else f"{file} cannot be used"
    said = " ".join(home.run("plan", "desired").stdout.split())
    assert why in said
    assert "somebody" not in said
    done = home.apply("--target", "Service/web")
    assert done.returncode == 0, done.stdout + done.stderr
    assert file.read_bytes() == good
    assert {name: home.here.reaches(name, "running")["pid"] for name in pids} == pids
    assert "Nothing needs doing." in home.run("status").stdout
    file.unlink()
    done = home.run("rollback", "0", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any(tree.same(*one) for one in born.items())
    assert not file.exists()


def test_a_launcher_or_a_job_file_that_is_gone_is_said_and_apply_brings_it_back(home: Home) -> None:
    job = {"scheduler": "embedded", "schedule": "0 6 * * *", "command": ["true"], "timeout": "1m"}
    home.wants("report", job, "Automation")
    assert home.apply().returncode == 0
    (launcher,) = home.here.state.with_name(f"{home.here.state.name}-bin").iterdir()
    (file,) = (home.here.state / "jobs").iterdir()
    assert "Nothing needs doing." in home.run("status").stdout
    launcher.unlink()
    launcher.parent.rmdir()
    file.unlink()
    sentences = (
        f"{launcher} is gone or not executable, so Automation/report cannot run",
        f"the job file of Automation/report is gone from {file.parent}: it runs without settings",
    )
    told = home.run("status").stdout
    assert "runner cannot run everything as applied" in told.splitlines()[0]
    assert told.splitlines()[-1] == "To put it back: reconcile apply desired"
    said = " ".join(told.split())
    checks = json.loads(home.run("doctor", "-o", "json").stdout)["checks"]
    for sentence in sentences:
        assert f"{sentence}, until `reconcile apply` puts it back" in said
        (check,) = (check for check in checks if check["message"] == sentence)
        assert (check["name"], check["result"], check["hint"]) == ("runs", "fail", "`reconcile apply` puts it back")
    assert "1 unchanged" in home.apply().stdout
    assert launcher.exists()
    assert file.exists()
