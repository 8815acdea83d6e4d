"""Automations on a real supervisor, through the real runner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reconciler.runner import tree
from tests.supervisor.place import ROOT, Site, until
from tests.supervisor.test_single import _launcher


def call(here: Site, name: str, *command: str) -> list[str]:
    return [str(_launcher(here)), "exec", name, "--state", str(here.state), "--", *command]


def records(here: Site, name: str) -> list[dict[str, Any]]:
    paths = sorted((here.state / "runs/spool" / name).glob("*.run"))
    lines = [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]
    return [{key: value for line in each for key, value in line.items()} for each in lines if each]  # not yet written


def test_what_is_due_runs_with_its_slot_and_is_recorded(here: Site) -> None:
    here.define({"Automation/tick": {"command": call(here, "tick", "true"), "schedule": {"every": 2}}})
    here.start()
    until(lambda: len([one for one in records(here, "tick") if one.get("verdict") == "succeeded"]) >= 2)
    found = records(here, "tick")
    assert all(int(one["scheduled"][-3:-1]) % 2 == 0 for one in found)
    assert {one["trigger"] for one in found} == {"schedule"}
    assert here.status()["automations"]["Automation/tick"]["next"]


def test_what_was_missed_is_made_up_for_as_asked(here: Site) -> None:
    schedule = {"every": 60}
    here.define(
        {
            f"Automation/{missed}": {"command": call(here, missed, "true"), "schedule": schedule, "missed": missed}
            for missed in ("skip", "latest", "all")
        }
    )
    here.start()
    here.kill()
    handled = here.folder / "handled.json"
    told = json.loads(handled.read_text())
    for entry in told.values():
        entry["until"] -= 400
    handled.write_text(json.dumps(told))
    here.start()
    until(lambda: len([one for one in records(here, "all") if one.get("verdict")]) >= 6)
    assert [one["trigger"] for one in records(here, "all")][:5] == ["catch-up"] * 5
    assert len(records(here, "latest")) <= 2
    assert len(records(here, "skip")) <= 2
    assert "missed slots not made up for (missed: skip)" in here.diary()


def test_runs_that_are_made_up_for_go_one_after_the_other_and_none_is_lost_to_the_one_before(here: Site) -> None:
    job = ["/bin/sh", "-c", "sleep 0.7"]
    state = {"command": call(here, "all", *job), "schedule": {"every": 60}, "missed": "all"}
    here.define({"Automation/all": state})
    here.start()
    here.kill()
    handled = here.folder / "handled.json"
    told = json.loads(handled.read_text())
    told["all"]["until"] -= 300
    handled.write_text(json.dumps(told))
    here.start()
    until(lambda: any("pid" in one for one in records(here, "all")))
    here.kill()
    here.start()  # a run of an earlier supervisor counts too
    until(lambda: len([one for one in records(here, "all") if one.get("verdict")]) >= 5)
    found = [one for one in records(here, "all") if "verdict" in one]
    assert {one["verdict"] for one in found} == {"succeeded"}, found
    times = [(one["started"], one["ended"]) for one in found]
    assert all(ended <= started for (_, ended), (started, _) in pairwise(times)), times


def test_trouble_with_the_marks_is_said_once_and_a_line_of_the_log_is_whole(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys\n"
        "from reconciler.supervisor.place import Diary\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "say = Diary(sys.argv[1])\n"
        "for _ in range(9): say('x' * 20)\n"
    )
    log = tmp_path / "log"
    subprocess.run([sys.executable, "-c", program, str(log)], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert log.read_text().endswith("\n")
    assert len(log.read_text().splitlines()) == 2


def test_marks_that_cannot_be_kept_are_said_once(here: Site) -> None:
    (here.folder / "handled.json").mkdir(parents=True)
    here.define({"Automation/tick": {"command": call(here, "tick", "true"), "schedule": {"every": 1}}})
    here.start()
    until(lambda: len([one for one in records(here, "tick") if one.get("verdict")]) >= 3)
    assert here.diary().count("cannot keep which slots are handled") == 1
    (here.folder / "handled.json").rmdir()
    until((here.folder / "handled.json").is_file)


def test_what_ran_and_was_collected_runs_no_second_time_where_the_mark_was_not_kept(here: Site) -> None:
    state = {"command": call(here, "all", "true"), "schedule": {"every": 1}, "missed": "all"}
    here.define({"Automation/all": state})
    here.start()
    until(lambda: len([one for one in records(here, "all") if one.get("verdict")]) >= 4)
    here.kill()
    until(lambda: all(one.get("verdict") for one in records(here, "all")))
    ran = {one["id"] for one in records(here, "all")}
    for id_ in sorted(ran)[:-1]:  # as the collector does
        (here.state / f"runs/spool/all/{id_}.run").unlink()
    handled = here.folder / "handled.json"
    told = json.loads(handled.read_text())
    told["all"]["until"] -= 400  # a disk that was full
    handled.write_text(json.dumps(told))
    here.start()
    until(lambda: len([one for one in records(here, "all") if one.get("verdict")]) >= 3)
    assert min(one["id"] for one in records(here, "all")) == max(ran)


def test_a_new_automation_makes_up_for_nothing_and_boot_runs_once_per_boot(here: Site) -> None:
    here.define(
        {
            "Automation/boot": {"command": call(here, "boot", "true"), "schedule": {"at": "boot"}},
            "Automation/all": {"command": call(here, "all", "true"), "schedule": "0 0 1 1 *", "missed": "all"},
        }
    )
    here.start()
    time.sleep(0.3)
    assert records(here, "boot") == records(here, "all") == []
    here.kill()
    handled = here.folder / "handled.json"
    told = json.loads(handled.read_text())
    told["boot"]["boot"] = "another"
    handled.write_text(json.dumps(told))
    here.start()
    until(lambda: [one.get("verdict") for one in records(here, "boot")] == ["succeeded"])
    assert records(here, "boot")[0]["trigger"] == "boot"
    here.kill()
    here.start()
    time.sleep(0.5)
    assert len(records(here, "boot")) == 1


def test_many_that_are_due_at_once_all_run(here: Site) -> None:
    names = [f"n{number}" for number in range(60)]
    here.define(
        {f"Automation/{name}": {"command": call(here, name, "true"), "schedule": {"every": 20}} for name in names}
    )
    here.start()
    until(lambda: all(any(one.get("verdict") for one in records(here, name)) for name in names), seconds=90)
    slots = {one["scheduled"] for name in names for one in records(here, name)}
    assert len(slots) <= 3


def started(here: Site, name: str) -> dict[str, Any]:
    """The first run of that name whose job is on record and has no end."""
    until(lambda: any("pid" in one for one in records(here, name)))
    return next(one for one in records(here, name) if "pid" in one)


@pytest.mark.parametrize("also_the_supervisor", [False, True])
def test_a_job_does_not_outlive_a_runner_that_was_killed(here: Site, also_the_supervisor: bool) -> None:
    job = "trap '' HUP; (setsid sleep 3605 &); echo said; sleep 3606; echo not this"
    command = call(here, "long", "/bin/sh", "-c", job)
    here.define({"Automation/long": {"command": command, "schedule": {"at": "boot"}}})
    here.start()
    (here.folder / "handled.json").write_text(
        (here.folder / "handled.json").read_text().replace('"boot": "', '"boot": "another')
    )
    here.kill()
    here.start()  # as after a boot: it runs now
    run = started(here, "long")
    mark = f"{run['runner']['pid']}.{run['runner']['created']}"
    until(lambda: len(tree.snapshot(run["pid"], mark, {})) >= 3)
    family = tree.snapshot(run["pid"], mark, {})
    here.kill()
    here.start()  # a run whose runner lives goes on
    time.sleep(0.5)
    assert all(tree.same(*one) for one in family.items())
    if also_the_supervisor:
        here.kill()
    os.kill(run["runner"]["pid"], signal.SIGKILL)
    if also_the_supervisor:
        here.start()
    until(lambda: not any(tree.same(*one) for one in family.items()), here.diary, seconds=20)
    assert f"long: the runner of run {run['id']} died; its job, pid {run['pid']}, is ended" in here.diary()
    assert not any("verdict" in one for one in records(here, "long"))  # readers call it lost


def test_a_job_without_its_runner_has_its_grace_and_keeps_the_next_run_waiting(here: Site) -> None:
    ready = here.state / "ready"
    goodbye = f"sleep 1.5; echo done > {here.state}/goodbye; exit"
    quiet = "exec >/dev/null 2>&1"  # a word into the pipe of its runner would end it
    slow = f"{quiet}; trap '{goodbye}' TERM; touch {ready}; while :; do sleep 0.05; done"
    here.define({"Automation/tick": {"command": call(here, "tick", "/bin/sh", "-c", slow), "schedule": {"every": 1}}})
    here.start()
    run = started(here, "tick")
    until(ready.exists)
    os.kill(run["runner"]["pid"], signal.SIGKILL)
    until((here.state / "goodbye").exists)
    until(
        lambda: any("whose runner died, is still running" in one.get("reason", "") for one in records(here, "tick"))
    )
    until(lambda: any(one["id"] > run["id"] and "pid" in one for one in records(here, "tick")))
