"""The whole walk with Debian's cron: fires, heals, rolls back, and never touches a foreign byte."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, wait_until

pytestmark = pytest.mark.cron

HOSTILE = (
    b"# my own jobs, do not touch\n"
    b"\n"
    b"  05 4 * * 1-5\t/usr/local/bin/backup --fast # not a comment for cron\n"
    b'MAILTO=""\n'
    b"FOO = bar\n"
    b"PATH=/opt/\xe4\xf6/bin:/usr/bin:/bin\n"
    b"0 0 * * * echo 100\\% done; cat%stdin line%another\n"
    b"@daily true\n"
    b"#0 5 * * * disabled --for-now\n"
    b'30 2 * * 7 echo "it # is"\t \n'
    b"\t\n"
)


def foreign(table: bytes) -> bytes:
    return b"".join(line for line in table.splitlines(keepends=True) if b": reconciler@root:" not in line)


@pytest.mark.slow
def test_an_applied_automation_really_fires(machine: Machine) -> None:
    canary = machine.home / "canary"
    machine.automation(
        "fire",
        "* * * * *",
        ["sh", "-c", 'printf "%s|%s|100%%|%s" "$PWD" "$NOTE" "$1" > canary', "sh", 'it\'s \\\\ "q" 50%'],
        workingDirectory="~",
        environment={"NOTE": "a b'c%d"},
    )
    done = machine.apply()
    assert done.returncode == 0, done.stderr
    wait_until(lambda: canary.exists() and canary.read_text(), 75, "cron runs the automation")
    assert canary.read_text() == f"{machine.home}|a b'c%d|100%|it's \\\\ \"q\" 50%"


def test_foreign_lines_stay_as_they_are_through_a_whole_life(machine: Machine) -> None:
    machine.install(HOSTILE)
    for step in ("0 6 * * *", "30 6 * * *"):
        machine.automation("brief", step, ["/bin/true", "x"])
        machine.automation("other", "@daily", "echo hello | cat")
        done = machine.apply()
        assert done.returncode == 0, done.stderr
        assert foreign(machine.table() or b"") == HOSTILE
    (machine.tree / "other.yaml").unlink()
    assert machine.apply().returncode == 0
    assert (machine.table() or b"").count(b": reconciler@root:") == 1
    assert machine.run("rollback", "0", "--yes").returncode == 0
    assert machine.table() == HOSTILE


def test_the_second_plan_is_empty(machine: Machine) -> None:
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    first = machine.run("plan", "desired", "--detailed-exitcode")
    assert first.returncode == 2, first.stderr
    assert machine.apply().returncode == 0
    again = machine.run("plan", "desired", "--detailed-exitcode")
    assert again.returncode == 0, again.stdout


def test_tampering_is_seen_as_drift_and_healed(machine: Machine) -> None:
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    machine.apply()
    good = machine.table()
    assert good is not None
    machine.install(good.replace(b"*/5", b"*/7"))
    plan = json.loads(machine.run("plan", "desired", "-o", "json").stdout)
    assert [step["cause"] for step in plan["steps"] if step.get("cause")] == ["drift"]
    assert machine.apply().returncode == 0
    assert machine.table() == good


def test_a_failing_probe_rolls_back_byte_for_byte_and_quarantines(machine: Machine) -> None:
    machine.install(HOSTILE)
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    assert machine.apply().returncode == 0
    before = machine.table()
    machine.automation("a", "*/6 * * * *", ["/bin/true"])
    machine.automation(
        "b",
        "0 1 * * *",
        ["false"],
        verify={"within": "1s", "probes": [{"exec": ["sh", "-c", "echo no >&2; exit 3"]}]},
    )
    failed = machine.apply()
    assert failed.returncode == 7, failed.stderr
    assert "Automation/b" in failed.stderr
    assert machine.table() == before
    refused = machine.apply()
    assert refused.returncode == 5
    assert "quarantine" in refused.stderr
    assert machine.table() == before
    freed = machine.run("release", "--quarantine", "all")
    assert freed.returncode == 0, freed.stderr
    assert machine.apply().returncode == 7
    machine.automation("b", "0 1 * * *", ["/bin/true"])
    assert machine.apply().returncode == 0


def test_the_undo_of_the_first_create_leaves_no_crontab(machine: Machine) -> None:
    machine.automation("a", "@daily", ["x"], verify={"within": "1s", "probes": [{"exec": ["false"]}]})
    assert machine.apply().returncode == 7
    assert machine.table() is None


def test_a_duplicate_of_a_foreign_line_is_refused_until_adopted(machine: Machine) -> None:
    machine.install(b"0 6 * * * /usr/local/bin/brief --all\nPATH=/bin\n")
    machine.automation("brief", "0 6 * * *", "/usr/local/bin/brief --all")
    refused = machine.apply()
    assert refused.returncode == 5
    assert "reconcile adopt Automation/brief" in refused.stdout + refused.stderr
    adopted = machine.run("adopt", "Automation/brief", "desired", "--yes")
    assert adopted.returncode == 0, adopted.stderr
    table = machine.table() or b""
    assert table.count(b"/usr/local/bin/brief") == 1
    assert foreign(table) == b"PATH=/bin\n"
    assert machine.run("plan", "desired", "--detailed-exitcode").returncode == 0
    released = machine.run("release", "Automation/brief", "--yes")
    assert released.returncode == 0, released.stderr
    assert b"reconciler@root:" not in (machine.table() or b"")
    assert b"/usr/local/bin/brief --all" in (machine.table() or b"")


def test_a_saved_plan_is_applied_exactly_or_refused(machine: Machine) -> None:
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    assert machine.run("plan", "desired", "--out", "plan.json").returncode == 0
    machine.automation("a", "*/9 * * * *", ["/bin/true"])  # what is in the tree now does not matter
    done = machine.run("apply", "plan.json", "--yes")
    assert done.returncode == 0, done.stderr
    assert b"*/5 * * * *" in (machine.table() or b"")
    stale = machine.run("apply", "plan.json", "--yes")
    assert stale.returncode == 3
    assert "something changed" in stale.stderr


def test_a_plan_saved_before_the_first_apply_and_made_elsewhere_can_be_applied(machine: Machine) -> None:
    machine.automation("a", "*/5 * * * *", ["/bin/echo", "--password=hunter2"])
    assert machine.run("snapshot", "desired", "--out", "host.json").returncode == 0
    elsewhere = {**machine.environment(), "RECONCILER_STATE_DIR": str(machine.folder / "none"), "PATH": "/nowhere"}
    arguments = machine.argv("plan", "desired", "--against", "host.json", "--out", "plan.json")
    made = subprocess.run(arguments, cwd=machine.folder, env=elsewhere, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    done = machine.run("apply", "plan.json", "--yes")
    assert done.returncode == 0, done.stderr
    assert b"--password=hunter2" in (machine.table() or b"")


def test_the_plan_from_elsewhere_is_the_plan_on_the_host(machine: Machine) -> None:
    machine.install(HOSTILE)
    machine.automation("a", "*/5 * * * *", ["true", "--password=hunter2"])
    machine.apply()
    machine.automation("a", "*/10 * * * *", ["true", "--password=hunter3"])
    machine.automation("b", "@daily", ["echo", "x"])
    assert machine.run("snapshot", "desired", "--out", "host.json").returncode == 0
    seen = (machine.folder / "host.json").read_text()
    assert "hunter2" not in seen
    assert "do not touch" not in seen
    for output in ("text", "json", "markdown", "github"):
        here = machine.run("plan", "desired", "-o", output)
        elsewhere = subprocess.run(
            machine.argv("plan", "desired", "--against", "host.json", "-o", output),
            cwd=machine.folder,
            env={**machine.environment(), "RECONCILER_STATE_DIR": str(machine.folder / "none"), "PATH": "/nowhere"},
            capture_output=True,
            text=True,
        )
        assert elsewhere.returncode == here.returncode == 0, elsewhere.stderr
        assert elsewhere.stdout == here.stdout
        assert "hunter" not in here.stdout


def test_a_lost_journal_prunes_nothing_and_is_rebuilt_from_the_marks(machine: Machine) -> None:
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    machine.automation("b", "@daily", ["/bin/true"])
    machine.apply()
    (machine.tree / "b.yaml").unlink()
    journal = next(machine.state.glob("*.db"))
    journal.write_bytes(b"\0" * 4096)
    for extra in machine.state.glob("*.db-*"):
        extra.unlink()
    before = machine.table()
    done = machine.apply()
    assert done.returncode == 0, done.stderr
    assert machine.table() == before
    assert "set aside" in done.stdout + done.stderr
    assert list(machine.state.glob("*broken*"))
    assert machine.apply().returncode == 0
    assert b"Automation/b" not in (machine.table() or b"")


def test_two_applies_at_once_do_not_mix(machine: Machine) -> None:
    machine.automation(
        "a", "*/5 * * * *", ["/bin/true"], verify={"within": "20s", "probes": [{"file": str(machine.folder / "go")}]}
    )
    first = subprocess.Popen(
        machine.argv("apply", "desired", "--yes"),
        cwd=machine.folder,
        env=machine.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(lambda: machine.table() is not None, 20, "the first apply has written")
    second = machine.apply()
    assert second.returncode == 4
    assert str(first.pid) in second.stderr
    (machine.folder / "go").write_text("")
    output, _ = first.communicate(timeout=30)
    assert first.returncode == 0, output


def test_an_editor_between_read_and_write_loses_nothing(machine: Machine, tmp_path: Path) -> None:
    """A `crontab` in front of the real one lets somebody edit right before our install."""
    machine.install(b"0 1 * * * mine\n")
    shims = tmp_path / "bin"
    shims.mkdir()
    shim = shims / "crontab"
    shim.write_text(
        "#!/bin/sh\n"
        'case "$*" in *-l*) exec /usr/bin/crontab "$@";; esac\n'
        f"if [ ! -e {tmp_path}/edited ]; then touch {tmp_path}/edited\n"
        f"  (/usr/bin/crontab -u {machine.user} -l; echo '0 2 * * * theirs') | /usr/bin/crontab -u {machine.user} -\n"
        "fi\n"
        'exec /usr/bin/crontab "$@"\n'
    )
    shim.chmod(0o755)
    machine.environ["PATH"] = f"{shims}:{machine.environment()['PATH']}"
    machine.automation("a", "*/5 * * * *", ["/bin/true"])
    done = machine.apply()
    table = machine.table() or b""
    assert b"0 1 * * * mine\n" in table
    assert (tmp_path / "edited").exists()
    assert b"0 2 * * * theirs\n" in table, (done.returncode, done.stderr, table)
