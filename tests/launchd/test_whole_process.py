"""`reconcile` as a process, with the stand-in for launchctl on PATH; files, `ls`, `id` and `mkdir` are real.

Root has no agents: as root it runs in a user namespace, as an ordinary user there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
USER = 501
AS_USER = (
    [shutil.which("unshare") or "unshare", "--user", f"--map-user={USER}", f"--map-group={USER}"]
    if os.geteuid() == 0
    else []
)


class Mac:
    """A home folder; run as an ordinary user, for root has no agents."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uid = USER if AS_USER else os.geteuid()
        self.agents = folder / "home" / "Library" / "LaunchAgents"
        (folder / "home").mkdir()
        (folder / "bin").mkdir()
        (folder / "bin" / "launchctl").symlink_to(Path(__file__).parent / "launchctl")
        for program in ("id", "ls", "mkdir", "printenv"):  # no other backend is found on this PATH
            (folder / "bin" / program).symlink_to(shutil.which(program) or program)
        (folder / "desired").mkdir()

    def manifest(self, kind: str, name: str, **spec: Any) -> None:
        document = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        (self.folder / "desired" / f"{name}.yaml").write_text(json.dumps(document))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder / "home"),
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            "LAUNCHCTL_STATE": str(self.folder / "launchctl.json"),
            "RECONCILER_STATE_DIR": str(self.folder / "state"),
            "RECONCILER_CACHE_DIR": str(self.folder / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        program = "import sys; from reconciler.cli.main import main; sys.exit(main())"
        return subprocess.run(
            [*AS_USER, sys.executable, "-c", program, *arguments],
            cwd=self.folder, env=environ, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    def jobs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "launchctl.json").read_text())["domains"]
        return found[f"gui/{self.uid}"]

    def crash_status(self, label: str, code: int) -> None:
        state = self.folder / "launchctl.json"
        kept = json.loads(state.read_text())
        state.write_text(json.dumps({**kept, "exits": {label: code}}))


@pytest.fixture
def mac() -> Iterator[Mac]:
    folder = Path(tempfile.mkdtemp(prefix="launchd-"))
    made = Mac(folder)
    if AS_USER and subprocess.run([*AS_USER, "true"], capture_output=True).returncode != 0:
        shutil.rmtree(folder)
        pytest.skip("runs as root, and user namespaces are not allowed here")
    yield made
    shutil.rmtree(folder)


def test_apply_update_roll_back_and_prune_as_a_person_would(mac: Mac) -> None:
    mac.manifest("Automation", "brief", schedule="0 6 * * *", command=["true"], scheduler="launchd")
    mac.manifest("Service", "web", command=["/usr/bin/serve"], supervisor="launchd")
    done = mac.run("apply", "desired", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(mac.jobs()) == ["reconciler.automation.brief", "reconciler.service.web"]
    assert (mac.folder / "home/Library/Logs/reconciler").is_dir()
    assert (mac.agents / "reconciler.service.web.plist").stat().st_mode & 0o777 == 0o644
    again = mac.run("plan", "desired", "--detailed-exitcode")
    assert again.returncode == 0, again.stdout + again.stderr

    stood = (mac.agents / "reconciler.service.web.plist").read_bytes()
    mac.crash_status("reconciler.service.web", 78)
    mac.manifest("Service", "web", command=["/usr/bin/serve", "--broken"], supervisor="launchd")
    failed = mac.run("apply", "desired", "--yes")
    assert failed.returncode == 7, failed.stdout + failed.stderr
    assert "78" in failed.stdout + failed.stderr
    assert (mac.agents / "reconciler.service.web.plist").read_bytes() == stood

    (mac.folder / "desired" / "web.yaml").unlink()
    assert mac.run("apply", "desired", "--yes").returncode == 0
    assert sorted(mac.jobs()) == ["reconciler.automation.brief"]
    assert [path.name for path in mac.agents.iterdir()] == ["reconciler.automation.brief.plist"]


def test_what_was_imported_and_adopted_leaves_nothing_to_do_and_comes_back_as_it_was(mac: Mac) -> None:
    import plistlib

    mac.agents.mkdir(parents=True)
    plist = {"Label": "com.example.backup", "ProgramArguments": ["/bin/backup"], "StartInterval": 420}
    mine = plistlib.dumps(plist)
    (mac.agents / "com.example.backup.plist").write_bytes(mine)
    done = mac.run("import", "launchd", "--out", "desired")
    assert done.returncode == 0, done.stdout + done.stderr
    done = mac.run("adopt", "Automation/backup", "desired", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(mac.jobs()) == ["reconciler.automation.backup"]
    assert [path.name for path in mac.agents.iterdir()] == ["reconciler.automation.backup.plist"]
    assert mac.run("plan", "desired", "--detailed-exitcode").returncode == 0
    done = mac.run("release", "Automation/backup", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(path.name, path.read_bytes()) for path in mac.agents.iterdir()] == [("com.example.backup.plist", mine)]
    assert mac.jobs() == {}  # nor was it loaded before
    status = mac.run("status")
    assert "1 owned" not in status.stdout
    assert mac.run("rollback", "--yes").returncode == 0
    assert list(mac.jobs()) == ["reconciler.automation.backup"]
    assert mac.run("rollback", "0", "--yes").returncode == 0
    assert [(path.name, path.read_bytes()) for path in mac.agents.iterdir()] == [("com.example.backup.plist", mine)]


def test_self_is_an_agent_that_trees_leave_alone(mac: Mac) -> None:
    mac.manifest("Automation", "brief", schedule="0 6 * * *", command=["true"], scheduler="launchd")
    done = mac.run("self", "install", "--watch", "desired", "--yes")  # `auto`: nothing else is there
    assert done.returncode == 0, done.stdout + done.stderr
    ours = ["reconciler.service.reconciler-supervisor", "reconciler.service.reconciler-watch"]
    assert sorted(mac.jobs()) == ours
    assert mac.run("apply", "desired", "--yes").returncode == 0
    assert sorted(mac.jobs()) == ["reconciler.automation.brief", *ours]
    found = json.loads(mac.run("self", "status", "-o", "json").stdout)
    assert found["starts"] == "login"
    assert [thing["through"] for thing in found["installed"]] == ["launchd", "launchd"]
    plist = mac.agents / f"{ours[0]}.plist"
    stood = plist.read_bytes()
    plist.unlink()
    assert mac.run("plan", "desired", "--detailed-exitcode").returncode == 2
    assert mac.run("apply", "desired", "--yes").returncode == 0
    assert plist.read_bytes() == stood
    mac.crash_status(ours[0], 78)
    assert mac.run("self", "uninstall", "--yes").returncode == 0
    failed = mac.run("self", "install", "--yes")
    assert failed.returncode == 7, failed.stdout + failed.stderr
    assert sorted(mac.jobs()) == ["reconciler.automation.brief"]
