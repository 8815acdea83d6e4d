"""What the machine says about itself, also where it says it badly."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconciler.host import system
from reconciler.host.bounded import bounded
from reconciler.host.local import LocalHost, SystemClock
from reconciler.model.errors import HostError

HOST = LocalHost()


def test_the_facts_are_those_of_this_machine() -> None:
    facts = HOST.facts()
    assert facts.name == socket.gethostname()
    assert facts.platform in {"linux", "darwin"}
    assert facts.user == subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()


def test_another_platform_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(HostError, match="cannot work on win32"):
        HOST.facts()


def test_a_user_without_an_account_is_known_by_number() -> None:
    assert system.user_name(3_999_999) == "3999999"


def etc(root: Path, *, timezone: bytes | None = None, localtime: str | None = None) -> Path:
    (root / "etc").mkdir()
    if timezone is not None:
        (root / "etc/timezone").write_bytes(timezone)
    if localtime is not None:
        (root / "etc/localtime").symlink_to(localtime)
    return root


@pytest.fixture(autouse=True)
def _zones(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zone database of our own: not every machine has one."""
    folder = tmp_path_factory.mktemp("zoneinfo")
    for name in ("Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5", "UTC"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"TZif2")
    monkeypatch.setattr(system, "ZONE_FOLDERS", (str(folder),))


@pytest.mark.parametrize(
    ("localtime", "timezone", "expected"),
    [
        ("/usr/share/zoneinfo/Europe/Berlin", None, "Europe/Berlin"),
        ("../usr/share/zoneinfo/Europe/Berlin", b"", "Europe/Berlin"),
        ("/usr/share/zoneinfo/Europe/Berlin", b"UTC\n", "Europe/Berlin"),
        ("/usr/share/zoneinfo/Etc/GMT+5", None, "Etc/GMT+5"),
        ("/usr/share/zoneinfo/America/Argentina/Ushuaia", b"garbage \xff\n", "America/Argentina/Ushuaia"),
        ("/var/db/timezone/zoneinfo/Europe/Berlin", None, "Europe/Berlin"),
        ("/usr/share/zoneinfo.default/posix/Europe/Berlin", None, "Europe/Berlin"),
        (None, b"Europe/Berlin\n", "Europe/Berlin"),
        ("/nowhere/at/all", b"Europe/Berlin", "Europe/Berlin"),
        (None, b"../../etc/passwd", ""),
        (None, b"Europe", ""),
        (None, b"CET-1CEST", ""),
        (None, b"\n", ""),
        ("/nowhere/at/all", None, ""),
        (None, None, ""),
    ],
)
def test_the_zone_is_where_localtime_points_else_what_timezone_names_or_unknown(
    tmp_path: Path, localtime: str | None, timezone: bytes | None, expected: str
) -> None:
    assert system.time_zone(etc(tmp_path, timezone=timezone, localtime=localtime)) == expected


def test_a_copied_localtime_names_no_zone(tmp_path: Path) -> None:
    etc(tmp_path)
    (tmp_path / "etc/localtime").write_bytes(b"TZif2")
    assert system.time_zone(tmp_path) == ""
    (tmp_path / "etc/timezone").write_bytes(b"Europe/Berlin\n")
    assert system.time_zone(tmp_path) == "Europe/Berlin"


