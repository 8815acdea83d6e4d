"""Automations on a real supervisor, through the real runner."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.supervisor.place import Site, until
from tests.supervisor.test_single import _launcher


def call(here: Site, name: str, *command: str) -> list[str]:
    return [str(_launcher(here)), "exec", name, "--state", str(here.state), "--", *command]


def records(here: Site, name: str) -> list[dict[str, Any]]:
    paths = sorted((here.state / "runs/spool" / name).glob("*.run"))
    lines = [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]
    return [{key: value for line in each for key, value in line.items()} for each in lines]


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
