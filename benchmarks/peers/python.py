"""The tools that pip installs: Ansible, pyinfra and Salt, each in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.manifests import Job
from benchmarks.peers import Unavailable
from benchmarks.place import Place

PATIENCE = 900.0


def environment(place: Place, package: str) -> Path:
    """A fresh environment with the package; returns its folder of programs."""
    folder = place.root / "peers" / package
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package)
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for command in ((sys.executable, "-m", "venv", folder), pip):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=env)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(str(error)) from error
        if done.returncode:
            raise Unavailable(done.stderr.strip()[-160:] or "pip failed")
    return folder / "bin"


def told(job: Job) -> dict[str, str]:
    minute, hour, weekday = job.fields
    return {"name": job.name, "minute": minute, "hour": hour, "weekday": weekday, "job": job.line}


class Ansible:
    """`ansible.builtin.cron` in a loop, local connection, no facts."""

    name = "Ansible"
    pending = b"\nchanged: [localhost] => (item="

    def install(self, place: Place) -> None:
        self.bin = environment(place, "ansible-core")
        home = place.root / "peers" / "ansible-home"
        place.env |= {
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_LOCAL_TEMP": str(home / "l"),
            "ANSIBLE_REMOTE_TEMP": str(home / "r"),
        }

    def remove(self) -> None:
        """All of it is in the place."""

    def describe(self, folder: Path, jobs: Sequence[Job], user: str) -> None:
        names = ("name", "minute", "hour", "weekday", "job")
        task = {"user": user, **{name: "{{ item." + name + " }}" for name in names}}
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": str(self.bin / "python")},
            "vars_files": ["jobs.json"],
            "tasks": [
                {"ansible.builtin.cron": task, "loop": "{{ jobs }}", "loop_control": {"label": "{{ item.name }}"}}
            ],
        }
        (folder / "play.yml").write_text(json.dumps([play]))
        (folder / "jobs.json").write_text(json.dumps({"jobs": [told(job) for job in jobs]}))

    def command(self, folder: Path, *, plan: bool) -> list[str | Path]:
        check = ("--check", "--diff") if plan else ()
        return [self.bin / "ansible-playbook", "-i", "localhost,", folder / "play.yml", *check]


class Pyinfra:
    """One `crontab.crontab` operation a job, on `@local`."""

    name = "pyinfra"
    pending = b" (@local) "

    def install(self, place: Place) -> None:
        self.bin = environment(place, "pyinfra")

    def remove(self) -> None:
        """All of it is in the place."""

    def describe(self, folder: Path, jobs: Sequence[Job], user: str) -> None:
        (folder / "deploy.py").write_text(
            "from pyinfra.operations import crontab\n"
            f"for one in {[told(job) for job in jobs]!r}:\n"
            "    crontab.crontab(name=one['name'], command=one['job'], cron_name=one['name'], minute=one['minute'],\n"
            f"        hour=one['hour'], day_of_week=one['weekday'], user={user!r})\n"
        )

    def command(self, folder: Path, *, plan: bool) -> list[str | Path]:
        return [self.bin / "pyinfra", "@local", folder / "deploy.py", "--dry" if plan else "-y"]


class Salt:
    """`cron.present` states through `salt-call --local`."""

    name = "Salt"
    pending = b"Result: None\n"

    def install(self, place: Place) -> None:
        self.bin = environment(place, "salt")

    def remove(self) -> None:
        """All of it is in the place."""

    def describe(self, folder: Path, jobs: Sequence[Job], user: str) -> None:
        states = folder / "states"
        states.mkdir()
        minion = {
            "root_dir": str(folder),
            "id": "bench",
            "file_client": "local",
            "file_roots": {"base": [str(states)]},
        }
        (folder / "minion").write_text(
            json.dumps({**minion, "log_level_logfile": "quiet", "enable_legacy_startup_events": False})
        )
        told_all = {}
        for job in jobs:
            one = told(job)
            fields = [{"name": one["job"]}, {"identifier": one["name"]}, {"user": user}, {"minute": one["minute"]}]
            told_all[one["name"]] = {"cron.present": [*fields, {"hour": one["hour"]}, {"dayweek": one["weekday"]}]}
        (states / "jobs.sls").write_text(json.dumps(told_all))

    def command(self, folder: Path, *, plan: bool) -> list[str | Path]:
        test = ("test=True",) if plan else ()
        return [self.bin / "salt-call", "--local", "-c", folder, "state.apply", "jobs", *test]
