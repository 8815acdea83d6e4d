"""Services on a real supervisor: kept up within their budget, in order, ended as a tree, with all their lines."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.runner import tree
from tests.ports import free_port
from tests.supervisor.place import Site, until

LOOP = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"


def test_a_service_runs_and_goes_with_its_definition(here: Site) -> None:
    here.define({"Service/a": {"command": ["sleep", "3600"]}, "Service/b": {"command": "exec sleep 3600"}})
    supervisor = here.start()
    pids = [here.reaches(name, "running")["pid"] for name in "ab"]
    here.define({"Service/b": {"command": "exec sleep 3600"}})
    found = here.ask("POST", "/reload")
    assert list(found["services"]) == ["Service/b"]
    assert found["services"]["Service/b"]["pid"] == pids[1]
    assert not Path(f"/proc/{pids[0]}").exists()  # the answer comes once it is gone
    here.define({})
    assert here.ask("POST", "/reload")["services"] == {}
    until(lambda: not Path(f"/proc/{supervisor}").exists(), seconds=15)
    assert not (here.folder / "socket").exists()
    assert here.members() == []


def test_only_another_program_restarts_a_service(here: Site) -> None:
    state = {"command": ["sleep", "3600"], "environment": {"A": "1"}}
    here.define({"Service/a": state})
    here.start()
    pid = here.reaches("a", "running")["pid"]
    here.define({"Service/a": {**state, "stop": {"signal": "SIGINT", "grace": 1}}})
    here.ask("POST", "/reload")
    assert here.reaches("a", "running")["pid"] == pid
    here.define({"Service/a": {**state, "environment": {"A": "2"}}})
    here.ask("POST", "/reload")
    other = here.reaches("a", "running")["pid"]
    assert other != pid
    assert b"A=2" in Path(f"/proc/{other}/environ").read_bytes().split(b"\0")


def test_what_a_service_finds_around_it_is_not_the_shell_of_whoever_applied(here: Site) -> None:
    here.environment |= {"SOME_SECRET": "x", "LC_ALL": "C", "PATH": f"{os.environ['PATH']}:/somewhere"}
    here.define({"Service/a": {"command": "env; pwd; exec sleep 3600"}})
    here.start()
    until(lambda: "PWD" in here.log("a") and here.log("a").endswith("\n"))
    said = here.log("a")
    assert "SOME_SECRET" not in said
    assert "/somewhere" not in said
    assert "PYTHONPATH" not in said
    assert f"HOME={os.environ['HOME']}\n" in said


@pytest.mark.parametrize(
    ("command", "reason"),
    [("echo out of luck; exit 3", "exit code 3"), (["/no/such/program"], "there is no such program")],
)
def test_one_that_ends_at_once_is_given_up_within_its_budget(here: Site, command: object, reason: str) -> None:
    here.define({"Service/a": {"command": command, "restart": {"policy": "always", "limit": 2, "within": 60}}})
    here.start()
    found = here.reaches("a", "fatal")
    assert found["restarts"] == 2
    assert found["reason"].startswith("given up after it was started again 2 times in 60 s")
    assert reason in found["reason"]
    if "luck" in command:  # type: ignore[operator]
        assert found["output"] == ["out of luck"] * 3
    assert here.ask("POST", "/retry")["services"]["Service/a"]["state"] != "fatal"
    here.reaches("a", "fatal")
    said, _ = here.popen("retry").communicate(timeout=30)
    assert said == "tried once more: Service/a\n"


def test_restart_policies(here: Site) -> None:
    here.define(
        {
            "Service/once": {"command": ["true"], "restart": {"policy": "no"}},
            "Service/well": {"command": ["true"], "restart": {"policy": "on-failure"}},
            "Service/badly": {"command": ["false"], "restart": {"policy": "on-failure"}},
        }
    )
    here.start()
    assert "exit code 0" in here.reaches("once", "ended")["reason"]
    here.reaches("well", "ended")
    until(lambda: here.service("badly")["restarts"] >= 1)


def test_children_that_moved_away_and_do_not_listen_are_killed_after_the_grace(here: Site) -> None:
    child = "setsid sh -c \"trap '' TERM; (sleep 3600; :) & sleep 3601; :\""
    deaf = f"trap '' TERM; {child} & (setsid sleep 3602 &) ; wait; :"
    here.define({"Service/a": {"command": deaf, "stop": {"signal": "SIGTERM", "grace": 1}}})
    here.start()
    pid = here.reaches("a", "running")["pid"]
    mark = next(
        word for word in Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0") if word.startswith(tree.MARK)
    ).partition("=")[2]
    until(lambda: len(tree.snapshot(pid, mark, {})) >= 5, lambda: str(tree.snapshot(pid, mark, {})))
    here.define({})
    started = time.monotonic()
    here.ask("POST", "/reload")
    assert 0.9 < time.monotonic() - started < 10
    assert tree.snapshot(pid, mark, {}) == {}


def test_a_shell_that_dies_first_leaves_its_children_their_grace(here: Site) -> None:
    slow = "trap 'sleep 0.5; echo done >> goodbye; exit 0' TERM; while :; do sleep 0.05; done"
    here.define({"Service/a": {"command": f'cd {here.state}; sh -c "{slow}" & wait', "stop": {"grace": 5}}})
    here.start()
    here.reaches("a", "running")
    time.sleep(0.3)
    here.define({})
    here.ask("POST", "/reload")
    assert (here.state / "goodbye").read_text() == "done\n"


def test_services_start_in_order_once_the_ones_before_them_are_ready(here: Site) -> None:
    flag = here.state / "ready"
    here.define(
        {
            "Service/web": {"command": ["sleep", "3600"], "after": ["db"]},
            "Service/db": {
                "command": f"sleep 0.5; touch {flag}; exec sleep 3600",
                "ready": [
                    {"type": "file", "options": {"path": str(flag)}},
                    {"type": "exec", "options": {"command": "true"}},
                ],
            },
        }
    )
    here.start()
    assert here.service("web")["reason"] == "it waits for Service/db, which is starting"
    found = here.reaches("web", "running")
    assert flag.exists()
    assert found["since"] > here.service("db")["since"]


def test_a_service_waits_for_what_was_given_up(here: Site) -> None:
    here.define(
        {
            "Service/web": {"command": ["sleep", "3600"], "after": ["db"]},
            "Service/db": {
                "command": ["false"],
                "ready": [{"type": "exec", "options": {"command": "false"}}],
                "restart": {"policy": "always", "limit": 1, "within": 60},
            },
        }
    )
    here.start()
    here.reaches("db", "fatal")
    until(lambda: "given up" in here.service("web")["reason"], lambda: str(here.service("web")))


def test_a_tcp_port_and_an_http_answer_make_a_service_ready(here: Site) -> None:
    port = free_port()
    probes = [
        {"type": "tcp", "options": {"address": "127.0.0.1", "port": port}},
        {"type": "http", "options": {"url": f"http://127.0.0.1:{port}/", "status": 200}},
    ]
    server = f"sleep 0.4; exec python3 -m http.server --bind 127.0.0.1 {port}"
    here.define({"Service/a": {"command": server, "ready": probes}})
    here.start()
    until(lambda: "cannot connect" in here.service("a")["reason"])
    here.reaches("a", "running")


def test_no_line_is_lost_and_none_is_cut_by_a_rotation(here: Site) -> None:
    count = 1_500_000
    here.define({"Service/a": {"command": f"seq -f 'line number %.0f' {count}; exec sleep 3600"}})
    here.start()
    until(lambda: here.log("a").endswith(f"line number {count}\n"), seconds=120)
    parts = sorted((here.folder / "logs").iterdir())
    assert len(parts) >= 3
    assert all(part.read_bytes().endswith(b"\n") for part in parts)
    assert all(part.stat().st_size < (10 << 20) + (2 << 20) for part in parts)
    numbers = [int(line.rpartition(" ")[2]) for line in here.log("a").splitlines()]
    assert numbers == list(range(1, count + 1))


@pytest.fixture
def small_disk(here: Site) -> Iterator[Path]:
    """The folder of the logs on a disk of 64 KiB."""
    folder = here.folder / "logs"
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        if os.environ.get("CI"):
            pytest.fail("cannot mount a small disk")
        pytest.skip("cannot mount a small disk: " + mounted.stderr.decode())
    yield folder
    here.end()
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_stops_no_service_and_the_log_says_what_is_missing(here: Site, small_disk: Path) -> None:
    talks = f"yes {'x' * 99} | head -c 3000000; touch {here.state}/said; exec sleep 3600"
    here.define({"Service/a": {"command": talks}})
    here.start()
    until((here.state / "said").exists)
    found = here.reaches("a", "running")
    assert found["restarts"] == 0
    (small_disk / "a.log").write_bytes(b"")
    here.define({"Service/a": {"command": "echo hello; exec sleep 3600"}})
    here.ask("POST", "/reload")
    until(lambda: "hello\n" in here.log("a"), lambda: here.log("a")[-300:])
    assert re.search(r"\[reconciler: \d+ bytes of output are not here: no space left on device\]", here.log("a"))
