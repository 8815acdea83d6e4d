"""One instance, whoever starts it how often; killed at any instant, it finds again what it left."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.runner import tree
from reconciler.runner.left import unfinished
from reconciler.supervisor.resident import LINGER
from tests.supervisor.place import ROOT, Site, until

FULL = bool(os.environ.get("RECONCILER_TEST_FULL"))
ROUNDS, SECONDS = (500, 1500.0) if FULL else (12, 60.0)
LINES = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.005; done"


def test_twenty_starts_at_once_make_one_supervisor(here: Site) -> None:
    here.define({"Service/a": {"command": ["sleep", "3600"]}})
    starts = [here.popen("start") for _ in range(20)]
    said = [process.communicate(timeout=120) for process in starts]
    assert [process.returncode for process in starts] == [0] * 20, said
    pid = here.pid
    assert here.status()["pid"] == pid
    assert sum(out.startswith("started") for out, _ in said) == 1
    assert {out.strip() for out, _ in said} == {f"started, pid {pid}", f"a supervisor runs already, pid {pid}"}
    assert here.diary().count("started, pid") == 1
    here.reaches("a", "running")
    assert here.diary().count("a: running") == 1


def test_a_supervisor_that_was_killed_finds_its_services_again_and_no_line_is_lost(here: Site) -> None:
    here.define({"Service/a": {"command": LINES}, "Service/b": {"command": ["sleep", "3600"]}})
    here.start()
    pids = {name: here.reaches(name, "running")["pid"] for name in "ab"}
    for _ in range(5):
        time.sleep(0.2)
        here.kill()
        time.sleep(0.1)
        here.start()
        assert {name: here.reaches(name, "running")["pid"] for name in "ab"} == pids
    time.sleep(0.2)
    here.end()
    numbers = [int(line) for line in here.log("a").splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 100


def test_one_that_was_asked_to_stay_does_so_with_nothing_to_do_and_waits_for_its_turn(here: Site) -> None:
    here.define({})
    here.start()
    first = here.pid
    waiting = here.popen("run", "--stay")
    try:
        until(lambda: here.pid == waiting.pid, lambda: f"{here.pid}, as before: {first}", seconds=20)
        time.sleep(LINGER + 1)
        assert here.status()["pid"] == waiting.pid
        another = here.popen("start", "--stay")  # one that waits in the background would be in nobody's sight
        out, _ = another.communicate(timeout=60)
        assert out == f"a supervisor runs already, pid {waiting.pid}\n"
        impatient = here.popen("run", "--stay")
        time.sleep(0.5)
        impatient.terminate()
        _, said = impatient.communicate(timeout=10)
        assert (impatient.returncode, said) == (
            -signal.SIGTERM,
            f"a supervisor runs already, pid {waiting.pid}; this one waits to take its place\n",
        )
    finally:
        waiting.terminate()
        waiting.communicate(timeout=30)
    assert waiting.returncode == 0


def test_one_that_cannot_listen_says_why(here: Site) -> None:
    here.define({})
    (here.folder / "socket").mkdir()
    process = here.popen("start")
    _, err = process.communicate(timeout=60)
    (here.folder / "socket").rmdir()
    assert process.returncode == 1
    assert err.startswith("cannot start the supervisor: ")


def test_one_that_ended_meanwhile_is_started_again_and_what_it_left_is_ended(here: Site) -> None:
    here.define({"Service/a": {"command": "setsid sleep 3603 & exec sleep 3600"}})
    here.start()
    pid = here.reaches("a", "running")["pid"]
    here.kill()
    os.kill(pid, signal.SIGKILL)
    before = set(here.members())
    here.start()
    until(lambda: "unknown exit status" in here.diary(), here.diary)
    assert here.reaches("a", "running")["pid"] != pid
    until(lambda: not any(Path(f"/proc/{one}").exists() for one in before))


def test_a_killed_supervisor_gives_a_crash_loop_no_new_budget(here: Site) -> None:
    starts, budget = here.state / "starts", {"policy": "always", "limit": 3, "within": 600}
    failing = {"command": f"echo started >> {starts}; echo out of luck; exit 3", "restart": budget}
    here.define({"Service/a": failing, "Service/b": {"command": ["true"], "restart": {"policy": "no"}}})
    for _ in range(8):
        here.start()
        until(lambda: here.service("a")["state"] in ("backoff", "fatal"))
        here.reaches("b", "ended")
        here.kill()
    here.start()
    found = here.reaches("a", "fatal")
    assert found["reason"] == "given up after it was started again 3 times in 600 s: it ended with exit code 3"
    assert found["output"][-1] == "out of luck"
    assert starts.read_text() == "started\n" * 4
    assert here.diary().count("b: running") == 1  # one that has ended stays ended, too
    assert here.ask("POST", "/retry")["services"]["Service/a"]["state"] != "fatal"
    until(lambda: starts.read_text() == "started\n" * 5)
    here.reaches("a", "fatal")
    here.kill()
    here.define({"Service/a": {"command": ["sleep", "3600"], "restart": budget}})
    here.start()
    assert here.reaches("a", "running")["restarts"] == 0
    here.define({})
    here.ask("POST", "/reload")
    assert not (here.folder / "children.json").exists()


def test_what_a_service_used_of_its_budget_goes_with_its_definition(here: Site) -> None:
    here.define({"Service/a": {"command": ["false"], "restart": {"limit": 1, "within": 600}}})
    here.start()
    here.reaches("a", "fatal")
    here.kill()
    here.define({"Service/b": {"command": ["sleep", "3600"]}})
    here.start()
    here.reaches("b", "running")
    assert json.loads((here.folder / "children.json").read_text())["tallies"] == {}


def test_a_supervisor_that_was_told_to_stop_begins_with_a_new_budget(here: Site) -> None:
    here.define({"Service/a": {"command": ["false"], "restart": {"limit": 1, "within": 600}}})
    here.start()
    here.reaches("a", "fatal")
    here.end()
    here.start()
    assert here.service("a")["state"] != "fatal"


def test_a_pid_that_is_somebody_elses_now_is_not_taken_for_a_service(here: Site) -> None:
    here.define({"Service/a": {"command": ["sleep", "3600"]}})
    here.start()
    pid = here.reaches("a", "running")["pid"]
    here.kill()
    record = here.folder / "children.json"
    record.write_text(record.read_text().replace(f'"created": "{tree.created(pid)}"', '"created": "1"'))
    os.kill(pid, signal.SIGKILL)
    here.start()
    assert here.reaches("a", "running")["pid"] != pid


@pytest.mark.slow
def test_it_may_be_killed_at_any_instant(here: Site, record_property: Callable[[str, object], None]) -> None:
    """No service twice, no slot twice, no run without its record, nobody left behind; runners are killed as well."""
    chance = random.Random(20261121)  # the same instants in every run
    marks, runs = here.state / "marks", here.state / "ran"
    marks.mkdir()
    runs.mkdir()
    service = f"mkdir {marks}/$$ || exit 9; exec sleep 3600"
    call = [str(_launcher(here)), "exec", "tick", "--state", str(here.state), "--", "/bin/sh", "-c"]
    long, every = [word if word != "tick" else "long" for word in call[:-2]], {"every": 1}
    run = f"mktemp {runs}/XXXXXXXX >/dev/null"
    here.define(
        {
            **{f"Service/s{number}": {"command": service} for number in range(3)},
            "Automation/tick": {"command": [*call, run], "schedule": {"every": 1}},
            "Automation/long": {"command": [*long, "env", f"STATE={here.state}", "sleep", "3600"], "schedule": every},
        }
    )
    until_ = time.monotonic() + SECONDS
    rounds = murdered = 0
    while rounds < ROUNDS and time.monotonic() < until_:
        rounds += 1
        process = here.popen("start")
        time.sleep(chance.uniform(0.0, 0.9))
        with suppress(ProcessLookupError, FileNotFoundError, IndexError, ValueError):  # not there yet
            os.kill(here.pid, signal.SIGKILL)
        if chance.random() < 0.3:
            murdered += _murder(here, "long")
        process.communicate(timeout=60)
        alive = [one for one in marks.iterdir() if Path(f"/proc/{one.name}").exists()]
        assert len(alive) <= 3, "a second copy runs"
    here.start()
    pids = {here.reaches(f"s{number}", "running")["pid"] for number in range(3)}
    until(lambda: {int(one.name) for one in marks.iterdir() if Path(f"/proc/{one.name}").exists()} == pids)
    time.sleep(1.5)
    here.define({})
    here.ask("POST", "/reload")
    murdered += _murder(here, "long")  # it would go on for an hour
    until(lambda: here.members() == [], lambda: str(here.members()), seconds=30)
    spool = sorted((here.state / "runs/spool/tick").glob("*.run"))
    assert spool
    records = [path.read_text() for path in spool]
    verdicts = Counter(json.loads(record.splitlines()[-1]).get("verdict", record) for record in records)
    assert verdicts.keys() <= {"succeeded", "skipped"}  # skipped: on a busy machine the one before was still running
    assert len(list(runs.iterdir())) == verdicts["succeeded"], "a run without a record, or a slot that ran twice"
    assert not any(".2.run" in path.name for path in [*spool, *(here.state / "runs/spool/long").glob("*.run")])
    record_property(
        "summary",
        f"supervisor killed {rounds} times, a runner {murdered} times: {len(spool)} slots ran once each "
        f"({verdicts['succeeded']} succeeded, {verdicts['skipped']} skipped), no service twice, no orphan",
    )


def _murder(here: Site, name: str) -> int:
    """SIGKILL for the runner of a run that has no end; how many there were."""
    found = [run for run in unfinished(str(here.state), name) if run.runner]
    for run in found:
        with suppress(ProcessLookupError):
            os.kill(run.runner, signal.SIGKILL)
    return len(found)


def _launcher(here: Site) -> Path:
    """`reconcile` as schedulers call it."""
    import sys

    from reconciler.runner.launcher import launcher

    path = here.state / "reconcile"
    path.write_text(launcher(sys.executable, str(ROOT / "reconciler"), "/bin/false"))
    path.chmod(0o755)
    return path
