"""An engine that hangs, answers too late, or breaks while its own change is undone."""

from __future__ import annotations

import subprocess

import pytest

from tests.e2e.beside_engine import BOOM, Place
from tests.e2e.bystander import told
from tests.e2e.proxy import Answer, Late

pytestmark = [pytest.mark.engines, pytest.mark.cron]
HANGS = pytest.mark.parametrize("standing", ["docker"], indirect=True)  # 30 s each, and it is the proxy that hangs


@pytest.mark.slow
@HANGS
def test_an_engine_that_hangs_is_given_up(place: Place) -> None:
    before = place.everything()
    place.proxy.rule = lambda _method, _target: Late()
    told(place.run("plan", "desired"), 1, "no whole answer within 10 s", str(place.proxy.path), hint="docker info")
    assert place.everything() == before


@pytest.mark.slow
@HANGS
def test_a_container_made_by_an_answer_that_came_too_late_goes_again(place: Place) -> None:
    before = place.everything()
    place.proxy.rule = lambda _method, target: Late() if "/containers/create" in target else None
    told(place.apply(), 7, "no whole answer within 30 s", f"container {place.name}", hint="hangs or is overloaded")
    assert any("/containers/create" in line for line in place.proxy.asked)
    assert place.everything() == before


def test_an_engine_that_breaks_for_good_does_not_keep_the_others_from_being_undone(place: Place) -> None:
    before = place.everything()
    place.web(networks=["host"], environment={"BROKEN": "yes"})
    broken: list[str] = []

    def rule(method: str, target: str) -> Answer:
        if method == "POST" and target.endswith("/start"):
            broken.append(target)
        return BOOM if broken else None

    place.proxy.rule = rule
    done = place.apply()
    told(done, 8, "database is locked", f"Service/{place.name}: cannot look at the containers", hint="journalctl")
    assert "`reconcile resume`" in done.stderr
    assert place.machine.table() == before[0]  # the line beside it is as it was
    place.proxy.rule = lambda _method, _target: None
    resumed = place.run("resume")
    assert resumed.returncode in (0, 7), resumed.stderr
    assert place.everything() == before


@pytest.mark.parametrize("number", range(1, 6))
def test_an_apply_killed_at_any_request_is_undone_by_the_next(place: Place, number: int) -> None:
    before = place.everything()
    writes: list[str] = []
    running: list[subprocess.Popen[bytes]] = []

    def rule(method: str, target: str) -> Answer:
        if method != "GET":
            writes.append(target)
            if len(writes) == number:
                running[0].kill()
        return None

    machine = place.machine
    process = subprocess.Popen(
        machine.argv("apply", "desired", "--yes"),
        cwd=machine.folder, env=machine.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    running.append(process)
    place.proxy.rule = rule
    assert process.wait(60) == -9, writes
    place.proxy.rule = lambda _method, _target: None
    place.innocent("0 6 * * *")
    place.web()
    again = place.apply()
    assert again.returncode == 0, again.stderr
    assert "had been interrupted" in again.stderr
    assert place.standing() == place.standing(before)
