"""`reconcile self`, for real: through the crontab of a throw-away account, and through a user manager of systemd."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.supervisor.resident import LINGER
from tests.e2e.machine import Machine, wait_until
from tests.e2e.person import Person
from tests.e2e.test_mixed import mixed, units, write  # noqa: F401 - the fixture
from tests.e2e.test_real_cron import HOSTILE
from tests.systemd.conftest import manager  # noqa: F401 - the fixture

pytestmark = pytest.mark.cron
LINE = b"@reboot : reconciler:Automation/reconciler-supervisor; "


def supervisors(state: Path) -> list[str]:
    done = subprocess.run(
        ["pgrep", "-f", f"reconciler.supervisor run --state {state}"], capture_output=True, text=True
    )
    return done.stdout.split()


@pytest.fixture
def person(account: str) -> Iterator[Person]:
    made = Person(account, Path(f"~{account}").expanduser() / "work")
    subprocess.run(["install", "-d", "-o", account, made.folder, made.tree], check=True)
    made.python = next(filter(made.can_run, (sys.executable, "/usr/bin/python3")), "")
    if not made.python:
        pytest.skip("another account can read neither this checkout nor a Python for it")
    made.clear()
    yield made
    made.clear()
    stop = [made.python, "-m", "reconciler.supervisor", "stop", "--state", str(made.state)]
    subprocess.run(stop, env=made.environment(), capture_output=True, user=account)
    subprocess.run(["rm", "-r", str(made.folder)], check=True)


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_through_crontab_installed_started_and_gone_without_a_trace(person: Person) -> None:
    person.install(HOSTILE)
    shown = good(person.run("self", "install", "--through", "crontab", "--yes"))
    assert "+ create Automation/reconciler-supervisor" in shown
    assert (person.table() or b"").startswith(LINE)
    (pid,) = supervisors(person.state)
    found = person.status()
    assert found["starts"] == "boot"
    assert found["hints"] == []
    assert isinstance(found["running"], dict)
    assert found["running"]["pid"] == int(pid)
    assert "nothing to do" not in good(person.run("history"))
    assert "1 unchanged" in good(person.run("self", "install", "--yes"))  # `auto` stays where it is
    good(person.run("self", "uninstall", "--yes"))
    assert person.table() == HOSTILE
    wait_until(lambda: not supervisors(person.state), 5, "its process follows its socket")
    assert person.status()["installed"] == []
    assert good(person.run("self", "uninstall", "--yes")) != ""


def test_the_line_starts_it_as_cron_would_and_a_second_one_changes_nothing(person: Person) -> None:
    good(person.run("self", "install", "--through", "crontab", "--yes"))
    line = (person.table() or b"").decode().removeprefix("@reboot ").rstrip("\n")
    environment = {"HOME": str(person.home), "PATH": "/usr/bin:/bin"}
    (pid,) = supervisors(person.state)
    time.sleep(LINGER + 2)
    assert supervisors(person.state) == [pid]  # it stays, with nothing to do
    stop = [person.python, "-m", "reconciler.supervisor", "stop", "--state", str(person.state)]
    subprocess.run(stop, env=person.environment(), capture_output=True, user=person.user, check=True)
    wait_until(lambda: not supervisors(person.state), 20, "it ends, as it was told")
    for _ in range(2):
        done = subprocess.run(["sh", "-c", line], env=environment, user=person.user, capture_output=True, cwd="/")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert len(supervisors(person.state)) == 1


def test_a_tree_neither_prunes_it_nor_leaves_its_drift(person: Person) -> None:
    good(person.run("self", "install", "--through", "crontab", "--yes"))
    person.automation("mine", "@daily", ["/bin/true"])
    good(person.apply())
    assert LINE in (person.table() or b"")
    assert "2 unchanged" in good(person.run("plan", "desired"))
    (person.tree / "mine.yaml").unlink()
    refused = person.apply()  # our own does not make an empty tree any less empty
    assert refused.returncode == 5, refused.stdout
    assert "empty tree" in refused.stderr
    for target in (["--target", "Automation/reconciler-supervisor"], []):
        person.automation("mine", "@daily", ["/bin/true"])
        table = person.table() or b""
        person.install(b"".join(line for line in table.splitlines(keepends=True) if LINE not in line))
        drifting = person.run("plan", "desired", *target, "--detailed-exitcode")
        assert drifting.returncode == 2
        assert "somebody removed it from the host" in drifting.stdout
        assert person.status()["hints"] == [
            "`reconcile self install` puts it right, as does the next apply of a tree"
        ]
        good(person.apply(*target))
        assert sorted((person.table() or b"").splitlines()) == sorted(table.splitlines())
    good(person.run("rollback", "0", "--yes"))
    assert person.table() is None
    wait_until(lambda: not supervisors(person.state), 5, "its process follows its socket")


def test_a_start_that_fails_is_rolled_back(person: Person) -> None:
    person.install(HOSTILE)
    person.environ["RECONCILER_STATE_DIR"] = f"{person.folder}/{'long' * 30}"
    failed = person.run("self", "install", "--through", "crontab", "--yes")
    assert failed.returncode == 7, failed.stdout + failed.stderr
    assert "a socket's path has at most" in " ".join(failed.stderr.split())
    assert person.table() == HOSTILE
    assert person.status()["installed"] == []


def test_a_rollback_of_an_uninstall_brings_it_back_for_good(person: Person) -> None:
    good(person.run("self", "install", "--through", "crontab", "--yes"))
    good(person.run("self", "uninstall", "--yes"))
    good(person.run("rollback", "1", "--yes"))
    person.automation("mine", "@daily", ["/bin/true"])
    good(person.apply())
    assert LINE in (person.table() or b"")


def test_a_plan_against_a_snapshot_leaves_it_too(person: Person) -> None:
    good(person.run("self", "install", "--through", "crontab", "--yes"))
    person.automation("mine", "@daily", ["/bin/true"])
    good(person.run("snapshot", "--out", "host.json"))
    there = good(person.run("plan", "desired", "--against", "host.json", "-o", "json"))
    here = json.loads(good(person.run("plan", "desired", "-o", "json")))
    changes = [step["id"] for step in json.loads(there)["steps"] if step["type"] == "change"]
    assert changes == ["Automation/mine"]
    assert json.loads(there)["fingerprint"] == here["fingerprint"]


def test_forgotten_by_the_journal_it_stays_and_can_be_installed_again(person: Person) -> None:
    good(person.run("self", "install", "--through", "crontab", "--yes"))
    person.automation("mine", "@daily", ["/bin/true"])
    with sqlite3.connect(person.state / "journal.db") as journal:
        journal.execute("DELETE FROM meta WHERE key = 'self'")
    journal.close()
    good(person.apply())
    assert LINE in (person.table() or b"")
    good(person.run("self", "install", "--yes"))
    assert "2 unchanged" in good(person.run("plan", "desired"))


def test_an_interpreter_that_is_gone_is_said_and_replaced(person: Person) -> None:
    python, person.python = person.python, f"{person.folder}/python"
    Path(person.python).symlink_to(python)
    good(person.run("self", "install", "--through", "crontab", "--yes"))
    Path(person.python).unlink()
    person.python = python
    (hint,) = person.status()["hints"]  # type: ignore[misc]
    assert f"{person.folder}/python is gone: run `reconcile self install`" in hint
    assert "~ update Automation/reconciler-supervisor" in good(person.run("self", "install", "--yes"))
    assert person.status()["hints"] == []


def test_a_supervisor_that_keeps_something_goes_on_after_an_uninstall(person: Person) -> None:
    good(person.run("self", "install", "--through", "crontab", "--yes"))
    definitions = person.state / "supervisor/definitions.json"
    entry = {"id": "Service/web", "state": {"command": ["/bin/sleep", "1000"]}}
    definitions.write_text(json.dumps({"v": 1, "entries": [entry]}))
    definitions.chmod(0o644)
    gone = person.run("self", "uninstall", "--yes")
    good(gone)
    assert "1 of your resources are embedded" in gone.stderr
    assert len(supervisors(person.state)) == 1
    assert person.status()["hints"] == ["`reconcile self install` makes it start by itself"]


def test_through_crontab_the_supervisor_keeps_the_watch(person: Person) -> None:
    person.automation("mine", "@daily", ["/bin/true"])
    good(person.run("self", "install", "--through", "crontab", "--watch", "desired", "--yes"))
    wait_until(lambda: b"Automation/mine" in (person.table() or b""), 60, "the watch has applied the tree")
    found = person.status()
    assert [thing["through"] for thing in found["installed"]] == ["crontab", "embedded"]  # type: ignore[attr-defined]
    assert str(found["watch"]).startswith("watch ")
    good(person.run("self", "uninstall", "--yes"))
    wait_until(lambda: not supervisors(person.state), 5, "its process follows its socket")
    assert LINE not in (person.table() or b"")
    assert person.status()["watch"] is None


def test_our_names_are_refused_in_manifests(person: Person) -> None:
    person.automation("reconciler-backup", "@daily", ["/bin/true"])
    refused = person.run("validate", "desired")
    assert refused.returncode == 1
    said = " ".join((refused.stdout + refused.stderr).split())
    assert "names that begin with reconciler- are kept for `reconcile self install`" in said
    assert "rename it to backup" in said


@pytest.mark.systemd
def test_through_systemd_with_a_watch(mixed: Machine) -> None:  # noqa: F811
    write(mixed, "Service", "web", supervisor="systemd", scope="user", command=["/bin/sleep", "1000"])
    try:
        shown = good(mixed.run("self", "install", "--scope", "user", "--watch", "desired", "--yes"))
        assert "lingering is off" in " ".join(shown.split())
        ours = {f"reconciler-service-reconciler-{name}.service" for name in ("supervisor", "watch")}
        wait_until(lambda: len(units(mixed)) == 3, 60, "the watch has applied the tree")
        assert ours < units(mixed).keys()
        found = json.loads(mixed.run("self", "status", "-o", "json").stdout)
        assert [thing["trouble"] for thing in found["installed"]] == [None, None]
        assert str(found["watch"]).startswith("watch ")

        unit = Path(mixed.environ["HOME"], ".config/systemd/user/reconciler-service-reconciler-supervisor.service")
        before = unit.read_bytes()
        unit.write_bytes(before.replace(b"RestartSec=3s", b"RestartSec=9s"))
        wait_until(lambda: mixed.run("plan", "desired", "--detailed-exitcode").returncode == 2, 20, "drift is seen")
        wait_until(lambda: mixed.apply().returncode == 0, 60, "the watch has let go of the lock")
        assert unit.read_bytes() == before

        good(mixed.run("self", "install", "--scope", "user", "--yes"))  # without the watch
        assert units(mixed).keys() - ours == {"reconciler-service-web.service"}
        assert json.loads(mixed.run("self", "status", "-o", "json").stdout)["watch"] is None
    finally:
        done = mixed.run("self", "uninstall", "--yes")
        mixed.run("rollback", "0", "--yes")
    good(done)
    assert units(mixed) == {}
    wait_until(lambda: not supervisors(mixed.state), 5, "its process follows its socket")


@pytest.mark.systemd
def test_where_only_the_users_manager_answers_auto_takes_cron_and_systemd_says_how(mixed: Machine) -> None:  # noqa: F811
    shown = mixed.run("self", "install")  # nobody says yes
    assert "create Automation/reconciler-supervisor" in shown.stdout, shown.stdout + shown.stderr
    refused = mixed.run("self", "install", "--through", "systemd")
    said = " ".join((refused.stdout + refused.stderr).split())
    assert "`reconcile self install` with `--scope user` or `--through crontab`" in said
    assert "manifest another" not in said


@pytest.mark.systemd
def test_where_systemd_cannot_be_reached_a_tree_is_applied_all_the_same(mixed: Machine) -> None:  # noqa: F811
    mixed.automation("mine", "@daily", ["/bin/true"], scheduler="crontab")
    try:
        good(mixed.run("self", "install", "--scope", "user", "--yes"))
        ours = units(mixed)
        session = mixed.environ["XDG_RUNTIME_DIR"]
        mixed.environ["XDG_RUNTIME_DIR"] = str(mixed.folder)  # as in a job of cron
        good(mixed.apply())
        (thing,) = json.loads(mixed.run("self", "status", "-o", "json").stdout)["installed"]
        assert "systemd" in thing["trouble"]
        mixed.environ["XDG_RUNTIME_DIR"] = session
        assert "2 unchanged" in good(mixed.run("plan", "desired"))
        assert units(mixed) == ours
    finally:
        done = mixed.run("rollback", "0", "--yes")
    good(done)
    assert units(mixed) == {}


@pytest.mark.systemd
def test_a_start_that_fails_under_systemd_is_rolled_back(mixed: Machine) -> None:  # noqa: F811
    mixed.environ["RECONCILER_STATE_DIR"] = str(mixed.folder / ("long" * 30))
    failed = mixed.run("self", "install", "--scope", "user", "--through", "systemd", "--yes")
    assert failed.returncode == 7, failed.stdout + failed.stderr
    assert units(mixed) == {}
