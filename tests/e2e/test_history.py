"""Rollbacks, releases and partial applies in a row: what comes back, what stays away, what the host stands for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, wait_until

pytestmark = pytest.mark.cron


def schedules(machine: Machine) -> list[str]:
    return [line.partition(" : reconciler")[0] for line in (machine.table() or b"").decode().splitlines()]


def test_repeated_rollback_walks_back_instead_of_toggling(machine: Machine) -> None:
    for hour in ("6", "7", "8"):
        machine.automation("a", f"0 {hour} * * *", ["/bin/true"])
        assert machine.apply().returncode == 0
    assert machine.run("rollback", "--yes").returncode == 0
    assert schedules(machine) == ["0 7 * * *"]
    assert machine.apply().returncode == 5  # 8:00 was rolled back by a person, so it does not come back by itself
    assert machine.run("rollback", "--yes").returncode == 0
    assert schedules(machine) == ["0 6 * * *"]
    assert machine.run("rollback", "--yes").returncode == 0
    assert machine.table() is None
    assert machine.run("rollback", "--yes").returncode == 1
    assert machine.run("rollback", "0", "--yes").returncode == 0  # nothing is left to remove, which is no error


def test_a_rollback_to_a_quarantined_revision_frees_it_and_keeps_away_what_ran(machine: Machine) -> None:
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    machine.apply()
    machine.automation("a", "0 7 * * *", ["/bin/true"])
    machine.apply()
    machine.run("rollback", "--yes")
    assert machine.run("rollback", "2", "--yes").returncode == 0
    assert schedules(machine) == ["0 7 * * *"]
    assert machine.apply().returncode == 0
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    assert machine.apply().returncode == 5
    assert schedules(machine) == ["0 7 * * *"]


def test_a_rollback_past_an_adoption_and_a_removal_gives_the_own_line_back_in_two_steps(machine: Machine) -> None:
    mine = b"0 1 * * * /bin/mine --x\n"
    machine.install(mine)
    machine.automation("mine", "0 1 * * *", "/bin/mine --x")
    assert machine.run("adopt", "Automation/mine", "desired", "--yes").returncode == 0
    (machine.tree / "mine.yaml").unlink()
    machine.automation("other", "@daily", ["/bin/true"])
    assert machine.apply().returncode == 0
    refused = machine.run("rollback", "0", "--yes")
    assert refused.returncode == 5
    assert "reconcile rollback 1" in refused.stdout + refused.stderr
    assert machine.run("rollback", "1", "--yes").returncode == 0
    assert machine.run("rollback", "0", "--yes").returncode == 0
    assert machine.table() == mine


def test_everything_goes_also_after_the_journal_was_lost(machine: Machine) -> None:
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    machine.automation("b", "0 7 * * *", ["/bin/true"])
    machine.apply()
    for file in machine.state.glob("journal*"):
        file.unlink()
    (machine.tree / "b.yaml").unlink()
    assert machine.apply().returncode == 0  # rebuilt from the marks
    assert machine.apply().returncode == 0  # prunes b
    refused = machine.run("rollback", "0", "--yes")
    assert refused.returncode == 5  # nobody remembers whether `a` was adopted from a line of the user's
    assert "reconcile release Automation/a" in refused.stdout
    assert machine.run("rollback", "0", "--yes", "--accept", "data-loss").returncode == 0
    assert machine.table() is None


def test_a_line_that_somebody_changed_goes_with_everything_where_that_is_accepted(machine: Machine) -> None:
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    machine.automation("b", "0 7 * * *", ["/bin/true"])
    machine.apply()
    machine.install(machine.table().replace(b"0 6 * * *", b"1 6 * * *"))
    refused = machine.run("rollback", "0", "--yes")
    assert refused.returncode == 5
    assert "what they wrote goes with it" in refused.stdout
    assert machine.run("rollback", "0", "--yes", "--accept", "data-loss").returncode == 0
    assert machine.table() is None


def test_an_own_line_adopted_under_a_name_used_before_comes_back(machine: Machine) -> None:
    own = b"2 2 * * *  /bin/own  # x\n"
    machine.automation("m", "0 6 * * *", ["/bin/true"])
    machine.automation("z", "0 7 * * *", ["/bin/true"])
    machine.apply()
    (machine.tree / "m.yaml").unlink()
    machine.apply()
    machine.install(own + (machine.table() or b""))
    machine.automation("m", "2 2 * * *", "/bin/own  # x")
    adopted = machine.run("adopt", "Automation/m", "desired", "--yes")
    assert adopted.returncode == 0, adopted.stderr
    assert machine.run("rollback", "0", "--yes").returncode == 0
    assert machine.table() == own


def test_a_failed_rollback_stays_pending_whatever_fails_after_it(machine: Machine) -> None:
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    machine.apply()
    edit = f"crontab -u {machine.user} -l | sed s,/bin/true,/bin/HUMAN, | crontab -u {machine.user} -; false"
    machine.automation("a", "0 7 * * *", ["/bin/true"], verify={"within": "100ms", "probes": [{"exec": edit}]})
    assert machine.apply().returncode == 8
    machine.automation(
        "b", "0 8 * * *", ["/bin/true"], verify={"within": "1ms", "probes": [{"exec": ["/bin/false"]}]}
    )
    (machine.tree / "a.yaml").unlink()
    assert machine.run("apply", str(machine.tree / "b.yaml"), "--yes").returncode == 7
    assert "reconcile resume" in " ".join(machine.run("status", "desired").stdout.split())


def test_annotations_name_the_problems_of_manifests(machine: Machine) -> None:
    (machine.tree / "bad.yaml").write_text("apiVersion: reconciler/v1\nkind: Nonsense\n")
    done = machine.run("plan", "desired", "-o", "github")
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=desired/bad.yaml,line=")


def test_a_secret_is_masked_before_text_is_cut(machine: Machine) -> None:
    secret = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"
    command = ["/bin/sh", "-c", f"echo {'x' * 40} token: {secret}; false"]
    machine.automation("a", "0 6 * * *", ["/bin/true"], verify={"within": "100ms", "probes": [{"exec": command}]})
    said = machine.run("plan", "desired").stdout
    done = machine.apply()
    said += done.stdout + done.stderr + machine.run("history").stdout + machine.run("status", "desired").stdout
    assert "ghp_a" not in said
    (machine.tree / "a.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: Automation\nmetadata: {name: a}\nspec:\n"
        f"  comand: 'curl -H \"Authorization: Bearer {secret}\"'\n"
    )
    assert "ghp_a" not in machine.run("plan", "desired").stderr


def test_a_partial_apply_does_not_move_the_stable_revision(machine: Machine) -> None:
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    machine.apply()
    before = json.loads(machine.run("status", "desired", "-o", "json").stdout)["stable"]
    machine.automation("b", "0 7 * * *", ["/bin/true"])
    machine.automation("c", "0 8 * * *", ["/bin/true"])
    plan = machine.run("plan", "desired", "--target", "Automation/b")
    assert "1 to create." in plan.stdout
    assert "limited to its targets" in plan.stdout
    assert machine.apply("--target", "Automation/b").returncode == 0
    after = json.loads(machine.run("status", "desired", "-o", "json").stdout)
    assert after["stable"] == before
    assert after["pending"] == 1


@pytest.mark.parametrize("command", [("plan", "desired"), ("apply", "desired", "--yes")])
def test_a_target_that_does_not_exist_is_an_error(machine: Machine, command: tuple[str, ...]) -> None:
    machine.automation("backup", "0 6 * * *", ["/bin/true"])
    done = machine.run(*command, "--target", "Automation/bakup")
    assert done.returncode == 1
    assert "did you mean Automation/backup?" in done.stderr
    assert machine.table() is None


def test_releasing_what_does_not_exist_is_refused(machine: Machine) -> None:
    assert machine.run("release", "Automation/unknown", "--yes").returncode == 5


def test_an_unknown_guard_is_not_accepted(machine: Machine) -> None:
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    done = machine.apply("--accept", "prnue")
    assert done.returncode == 1
    assert "prune" in done.stderr


def test_a_revision_whose_rollback_failed_is_quarantined_and_named(machine: Machine) -> None:
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    machine.apply()
    edit = f"crontab -u {machine.user} -l | sed s,/bin/true,/bin/HUMAN, | crontab -u {machine.user} -; false"
    machine.automation("a", "0 7 * * *", ["/bin/true"], verify={"within": "100ms", "probes": [{"exec": edit}]})
    failed = machine.apply()
    assert failed.returncode == 8, failed.stderr
    status = " ".join(machine.run("status", "desired").stdout.split())
    assert "quarantined" in status
    assert "Automation/a (update on crontab)" in status
    assert "reconcile resume" in status
    assert machine.apply().returncode == 5
    table = machine.table() or b""
    machine.install(table.replace(b"/bin/HUMAN", b"/bin/true"))
    resumed = machine.run("resume")
    assert resumed.returncode == 7, resumed.stderr
    assert schedules(machine) == ["0 6 * * *"]


def test_a_running_apply_is_not_called_a_crash(machine: Machine) -> None:
    wait = {"within": "20s", "probes": [{"file": str(machine.folder / "go")}]}
    machine.automation("a", "0 6 * * *", ["/bin/true"], verify=wait)
    running = subprocess.Popen(
        machine.argv("apply", "desired", "--yes"),
        cwd=machine.folder,
        env=machine.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: machine.table() is not None, 20, "apply has written")
    for command in ("status", "plan"):
        shown = machine.run(command, "desired").stdout
        assert "interrupted" not in shown
        assert "No inventory" not in shown
        assert str(running.pid) in shown
    (machine.folder / "go").write_text("")
    assert running.wait(30) == 0


def test_what_a_probe_says_is_masked_wherever_it_is_shown_or_kept(machine: Machine) -> None:
    probe = {"within": "100ms", "probes": [{"exec": "echo password=hunter2; false"}]}
    machine.automation("a", "0 6 * * *", ["/bin/true"], verify=probe)
    done = machine.apply()
    assert done.returncode == 7
    said = done.stderr + machine.run("history").stdout + machine.run("show", "1").stdout
    assert "password=\u2039masked" in said
    assert "hunter2" not in done.stderr + machine.run("history").stdout + machine.run("status", "desired").stdout


@pytest.mark.parametrize(
    "damage",
    [{"facts": {"crontab": {"users": {"": {}}}}}, {"facts": {"crontab": "x"}}, {"found": 3}, {"host": None}],
)
def test_a_damaged_snapshot_is_an_error_without_a_traceback(machine: Machine, damage: dict[str, object]) -> None:
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    machine.run("snapshot", "desired", "--out", "host.json")
    file = machine.folder / "host.json"
    data = json.loads(file.read_text())
    data["snapshot"] |= damage
    file.write_text(json.dumps(data))
    done = machine.run("plan", "desired", "--against", "host.json")
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert "snapshot" in done.stderr


def test_output_that_cannot_be_written_is_an_error(machine: Machine) -> None:
    machine.automation("a", "0 6 * * *", ["/bin/true"])
    for where, code in (("/dev/full", 1), ("/dev/null", 0)):
        with Path(where).open("w") as out:
            done = subprocess.run(
                machine.argv("plan", "desired"),
                cwd=machine.folder,
                env=machine.environment(),
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert done.returncode == code
        assert "Exception ignored" not in done.stderr
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *machine.argv("plan", "desired")],
        cwd=machine.folder,
        env=machine.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "Traceback" not in closed.stderr


def test_what_is_adopted_and_released_is_the_same_line_in_the_same_place(machine: Machine) -> None:
    own = b'# mine\nMAILTO=""\n0 1 * * * /bin/echo hi\n17 4\t* * *  /bin/true --all\n# end\n'
    machine.install(own)
    machine.automation("true", "17 4 * * *", "/bin/true --all")
    assert machine.run("adopt", "Automation/true", "desired", "--yes").returncode == 0
    assert machine.table() != own
    released = machine.run("release", "Automation/true", "--yes")
    assert "what you had before its adoption comes back" in released.stdout
    assert machine.table() == own
    back = machine.run("rollback", "0", "--yes")
    assert "already as it was before" in back.stdout
    assert machine.table() == own


@pytest.mark.parametrize("adopted", ["17 4 * * *", "18 4 * * *"], ids=["later", "by the adoption"])
def test_what_was_changed_is_released_as_it_stands(machine: Machine, adopted: str) -> None:
    machine.install(b"17 4\t* * *  /bin/true --all\n")
    machine.automation("true", adopted, "/bin/true --all")
    assert machine.run("adopt", "Automation/true", "desired", "--yes").returncode == 0
    machine.automation("true", "18 4 * * *", "/bin/true --all")
    assert machine.apply().returncode == 0
    assert machine.run("release", "Automation/true", "--yes").returncode == 0
    assert (machine.table() or b"").startswith(b"18 4 * * *")
    back = machine.run("rollback", "0", "--yes")
    assert "which may differ from what it was before" in " ".join(back.stdout.split())
