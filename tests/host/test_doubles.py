"""The hosts that tests and read-only passes use instead of the machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.host.fake import START, Call, Crash, FakeClock, FakeHost
from reconciler.host.limits import TooLong
from reconciler.host.protocol import Completed, Host
from reconciler.host.readonly import ReadOnlyHost
from reconciler.host.recall import RecallingHost
from reconciler.model.errors import HostError

FILE = Path("/etc/a")


def echo(argv: object, stdin: bytes) -> Completed:
    return Completed(0, repr(argv).encode() + stdin, b"")


def fake() -> FakeHost:
    return FakeHost(files={"/etc/a": b"old"}, programs={"echo": echo}, running={5: "cron", 3: "cron", 4: "sh"})


def test_a_read_only_host_looks_and_never_writes() -> None:
    inner = fake()
    inner.listening.add(("127.0.0.1", 80))
    host: Host = ReadOnlyHost(inner)
    for refused, words in (
        (lambda: host.write(FILE, b"new"), "cannot write /etc/a: this host is read-only"),
        (lambda: host.remove(FILE), "cannot remove /etc/a: this host is read-only"),
        (lambda: host.execute(["echo", "x"], timeout=1), "cannot run echo x: this host is read-only"),
    ):
        with pytest.raises(HostError) as caught:
            refused()
        assert caught.value.message == words
    assert inner.calls == 0
    assert (host.read(FILE), host.which("echo"), host.facts()) == (b"old", "/usr/bin/echo", inner.host_facts)
    assert host.query(["echo"], timeout=1, stdin=b"in").stdout == b"('echo',)in"
    assert host.processes(frozenset({"cron"})) == (3, 5)
    assert host.modified(FILE) == START
    assert host.clock is inner.clock
    assert host.probe_command(["echo"], timeout=1, directory=None, environment={}).code == 0
    host.connect("127.0.0.1", 80, timeout=1)


def test_a_look_in_two_parts_asks_a_program_once() -> None:
    inner = fake()
    host = RecallingHost(inner)
    host.query(["echo", "a"], timeout=1)
    host.query(["echo", "a"], timeout=1)
    assert inner.calls == 2, "within a part everything is asked anew"
    second = host.again()
    assert second.query(["echo", "a"], timeout=1).stdout == b"('echo', 'a')"
    assert inner.calls == 2
    second.query(["echo", "a"], timeout=1)
    assert inner.calls == 3, "an answer is told again once only"
    second.query(["echo", "a"], timeout=1, stdin=b"in")
    second.query(["echo", "b"], timeout=1)
    second.query(["echo", "b"], timeout=1)
    assert inner.calls == 6
    with pytest.raises(HostError, match="this host is read-only"):
        second.execute(["echo"], timeout=1)


def test_a_fake_host_keeps_what_is_written() -> None:
    host = fake()
    host.time.advance(60)
    host.write(FILE, b"new", mode=0o644)
    assert (host.read(FILE), host.modes["/etc/a"]) == (b"new", 0o644)
    assert host.modified(FILE) == host.clock.now()
    host.remove(FILE)
    host.remove(FILE)
    assert (host.read(FILE), host.modified(FILE)) == (None, None)


def test_a_fake_host_refuses_what_a_real_one_would() -> None:
    host = fake()
    host.denied.add("/etc/a")
    for act in (lambda: host.read(FILE), lambda: host.write(FILE, b""), lambda: host.remove(FILE)):
        with pytest.raises(HostError, match="permission denied"):
            act()
    host.heal()
    with pytest.raises(TooLong):
        host.read(FILE, limit=2)
    with pytest.raises(HostError, match="no such program"):
        host.query(["none"], timeout=1)
    with pytest.raises(HostError, match="connection refused"):
        host.connect("127.0.0.1", 81, timeout=1)


def test_a_fault_comes_at_its_call_and_once() -> None:
    host = fake()
    host.fail_at(2)
    host.read(FILE)
    with pytest.raises(HostError):
        host.write(FILE, b"new")
    assert host.files["/etc/a"] == b"old"
    host.write(FILE, b"new")
    assert host.calls == 3


def test_a_fault_can_hide_that_it_all_went_well() -> None:
    host = fake()
    host.fail_at(1, "lost", before=False)
    with pytest.raises(HostError, match="lost"):
        host.write(FILE, b"new")
    assert host.files["/etc/a"] == b"new"


@pytest.mark.parametrize(("before", "content"), [(True, b"old"), (False, b"new")])
def test_a_crash_comes_before_or_after_the_effect(before: bool, content: bytes) -> None:
    host = fake()
    host.crash_at(1, before=before)
    with pytest.raises(Crash):
        host.write(FILE, b"new")
    assert host.files["/etc/a"] == content


def test_a_crash_passes_every_handler_of_errors() -> None:
    assert not issubclass(Crash, Exception)


def test_a_hook_can_change_the_world_between_two_calls() -> None:
    host = fake()

    def edit(call: Call) -> None:
        if call.method == "write":
            host.read(FILE)  # makes no hook run again
            host.files["/etc/b"] = b"meanwhile"

    host.on_call(edit)
    host.write(FILE, b"new")
    assert host.files == {"/etc/a": b"new", "/etc/b": b"meanwhile"}
    assert [call.method for call in host.log] == ["write", "read"]


def test_only_what_may_change_a_host_counts_as_writing() -> None:
    host = fake()
    host.read(FILE)
    host.query(["echo"], timeout=1)
    host.execute(["echo", "x"], timeout=1)
    assert [(call.number, call.target) for call in host.log if call.writes] == [(3, "echo x")]


def test_fake_time_moves_only_when_it_is_moved() -> None:
    clock = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    clock.sleep(90)
    clock.sleep(-5)
    assert (clock.monotonic(), clock.now()) == (90, datetime(2026, 3, 1, 0, 1, 30, tzinfo=UTC))
    clock.set(datetime(2020, 1, 1, tzinfo=UTC))
    assert (clock.monotonic(), clock.now().year, clock.slept) == (90, 2020, [90, -5])
