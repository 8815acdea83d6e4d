"""The gate: waits as long as it may, no longer, and never calls a moment of luck healthy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.health import gate
from reconciler.host.fake import FakeHost
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Clock, Completed, Host
from reconciler.model.ills import NotYet
from reconciler.model.resource import Probe, VerifyPolicy

K = TypeVar("K")


def waited(policies: Mapping[K, VerifyPolicy], host: Host, clock: Clock, *, interval: float) -> dict[K, str | None]:
    """All that a gate said, in the order of the question."""
    said = {key: why for some in gate.wait(policies, host, clock, interval=interval) for key, why in some.items()}
    return {key: said[key] for key in policies}


def probe(name: str, timeout: float = 10) -> Probe:
    return Probe("exec", {"command": [name], "timeout": timeout})


class World:
    """Named probes whose health is a function of time, and which may take time to answer."""

    def __init__(self, **healthy: Callable[[float], bool]) -> None:
        self.host = FakeHost()
        self.asked: list[tuple[str, float]] = []
        self.takes = dict.fromkeys(healthy, 0.0)
        for name, rule in healthy.items():
            self.host.programs[name] = lambda argv, _stdin, rule=rule: self.answer(argv[0], rule)

    def answer(self, name: str, rule: Callable[[float], bool]) -> Completed:
        now = self.host.time.monotonic()
        self.asked.append((name, round(now, 6)))
        self.host.time.advance(self.takes[name])
        return Completed(0 if rule(now) else 1, b"", b"")

    def wait(
        self, *names: str, within: float = 10, stable_for: float = 0, interval: float = 1, **groups: tuple[str, ...]
    ) -> dict[str, str | None]:
        checks = {name: [probe(name)] for name in names}
        checks |= {key: [probe(name) for name in members] for key, members in groups.items()}
        clock = self.host.clock
        policies = {key: VerifyPolicy(within, stable_for, tuple(probes)) for key, probes in checks.items()}
        return waited(policies, self.host, clock, interval=interval)

    @property
    def elapsed(self) -> float:
        return self.host.time.monotonic()


def test_what_is_healthy_at_once_passes_without_waiting() -> None:
    world = World(a=lambda _: True)
    assert world.wait("a") == {"a": None}
    assert (world.elapsed, world.asked) == (0, [("a", 0)])


def test_what_becomes_healthy_in_time_passes() -> None:
    world = World(a=lambda now: now >= 4.5)
    assert world.wait("a") == {"a": None}
    assert world.elapsed == 5


def test_what_never_becomes_healthy_fails_at_the_deadline_with_its_last_words() -> None:
    world = World(a=lambda _: False)
    assert world.wait("a") == {"a": "`a` should exit with 0, but exited with 1; it wrote nothing"}
    assert world.elapsed == 10


def test_a_last_look_comes_when_the_time_is_over() -> None:
    world = World(a=lambda now: now >= 10)
    assert world.wait("a", within=10, interval=7) == {"a": None}
    assert world.asked == [("a", 0), ("a", 7), ("a", 10)]


def test_no_time_at_all_still_means_one_look() -> None:
    world = World(a=lambda _: True, b=lambda _: False)
    results = world.wait("a", "b", within=0)
    assert results["a"] is None
    assert results["b"] is not None
    assert len(world.asked) == 2


def test_health_must_last() -> None:
    world = World(a=lambda _: True)
    assert world.wait("a", stable_for=3) == {"a": None}
    assert world.asked == [("a", 0), ("a", 1), ("a", 2), ("a", 3)]


def test_a_failure_starts_the_time_of_health_again() -> None:
    world = World(a=lambda now: now != 2)
    assert world.wait("a", stable_for=3) == {"a": None}
    assert world.elapsed == 6


def test_a_failure_after_the_deadline_is_final() -> None:
    world = World(a=lambda now: 9 <= now < 11)
    why = world.wait("a", within=10, stable_for=5)["a"]
    assert str(why).endswith("(it was healthy before, but did not stay so for 5s)")
    assert world.elapsed == 11


def test_health_that_begins_at_the_last_moment_gets_its_whole_time() -> None:
    world = World(a=lambda now: now >= 10)
    assert world.wait("a", within=10, stable_for=4) == {"a": None}
    assert world.elapsed == 14


def test_flapping_never_passes() -> None:
    world = World(a=lambda now: int(now) % 3 != 0)
    assert world.wait("a", within=20, stable_for=5)["a"] is not None
    assert world.elapsed <= 25


def test_all_probes_of_a_key_must_pass_and_the_first_failure_is_told() -> None:
    world = World(a=lambda _: True, b=lambda _: False, c=lambda _: False)
    results = world.wait(within=1, group=("a", "b", "c"))
    assert "`b` should" in str(results["group"])
    assert "c" not in {name for name, _ in world.asked}


def test_each_key_has_its_own_result_and_the_order_is_kept() -> None:
    world = World(z=lambda _: True, a=lambda _: False, m=lambda now: now >= 3)
    results = world.wait("z", "a", "m")
    assert list(results) == ["z", "a", "m"]
    assert (results["z"], results["m"]) == (None, None)
    assert results["a"] is not None
    assert sum(name == "z" for name, _ in world.asked) == 1


def test_a_key_without_probes_only_has_to_wait() -> None:
    world = World()
    assert world.wait(within=60, stable_for=5, nothing=()) == {"nothing": None}
    assert world.elapsed == 5


def test_nothing_to_wait_for_takes_no_time() -> None:
    world = World()
    assert world.wait(stable_for=100) == {}
    assert world.elapsed == 0


def test_an_interval_of_nothing_is_no_endless_loop() -> None:
    world = World(a=lambda _: False)
    world.wait("a", within=0.5, interval=0)
    assert len(world.asked) < 100


def test_an_unhealthy_key_does_not_cost_its_neighbour_its_last_look() -> None:
    world = World(slow=lambda _: False, quick=lambda now: now >= 5)
    world.takes["slow"] = 9
    assert world.wait("slow", "quick", within=8)["quick"] is None


@given(
    within=st.floats(0, 30),
    stable_for=st.floats(0, 10),
    interval=st.floats(0.1, 5),
    takes=st.lists(st.floats(0, 10), min_size=1, max_size=4),
    period=st.floats(0.5, 20),
    share=st.floats(0, 1),
)
def test_the_time_is_bounded(
    within: float, stable_for: float, interval: float, takes: list[float], period: float, share: float
) -> None:
    names = [f"p{number}" for number in range(len(takes))]
    world = World(**{name: lambda now: (now % period) / period <= share for name in names})
    world.takes = dict(zip(names, takes, strict=True))
    result = world.wait(within=within, stable_for=stable_for, interval=interval, group=tuple(names))
    slowest = 10
    # A fake program cannot be killed: the one that runs when the time is over may overstay by its own length.
    assert world.elapsed <= within + stable_for + slowest + max(takes) + 1e-6
    if result["group"] is None and stable_for > 0:
        assert world.elapsed >= stable_for - 1e-6


def test_different_keys_are_asked_at_the_same_time_in_bounds() -> None:
    now, most, lock = 0, 0, threading.Lock()

    class Counting(LocalHost):
        def connect(self, address: str, port: int, *, timeout: float) -> None:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.05)
            with lock:
                now -= 1

    host = Counting()
    checks = {number: [Probe("tcp", {"address": "x", "port": 1})] for number in range(20)}
    results = waited(within(5, checks), host, host.clock, interval=0.1)
    assert set(results.values()) == {None}
    assert 2 <= most <= gate.WORKERS


def within(seconds: float, checks: Mapping[K, Sequence[Probe]]) -> dict[K, VerifyPolicy]:
    return {key: VerifyPolicy(seconds, 0, tuple(probes)) for key, probes in checks.items()}


def test_each_key_has_a_time_of_its_own() -> None:
    world = World(quick=lambda now: now >= 1, late=lambda now: now >= 8, never=lambda _: False)
    policies = {
        "quick": VerifyPolicy(2, 3, (probe("quick"),)),
        "late": VerifyPolicy(9, 0, (probe("late"),)),
        "never": VerifyPolicy(4, 0, (probe("never"),)),
    }
    results = waited(policies, world.host, world.host.clock, interval=1)
    assert (results["quick"], results["late"]) == (None, None)
    assert results["never"] is not None
    assert 8 <= world.elapsed <= 9  # side by side, not one after the other


def test_one_key_starts_no_threads() -> None:
    seen: set[str] = set()

    class Watching(LocalHost):
        def connect(self, address: str, port: int, *, timeout: float) -> None:
            seen.add(threading.current_thread().name)

    host = Watching()
    checks = {"one": [Probe("tcp", {"address": "x", "port": 1})] * 3, "none": []}
    waited(within(5, checks), host, host.clock, interval=0.1)
    assert seen == {threading.main_thread().name}


def test_hanging_probes_of_many_keys_end_in_time() -> None:
    host = LocalHost()
    checks = {number: [Probe("exec", {"command": ["sleep", "30"], "timeout": 0.5})] for number in range(20)}
    start = time.monotonic()
    results = waited(within(0.3, checks), host, host.clock, interval=0.1)
    # One probe's limit, and the time that killing takes.
    assert time.monotonic() - start < 0.3 + 0.5 + 1.5
    assert all(results.values())
    assert {"it could not be asked before the time was over"} < set(results.values())


def test_an_error_that_is_no_answer_is_not_swallowed() -> None:
    class Broken(LocalHost):
        def connect(self, address: str, port: int, *, timeout: float) -> None:
            raise ZeroDivisionError

    host = Broken()
    for keys in (1, 2):
        checks = {number: [Probe("tcp", {"address": "x", "port": 1})] for number in range(keys)}
        with pytest.raises(ZeroDivisionError):
            waited(within(5, checks), host, host.clock, interval=0.1)


def test_a_backend_is_asked_again_until_it_runs_and_only_what_cannot_pass_ends_it_at_once() -> None:
    world = World(up=lambda _now: True)
    policy = VerifyPolicy(10, 0, (probe("up"),))

    def said(answer: Callable[[float], str | None]) -> str | None:
        clock = world.host.clock
        start = clock.monotonic()
        backends = {"a": lambda: answer(clock.monotonic() - start)}
        (verdict,) = gate.wait({"a": policy}, world.host, clock, interval=1, backends=backends)
        return verdict["a"]

    assert said(lambda now: NotYet("it waits") if now < 3.5 else None) is None
    assert world.asked == [("up", 4.0)]  # not before its backend runs it
    assert said(lambda now: NotYet("it waits") if now < 2 else "given up") == "given up"
    assert world.elapsed == 6
    assert said(lambda _now: NotYet("it waits")) == "it waits"
    assert world.elapsed == 16
