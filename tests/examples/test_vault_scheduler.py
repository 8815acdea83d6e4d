"""The vault example does what its README says, with real processes: the runner, the steps, the lock, the log."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.kinds.automation import Automation
from reconciler.kinds.envelope import Manifest
from reconciler.model.job import Job

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "vault-scheduler"
RUNNER = ROOT / "reconciler" / "runner" / "__main__.py"


class Vault:
    """A copy of the example, run as its scheduler would run it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "vault"
        self.state = folder / "state"
        shutil.copytree(EXAMPLE, self.root, ignore=shutil.ignore_patterns("__pycache__"))
        found = YAML(typ="safe").load(EXAMPLE / "desired" / "vault.yaml")
        self.spec: dict[str, Any] = Manifest[Automation].model_validate(found, by_alias=True).spec.plain()
        (self.state / "jobs").mkdir(parents=True)

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        job = Job("vault", self.spec["job"])
        (self.state / "jobs" / job.file_name).write_bytes(job.content)
        call = ["exec", f"vault@{job.digest}", "--state", str(self.state), "--in", str(self.root), "--"]
        command = [sys.executable, "-IS", str(RUNNER), *call, *self.spec["command"]]
        given = {**os.environ, **self.spec["environment"], **environment}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=given)

    def run(self, **environment: str) -> tuple[int, str]:
        process = self.start(**environment)
        output = process.communicate(timeout=60)[0].decode()
        return process.returncode, output

    def put(self, name: str, text: str) -> None:
        path = self.root / "Inbox" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (time.time() - 60,) * 2)

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.root / folder).glob("*"))

    def verdicts(self) -> list[str]:
        files = sorted((self.state / "runs/spool/vault").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_text().splitlines()[-1])["verdict"] for path in files]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path)


def test_what_lands_in_the_inbox_is_noted_then_planned(vault: Vault) -> None:
    vault.put("letter.txt", "Dear vault\n")
    code, output = vault.run()
    assert code == 0, output
    assert vault.names("Needs_Action") == ["letter.txt.md"]
    assert vault.names("Plans") == ["letter.txt.plan.md"]
    assert "Inbox: 1, Needs_Action: 1, Plans: 1, Done: 0" in output
    assert (vault.root / "Dashboard.md").read_text().startswith("# Vault")
    assert vault.run()[0] == 0
    assert vault.verdicts() == ["succeeded", "succeeded"]


def test_a_missing_script_costs_the_next_one_nothing_and_the_run_has_failed(vault: Vault) -> None:
    vault.put("letter.txt", "x\n")
    (vault.root / "tools/watcher.py").unlink()
    code, output = vault.run()
    assert code == 1
    assert "watcher.py: there is no such script" in output
    assert "0 planned" in output
    assert vault.verdicts() == ["failed"]


def test_a_step_that_takes_too_long_is_ended_with_what_it_started(vault: Vault) -> None:
    script = "import subprocess, time\nsubprocess.Popen(['sleep', '4321'])\ntime.sleep(60)\n"
    (vault.root / "tools/watcher.py").write_text(script)
    code, output = vault.run(STEP_LIMIT="1")
    assert code == 1
    assert "took longer than 1 s" in output
    assert "planner: 0 planned" in output
    assert subprocess.run(["pgrep", "-f", "^sleep 4321$"], capture_output=True).returncode == 1


def test_there_is_only_one_at_a_time_and_a_dead_holder_keeps_nobody_out(vault: Vault) -> None:
    (vault.root / "tools/watcher.py").write_text("import time\ntime.sleep(60)\n")
    first = vault.start()
    deadline = time.monotonic() + 10
    while not list((vault.state / "runs").glob("spool/vault/*")):
        assert time.monotonic() < deadline, "the first run did not begin"
        time.sleep(0.05)
    code, output = vault.run()
    assert code == 0
    assert "skipped: run " in output
    assert "is still running" in output
    first.terminate()  # asked to stop, it stops at once
    first.communicate(timeout=15)
    assert first.returncode == 143
    shutil.copy(EXAMPLE / "tools/watcher.py", vault.root / "tools/watcher.py")
    assert vault.run()[0] == 0
    assert vault.verdicts() == ["skipped", "stopped", "succeeded"]


def test_the_log_turns_over_and_its_times_mean_one_instant(vault: Vault) -> None:
    log = vault.root / "Logs/ai_employee.log"
    log.parent.mkdir()
    for number in range(5):
        log.write_text(f"{number}" * (5 * 1024 * 1024))
        assert vault.run()[0] == 0
    assert vault.names("Logs") == [f"{log.name}{end}" for end in ("", ".1", ".2", ".3")]
    assert all("+" in line[:26] or "-" in line[19:26] for line in log.read_text().splitlines())


def test_a_log_that_cannot_be_written_costs_the_work_nothing(vault: Vault) -> None:
    (vault.root / "Logs").write_text("a file where a folder belongs")
    vault.put("letter.txt", "x\n")
    code, output = vault.run()
    assert code == 0
    assert "cannot keep the log" in output
    assert vault.names("Plans") == ["letter.txt.plan.md"]


def test_a_whole_run_is_bounded_also_for_those_who_left_their_group(vault: Vault) -> None:
    vault.spec["job"] = {**vault.spec["job"], "timeout": 1, "stop": {"signal": "SIGTERM", "grace": 1}}
    script = (
        "import subprocess, time\nsubprocess.Popen(['/bin/sleep', '43211'], start_new_session=True)\ntime.sleep(60)\n"
    )
    (vault.root / "tools/watcher.py").write_text(script)
    code, _ = vault.run()
    assert code == 124
    assert vault.verdicts() == ["timed-out"]
    assert subprocess.run(["pgrep", "-f", "^/bin/sleep 43211$"], capture_output=True).returncode == 1
