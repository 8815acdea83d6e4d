"""A machine with a crontab line that nothing may disturb, and what a message must say to a tired person."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.machine import Machine


@dataclass(kw_only=True)
class Bystander:
    """`innocent` is the line of an account that nothing here may disturb."""

    user: str
    folder: Path
    machine: Machine = field(init=False)

    def __post_init__(self) -> None:
        self.machine = Machine(self.user, self.folder)
        self.machine.tree.mkdir()

    def innocent(self, schedule: str) -> None:
        self.machine.automation("innocent", schedule, ["/bin/true"], scheduler="crontab")

    def write(self, kind: str, name: str, **spec: object) -> None:
        document = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        (self.machine.tree / f"{name}.yaml").write_text(json.dumps(document))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.machine.run(*arguments)

    def apply(self) -> subprocess.CompletedProcess[str]:
        return self.machine.apply()


def told(done: subprocess.CompletedProcess[str], code: int, *words: str, hint: str) -> None:
    """Whether a tired person would know what happened, where, why, and what to do now."""
    text = " ".join(done.stderr.split())
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in text
    for word in words:
        assert word in text, done.stderr
    if hint:
        assert "what to do: " in text, done.stderr
        assert hint in text.rpartition("what to do: ")[2], done.stderr


@contextmanager
def account_folder(machine: Machine) -> Iterator[Path]:
    """A folder that the account can really reach, with a copy of the manifests."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-"))
    shutil.copytree(machine.tree, folder / "desired")
    for path in (folder, folder / "desired", *(folder / "desired").iterdir()):
        shutil.chown(path, machine.user, machine.user)
    yield folder
    shutil.rmtree(folder)


def as_account(machine: Machine, folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`reconcile` as the account itself. It may read everything, for the interpreter may be in root's home."""
    if shutil.which("setpriv") is None:
        if os.environ.get("CI"):
            pytest.fail("needs the program setpriv, and this is CI")
        pytest.skip("needs the program setpriv")
    become = ["setpriv", "--reuid", machine.user, "--regid", machine.user, "--init-groups"]
    become += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    own = {
        "HOME": str(machine.home),
        "RECONCILER_STATE_DIR": str(folder / "state"),
        "RECONCILER_CACHE_DIR": str(folder / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [*become, *machine.argv(*arguments)],
        cwd=folder, env={**machine.environment(), **own, **environ}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