def test_the_zone_of_a_session_is_not_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cron is not started from a session: what `TZ` says there moves none of its runs."""
    monkeypatch.delenv("TZ", raising=False)
    before = HOST.facts()
    for zone in ("Europe/Berlin", "America/Argentina/Ushuaia", "CET-1CEST"):
        monkeypatch.setenv("TZ", zone)
        assert HOST.facts() == before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_running_process_is_found_by_its_name_both_ways() -> None:
    with subprocess.Popen(["sleep", "30"]) as sleeper:
        try:
            deadline = time.monotonic() + 5
            while sleeper.pid not in HOST.processes(frozenset({"sleep"})) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert sleeper.pid in HOST.processes(frozenset({"sleep", "x"}))
            assert sleeper.pid in system.from_psutil(frozenset({"sleep"}))
            assert HOST.processes(frozenset({"no-such-program"})) == ()
        finally:
            sleeper.kill()


def proc(root: Path, *processes: tuple[int, str, str]) -> Path:
    for pid, name, state in processes:
        (root / str(pid)).mkdir()
        (root / str(pid) / "comm").write_text(f"{name}\n")
        (root / str(pid) / "stat").write_text(f"{pid} ({name}) {state} 1 1 1\n")
    return root


def test_a_zombie_does_not_run(tmp_path: Path) -> None:
    folder = proc(tmp_path, (1, "init", "S"), (7, "cron", "Z"), (30, "cron", "S"), (4, "cron", "R"))
    assert system.from_proc(frozenset({"cron"}), folder) == (4, 30)


def test_a_name_with_parentheses_and_a_long_one_are_found(tmp_path: Path) -> None:
    folder = proc(tmp_path, (1, "a) Z (b", "S"), (2, "a-very-long-nam", "S"))
    assert system.from_proc(frozenset({"a) Z (b"}), folder) == (1,)
    assert system.from_proc(frozenset({"a-very-long-name-indeed"}), folder) == (2,)


def test_hidden_processes_are_not_taken_for_absent_ones(tmp_path: Path) -> None:
    folder = proc(tmp_path, (400, "sh", "S"))
    assert system.from_proc(frozenset({"sh"}), folder) == (400,)
    with pytest.raises(HostError, match="hides those of other users"):
        system.from_proc(frozenset({"cron"}), folder)


def test_a_process_that_ends_meanwhile_is_passed_over(tmp_path: Path) -> None:
    folder = proc(tmp_path, (1, "init", "S"))
    (folder / "9").mkdir()
    assert system.from_proc(frozenset({"cron"}), folder) == ()


def test_no_proc_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot list processes"):
        system.from_proc(frozenset({"cron"}), tmp_path / "none")


def test_which_finds_what_path_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "tool"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", f":{tmp_path / 'none'}:{program.parent}")
    assert HOST.which("tool") is None
    program.chmod(0o755)
    assert HOST.which("tool") == str(program)
    assert HOST.which(str(program)) == str(program)
    assert HOST.which("bin") is None
    assert HOST.which("no-such-program-here") is None


def test_an_open_port_is_connected_to_and_a_closed_one_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        HOST.connect("127.0.0.1", port, timeout=5)
        HOST.connect("localhost", port, timeout=5)
    with pytest.raises(HostError, match=f"cannot connect to 127.0.0.1:{port}: connection refused"):
        HOST.connect("127.0.0.1", port, timeout=5)


def test_a_port_that_never_answers_ends_in_time() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        start = time.monotonic()
        with pytest.raises(HostError, match=r"no answer within 0\.3 s"):
            HOST.connect("127.0.0.1", port, timeout=0.3)
        assert time.monotonic() - start < 1
        for filler in fillers:
            filler.close()


def test_a_name_that_does_not_resolve_is_an_error() -> None:
    for name in ("no-such-host.invalid", "", "a..b", "x" * 300):
        with pytest.raises(HostError, match="cannot connect to"):
            HOST.connect(name, 1, timeout=5)


def test_a_look_up_that_hangs_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(2))
    start = time.monotonic()
    with pytest.raises(HostError, match=r"was not resolved within 0\.1 s"):
        HOST.connect("slow.example", 80, timeout=0.1)
    assert time.monotonic() - start < 1


def test_bounded_work_gives_its_result_or_its_own_error() -> None:
    assert bounded(lambda: None, 5) is None
    with pytest.raises(KeyError):
        bounded(lambda: {}["x"], 5)
    with pytest.raises(TimeoutError):
        bounded(lambda: time.sleep(0.5), 0.01)


def test_the_clock_tells_utc_and_never_sleeps_backwards() -> None:
    clock = SystemClock()
    assert clock.now().utcoffset() is not None
    before = clock.monotonic()
    clock.sleep(-1)
    clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.01


def test_the_process_never_runs_as_somebody_else() -> None:
    assert system.user_name(os.geteuid()) == HOST.facts().user


def test_a_folder_on_path_that_may_not_be_searched_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.host import local

    def refused(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refused)
    assert local.LocalHost().which("sh") is None
