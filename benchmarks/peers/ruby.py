"""Puppet, from the packages of the system: what was installed for it is removed again afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.manifests import Job
from benchmarks.peers import Unavailable
from benchmarks.place import Place

PACKAGES = ("puppet-agent", "puppet-module-puppetlabs-cron-core")


class Puppet:
    """`cron` resources through `puppet apply`."""

    name = "Puppet"
    pending = b"', should be '"

    def __init__(self) -> None:
        self.added: list[str] = []

    def install(self, place: Place) -> None:  # noqa: ARG002  packages have one place only
        if shutil.which("puppet") is not None:
            return
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise Unavailable("no puppet, and not root with apt-get")
        said = _apt("--simulate", "install", *PACKAGES)
        self.added = re.findall(r"^Inst (\S+)", said, re.MULTILINE)
        _apt("install", *PACKAGES)
        if shutil.which("puppet") is None:
            raise Unavailable("its package brings no program")

    def remove(self) -> None:
        if self.added:
            with contextlib.suppress(Unavailable):  # nothing more can be done about it here
                _apt("purge", *self.added)

    def describe(self, folder: Path, jobs: Sequence[Job], user: str) -> None:
        (folder / "site.pp").write_text("".join(_resource(job, user) for job in jobs))

    def command(self, folder: Path, *, plan: bool) -> list[str | Path]:
        own = (
            "--confdir",
            folder / "conf",
            "--vardir",
            folder / "var",
            "--logdir",
            folder / "log",
            "--rundir",
            folder / "run",
        )
        return ["puppet", "apply", *own, *(("--noop",) if plan else ()), folder / "site.pp"]


def _resource(job: Job, user: str) -> str:
    minute, hour, weekday = job.fields
    return (
        f"cron {{ '{job.name}': command => '{job.line}', user => '{user}', "
        f"minute => '{minute}', hour => '{hour}', weekday => '{weekday}' }}\n"
    )


def _apt(verb: str, *words: str) -> str:
    command = ["apt-get", "--yes", "--quiet", "--no-install-recommends", verb, *words]
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise Unavailable(f"apt-get {verb}: {done.stderr.strip()[-160:]}")
    return done.stdout
