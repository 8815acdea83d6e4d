"""`reconcile forecast` over what was applied and over manifests, beside foreign lines; and what plans say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.cli.workplace import MANIFEST, Workplace

THEIRS = "0 6 * * * /usr/bin/theirs\n61 * * * * broken\n"


def answer(workplace: Workplace, *arguments: str) -> dict[str, Any]:
    ran = workplace.run("forecast", *arguments, "-o", "json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def manifest(workplace: Workplace, name: str, schedule: str, more: str = "") -> None:
    text = MANIFEST.format(name=name).replace('"0 6 * * *"', schedule)
    workplace.write(f"desired/{name}.yaml", text + more)


def test_without_a_path_it_is_over_what_was_applied(workplace: Workplace) -> None:
    manifest(workplace, "one", '"0 6 * * *"')
    assert answer(workplace)["automations"] == []
    assert "Nothing is applied here" in workplace.run("forecast").out
    assert workplace.run("apply", "--yes", "--accept", "missed-run").code == 0
    manifest(workplace, "two", '"0 7 * * *"')
    assert [one["name"] for one in answer(workplace)["automations"]] == ["one"]
    assert [one["name"] for one in answer(workplace, "desired")["automations"]] == ["one", "two"]


def test_manifests_count_with_their_expected_runtime(workplace: Workplace) -> None:
    manifest(workplace, "slow", '"*/5 * * * *"', "  runtime: {expected: 6m}\n")
    found = answer(workplace, "desired", "--for", "1h", "--from", "2026-06-01T00:00:00Z")
    assert (found["from"], found["to"]) == ("2026-06-01T00:00:00Z", "2026-06-01T01:00:00Z")
    (row,) = found["automations"]
    assert (row["starts"], row["takes"], row["measured"]) == (12, 360, False)
    assert [(one["name"], one["times"]) for one in found["overlaps"]] == [("slow", 11)]


def test_what_is_applied_counts_with_its_expected_runtime(workplace: Workplace) -> None:
    manifest(workplace, "slow", '"*/5 * * * *"', "  runtime: {expected: 6m}\n")
    assert workplace.run("apply", "--yes", "--accept", "missed-run").code == 0
    (row,) = answer(workplace)["automations"]
    assert row["takes"] == 360


def test_what_the_plan_takes_away_starts_no_more_and_what_is_suspended_never(workplace: Workplace) -> None:
    manifest(workplace, "one", '"0 6 * * *"')
    manifest(workplace, "old", '"0 6 * * *"')
    assert workplace.run("apply", "--yes", "--accept", "missed-run").code == 0
    (workplace.folder / "desired/old.yaml").unlink()
    manifest(workplace, "later", '"0 8 * * *"', "  suspend: true\n")
    found = answer(workplace, "desired")
    assert {one["name"]: one["never"] for one in found["automations"]} == {
        "later": "suspended in its manifest, and it is not on the host",
        "one": None,
    }


def test_lines_of_other_people_count_and_are_marked(workplace: Workplace) -> None:
    workplace.crontab(THEIRS)
    manifest(workplace, "ours", '"0 6 * * *"')
    found = answer(workplace, "desired", "--crowd", "2")
    theirs = next(one for one in found["automations"] if one["foreign"])
    assert (theirs["schedule"], theirs["scheduler"]) == ("0 6 * * *", "crontab")
    assert [one["starts"] for one in found["collisions"]["worst"]] == [2]
    assert [one["where"].rpartition(", ")[2] for one in found["unread"]] == ["line 2"]
    assert "crontab*" in workplace.run("forecast").out


def test_a_table_that_cannot_be_read_is_said_and_the_rest_is_shown(workplace: Workplace) -> None:
    manifest(workplace, "one", '"0 6 * * *"')
    assert workplace.run("apply", "--yes", "--accept", "missed-run").code == 0
    (workplace.tables / "refuse").write_text("you are not allowed to use this program (crontab)\n")
    found = answer(workplace)
    assert [one["name"] for one in found["automations"]] == ["one"]
    assert [one["where"] for one in found["unread"]] == ["crontab"]


@pytest.mark.parametrize("form", ["svg", "html"])
def test_pictures_go_to_a_file(workplace: Workplace, form: str) -> None:
    manifest(workplace, "one", '"0 6 * * *"')
    ran = workplace.run("forecast", "desired", "-o", form, "--out", f"a.{form}")
    assert (ran.code, ran.out) == (0, "")
    text = Path(f"a.{form}").read_text(encoding="utf-8")
    assert "one" in text
    if form == "svg":
        ET.fromstring(text.encode())


def test_nothing_is_changed(workplace: Workplace) -> None:
    workplace.crontab(THEIRS)
    manifest(workplace, "one", '"0 6 * * *"')
    before = {name: data for name, data in workplace.files().items() if not name.startswith(str(workplace.cache))}
    workplace.run("forecast", "desired")
    after = {name: data for name, data in workplace.files().items() if not name.startswith(str(workplace.cache))}
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--for", "1"), "is not a duration"),
        (("--for", "32d"), "from 1m to 31d"),
        (("--for", "0s"), "from 1m to 31d"),
        (("--from", "tomorrow"), "is no instant"),
        (("--crowd", "1"), "not in the range"),
    ],
)
def test_what_cannot_be_is_refused(workplace: Workplace, arguments: tuple[str, ...], says: str) -> None:
    ran = workplace.run("forecast", *arguments)
    assert ran.code == 1
    assert says in ran.err


def crowd(workplace: Workplace, count: int) -> None:
    for number in range(count):
        manifest(workplace, f"job-{number}", '"0 6 * * *"')


def test_a_plan_says_what_gets_worse_and_the_same_against_a_snapshot(workplace: Workplace) -> None:
    crowd(workplace, 4)
    assert "would start in one minute" not in workplace.run("plan").out
    crowd(workplace, 5)
    here = workplace.run("plan", "-o", "json")
    (notice,) = json.loads(here.out)["notices"]
    assert notice.startswith("5 jobs would start in one minute")
    assert "this change brings job-0, job-1, job-2 and 2 more" in notice


def test_a_plan_that_makes_nothing_worse_says_nothing(workplace: Workplace) -> None:
    crowd(workplace, 6)
    assert workplace.run("apply", "--yes", "--accept", "missed-run").code == 0
    (workplace.folder / "desired/job-5.yaml").unlink()
    manifest(workplace, "job-0", '"1 6 * * *"')
    ran = workplace.run("plan", "-o", "json")
    assert json.loads(ran.out)["notices"] == []


def test_a_saved_plan_with_a_notice_can_be_applied_and_planned_elsewhere(workplace: Workplace) -> None:
    crowd(workplace, 5)
    assert workplace.run("snapshot", "--out", "host.json").code == 0
    elsewhere = json.loads(workplace.run("plan", "--against", "host.json", "-o", "json").out)
    assert len(elsewhere["notices"]) == 1
    assert workplace.run("plan", "--out", "plan.json", "--accept", "missed-run").code == 0
    ran = workplace.run("apply", "plan.json", "--yes")
    assert ran.code == 0, ran.err
