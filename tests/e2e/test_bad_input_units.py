"""launchd and systemd that refuse, names that no unit can have, plists of other people: said, and nothing half-done.

launchctl is the stand-in, run as a real account with a real crontab; systemd is a real user manager.
"""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bystander import Bystander, account_folder, as_account, told
from tests.e2e.machine import Machine
from tests.systemd.conftest import manager  # noqa: F401 - the fixture

ROOT = Path(__file__).parents[2]
LABEL = "reconciler.service.web"


@dataclass(kw_only=True)
class Mac(Bystander):
    """The account as a user of launchd. `own` is the folder that it can reach."""

    own: Path

    def web(self, *command: str, **spec: object) -> None:
        self.write("Service", "web", command=["/usr/bin/serve", *command], supervisor="launchd", **spec)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(self.own / "desired")
        shutil.copytree(self.machine.tree, self.own / "desired")
        path = f"{ROOT / 'tests' / 'launchd'}:{self.machine.environment()['PATH']}"
        environ = {
            "PATH": path,
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            "LAUNCHCTL_STATE": str(self.state),
        }
        return as_account(self.machine, self.own, *arguments, **environ)

    def apply(self) -> subprocess.CompletedProcess[str]:
        return self.run("apply", "desired", "--yes")

    @property
    def state(self) -> Path:
        return self.own / "launchctl.json"

    @property
    def plist(self) -> Path:
        return self.machine.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    def answers(self, *answers: dict[str, Any]) -> None:
        """What the stand-in says to the next calls of a verb."""
        kept = json.loads(self.state.read_text())
        self.state.write_text(json.dumps({**kept, "answers": list(answers)}))

    def held(self) -> list[str]:
        """The arguments of what launchd holds, in whatever domain."""
        domains = json.loads(self.state.read_text())["domains"].values()
        jobs = [jobs[LABEL] for jobs in domains if LABEL in jobs]
        return [" ".join(plistlib.loads(job["plist"].encode())["ProgramArguments"]) for job in jobs]

    def everything(self) -> object:
        return self.machine.table(), self.plist.read_bytes(), self.plist.stat().st_uid, self.held()


@pytest.fixture
def mac(account: str, tmp_path: Path) -> Iterator[Mac]:
    machine = Machine(account, tmp_path)
    machine.clear()
    machine.tree.mkdir()
    with account_folder(machine) as own:
        machine.tree.rmdir()
        made = Mac(user=account, folder=tmp_path, own=own)
        made.innocent("0 6 * * *")
        made.web()
        done = made.apply()
        assert done.returncode == 0, done.stdout + done.stderr
        made.innocent("30 7 * * *")
        made.web("--new")
        yield made
    machine.clear()
    shutil.rmtree(machine.home / "Library", ignore_errors=True)


@pytest.mark.cron
def test_a_plist_of_another_user_is_refused_with_the_command_that_repairs_it(mac: Mac) -> None:
    os.chown(mac.plist, 0, 0)
    before = mac.everything()
    for command in (("plan", "desired"), ("apply", "desired", "--yes")):
        done = mac.run(*command)
        text = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 5, text
        assert "belongs to the user with id 0, and launchd wants" in text
        assert "sudo chown" in text
        assert mac.everything() == before
    shutil.chown(mac.plist, mac.user)
    assert mac.apply().returncode == 0
    assert mac.held() == ["/usr/bin/serve --new"]


@pytest.mark.cron
def test_a_launchctl_that_cannot_say_stops_the_plan(mac: Mac) -> None:
    before = mac.everything()
    mac.answers({"verb": "print", "code": 1, "text": "launchd is not amused", "times": 99})
    told(mac.apply(), 1, "cannot look at the launchd domain gui/", "launchd is not amused", hint="launchctl print")
    mac.answers()
    assert mac.everything() == before


@pytest.mark.cron
def test_a_refused_load_that_cannot_be_put_back_at_once_is_put_back_by_the_undo(mac: Mac) -> None:
    before = mac.everything()
    mac.answers({"verb": "bootstrap", "code": 64, "text": "no", "times": 2})
    done = mac.apply()
    told(done, 7, "what stood before could not be put back", str(mac.plist), hint="launchctl")
    assert mac.everything() == before


@pytest.mark.cron
def test_a_load_that_is_refused_for_ever_says_what_is_left_and_resumes(mac: Mac) -> None:
    before = mac.everything()
    mac.answers({"verb": "bootstrap", "code": 64, "text": "no", "times": 99})
    done = mac.apply()
    told(
        done, 8, f"Service/web, {mac.plist}", "What is left as it should not be", "reconcile resume", hint="launchctl"
    )
    assert mac.held() == []
    table, content, *_ = before  # type: ignore[misc]
    assert (mac.machine.table(), mac.plist.read_bytes()) == (table, content)
    mac.answers()
    resumed = mac.run("resume")
    assert resumed.returncode == 7, resumed.stderr
    assert mac.everything() == before


@pytest.mark.parametrize("name", ["my@job", "my job", "job@.timer", "-job", "jöb"])
def test_a_name_that_is_none_is_refused_where_it_is_written(tmp_path: Path, name: str) -> None:
    machine = Machine("nobody", tmp_path)
    machine.tree.mkdir()
    for spelled, label in (("good", "good"), ("bad", name)):
        (machine.tree / f"{spelled}.yaml").write_text(
            "apiVersion: reconciler/v1\nkind: Automation\n"
            f'metadata: {{name: "{label}"}}\nspec: {{schedule: "@daily", command: [/bin/true]}}\n'
        )
    for command in (("plan", "desired"), ("apply", "desired", "--yes")):
        done = machine.run(*command)
        assert done.returncode == 1
        assert "desired/bad.yaml:3:" in done.stderr
        assert "nothing was planned and nothing was changed" in done.stderr
        assert "lower-case letters" in done.stderr


FOREIGN = {
    "backup@.service": "[Service]\nType=oneshot\nExecStart=/bin/true %i\n",
    "backup@home.timer": "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n",
    "two words.service": "[Service]\nExecStart=/bin/true\n",
    "two\\x20words.timer": "[Timer]\nOnCalendar=daily\n",
}


@pytest.mark.cron
@pytest.mark.systemd
def test_units_of_others_with_strange_names_are_in_nobodys_way(machine: Machine, manager: dict[str, str]) -> None:  # noqa: F811
    machine.environ |= {name: manager[name] for name in ("HOME", "XDG_RUNTIME_DIR")}
    folder = Path(manager["HOME"], ".config/systemd/user")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FOREIGN.items():
        (folder / name).write_text(content)
    beside = Bystander.__new__(Bystander)
    beside.machine = machine
    beside.innocent("0 6 * * *")
    spec = {"schedule": "@daily", "command": ["/bin/true"], "scheduler": "systemd", "scope": "user"}
    beside.write("Automation", "sweep", **spec)
    done = machine.apply()
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"Automation/innocent" in (machine.table() or b"")
    assert {name: (folder / name).read_text() for name in FOREIGN} == FOREIGN
    imported = machine.run("import", "systemd", "--out", "found")
    assert "Traceback" not in imported.stderr
    assert "two-words" in imported.stderr
    shutil.rmtree(machine.tree)
    assert machine.run("rollback", "0", "--yes").returncode == 0
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == sorted(FOREIGN)
    for name in FOREIGN:
        (folder / name).unlink()


@pytest.mark.cron
def test_a_manager_that_is_down_is_refused_and_the_crontab_stays(machine: Machine, tmp_path: Path) -> None:
    machine.automation("innocent", "0 6 * * *", ["/bin/true"], scheduler="crontab")
    assert machine.apply().returncode == 0
    before = machine.table()
    machine.automation("innocent", "30 7 * * *", ["/bin/true"], scheduler="crontab")
    spec = {"schedule": "@daily", "command": ["/bin/true"], "scheduler": "systemd", "scope": "user"}
    document = {"apiVersion": "reconciler/v1", "kind": "Automation", "metadata": {"name": "sweep"}, "spec": spec}
    (machine.tree / "sweep.yaml").write_text(json.dumps(document))
    machine.environ |= {"XDG_RUNTIME_DIR": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none"}
    done = machine.apply()
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode in (1, 5), text
    assert "the user manager of systemd does not answer" in text
    assert "set XDG_RUNTIME_DIR" in text
    assert machine.table() == before
