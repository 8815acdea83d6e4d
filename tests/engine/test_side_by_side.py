"""Carrying out on a real host, in threads: what is independent goes on, what shares a lock never overlaps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, cast

import pytest

from reconciler.engine.rollout import Engine
from reconciler.engine.work import in_thread
from reconciler.host.fake import FakeHost
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Host
from reconciler.journal.journal import Journal
from reconciler.model.change import Change
from reconciler.model.errors import ApplyError, CutShort, ExitCode, JournalError, ObserveError
from reconciler.model.event import Event, EventType
from reconciler.model.resource import Probe, Resource, VerifyPolicy
from reconciler.model.rollout import RolloutStatus, StepStatus
from reconciler.model.state import Observation
from reconciler.provider import Wanted
from reconciler.testing.memory import MemoryProvider
from tests.engine.world import MINE, World, want

PROMPT = 5.0  # seconds; the gates in these tests would wait for a minute


class Watched(MemoryProvider):
    """The reference provider, which says when it writes and looks."""

    def __init__(self, path: Path, name: str, kind: str, lock: str) -> None:
        super().__init__(path)
        self.name, self.lock = name, lock  # type: ignore[misc]
        self.kinds = frozenset({kind})  # type: ignore[misc]
        self.applied: list[list[str]] = []
        self.during: Callable[[Sequence[Change]], None] = lambda _changes: None
        self.looking: Callable[[], None] = lambda: None
        self.spans: list[tuple[float, float]] = []

    kinds: ClassVar[frozenset[str]] = frozenset()

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        self.looking()
        return super().observe(host, wanted)

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        began = time.monotonic()
        self.applied.append([f"{change.action} {change.id.name}" for change in changes])
        self.during(changes)
        super().apply(host, changes)
        self.spans.append((began, time.monotonic()))


class Machine(World):
    """The small world on this machine: two files, real programs, real time."""

    def __init__(self, folder: Path, second_lock: str = "memos") -> None:
        notes, memos = folder / "notes.jsonl", folder / "memos.jsonl"
        for file in (notes, memos):
            file.write_bytes(MINE)
        self.notes = Watched(notes, "memory", "Note", "memory")
        self.memos = Watched(memos, "memos", "Memo", second_lock)
        self.events: list[Event] = []
        local = cast(FakeHost, LocalHost())
        super().__init__(folder / "state", host=local, providers={"memory": self.notes, "memos": self.memos})

    def engine(self, journal: Journal) -> Engine:
        return replace(super().engine(journal), start=in_thread, listener=self.events.append)

    def files(self) -> dict[str, bytes]:
        return {str(p.path): p.path.read_bytes() for p in (self.notes, self.memos)}

    def statuses(self, rollout: int) -> list[StepStatus]:
        with self.journal() as journal:
            return [record.status for record in journal.steps(rollout)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def probed(resource: Resource, *command: str, within: float = 60.0, stable_for: float = 0.0) -> Resource:
    check = Probe("exec", {"command": list(command), "exitCode": 0, "timeout": 60})
    return replace(resource, verify=VerifyPolicy(within, stable_for, (check,)))


@pytest.fixture
def promptly() -> object:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < PROMPT


@pytest.mark.usefixtures("promptly")
@pytest.mark.parametrize("slow", ["Note/a", "Memo/a"])
def test_a_slow_gate_does_not_hold_up_what_does_not_need_it(machine: Machine, slow: str) -> None:
    """The gate of A passes only once C stands, and C stands behind B and its gate."""
    a = probed(want(slow, "x"), "grep", "-q", "Note/c", str(machine.notes.path))
    outcome = machine.apply(a, want("Note/b", "x"), want("Note/c", "x", "Note/b"))
    assert outcome.code is ExitCode.DONE
    assert set(machine.statuses(1)) == {StepStatus.DONE}
    passed = [str(i) for event in machine.events if event.type is EventType.GATE_PASSED for i in event.ids]
    assert passed[0] == "Note/b"


@pytest.mark.usefixtures("promptly")
def test_backends_write_at_the_same_time(machine: Machine) -> None:
    both = threading.Barrier(2)
    for provider in (machine.notes, machine.memos):
        provider.during = lambda _changes: both.wait(PROMPT) and None
    assert machine.apply(want("Note/a", "x"), want("Memo/a", "x")).code is ExitCode.DONE


def test_what_shares_a_lock_never_writes_at_the_same_time(tmp_path: Path) -> None:
    machine = Machine(tmp_path, second_lock="memory")
    for provider in (machine.notes, machine.memos):
        provider.during = lambda _changes: time.sleep(0.05)
    kinds = [want(f"{kind}/{name}", "x") for kind in ("Note", "Memo") for name in "ab"]
    more = [want(f"{kind}/c", "x", f"{kind}/a") for kind in ("Note", "Memo")]
    assert machine.apply(*kinds, *more).code is ExitCode.DONE
    spans = sorted(machine.notes.spans + machine.memos.spans)
    assert len(spans) == 4
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_a_thousand_entries_cost_one_write_while_others_depend_on_each_other(machine: Machine) -> None:
    entries = [want(f"Note/n{number:04}", "x") for number in range(1000)]
    chain = [want("Memo/a", "x"), want("Memo/b", "x", "Memo/a"), want("Memo/c", "x", "Memo/b", "Note/n0000")]
    assert machine.apply(*entries, *chain).code is ExitCode.DONE
    assert [len(batch) for batch in machine.notes.applied] == [1000]
    assert machine.memos.applied == [["create a"], ["create b"], ["create c"]]


def test_what_becomes_ready_together_is_written_together(machine: Machine) -> None:
    first = [want(f"Note/a{number}", "x") for number in range(20)]
    second = [want(f"Memo/b{number}", "x", f"Note/a{number}") for number in range(20)]
    assert machine.apply(*first, *second).code is ExitCode.DONE
    assert (len(machine.notes.applied), len(machine.memos.applied)) == (1, 1)


@pytest.mark.usefixtures("promptly")
def test_a_failure_ends_the_gates_that_wait_and_everything_is_undone(machine: Machine) -> None:
    before, threads = machine.files(), threading.active_count()
    waits = probed(want("Note/a", "x"), "false")

    def fail(changes: Sequence[Change]) -> None:
        if changes[0].id.name == "c" and changes[0].after is not None:
            time.sleep(0.3)  # until the gate of A waits
            raise ApplyError("the disk says no")

    machine.memos.during = fail
    outcome = machine.apply(waits, want("Memo/b", "x"), want("Memo/c", "x", "Memo/b"))
    assert (outcome.code, outcome.message) == (ExitCode.ROLLED_BACK, "the disk says no")
    assert machine.files() == before
    with machine.journal() as journal:
        assert journal.rollout(1).status is RolloutStatus.ROLLED_BACK
        given_up = [r for r in journal.steps(1) if r.status is StepStatus.FAILED]
    assert [str(r.step.id) for r in given_up if hasattr(r.step, "within")] == ["Note/a"]
    until = time.monotonic() + 2
    while threading.active_count() > threads:
        assert time.monotonic() < until, "the gate that was given up goes on asking"
        time.sleep(0.02)


@pytest.mark.usefixtures("promptly")
def test_a_gate_that_fails_ends_the_others(machine: Machine) -> None:
    before = machine.files()
    waits, fails = probed(want("Note/a", "x"), "false"), probed(want("Memo/b", "x"), "false", within=0.0)
    outcome = machine.apply(waits, fails)
    assert outcome.code is ExitCode.ROLLED_BACK
    assert outcome.message.startswith("Memo/b did not pass its verification")
    assert machine.files() == before


@pytest.mark.usefixtures("promptly")
@pytest.mark.parametrize("check", [("false",), ("sleep", "3")], ids=["between probes", "inside a probe"])
def test_a_signal_is_seen_while_a_gate_waits(machine: Machine, check: tuple[str, ...]) -> None:
    before = machine.files()

    def told(event: Event) -> None:
        machine.events.append(event)
        if event.type is EventType.GATE_WAITING:
            threading.Timer(0.2, lambda: setattr(machine, "signals", 1)).start()

    engine = machine.engine
    machine.engine = lambda journal: replace(engine(journal), listener=told)  # type: ignore[method-assign]
    began = time.monotonic()
    outcome = machine.apply(probed(want("Note/a", "x"), *check))
    assert time.monotonic() - began < 2
    assert outcome.code is ExitCode.ROLLED_BACK
    assert "SIGTERM" in outcome.message
    assert machine.files() == before
    with machine.journal() as journal:
        assert journal.quarantine() == ()


def test_removals_go_last_and_dependents_first(machine: Machine) -> None:
    old = [want("Note/a", "x"), want("Note/b", "x", "Note/a"), want("Memo/c", "x", "Note/b")]
    machine.apply(*old)
    machine.notes.applied.clear()
    machine.memos.applied.clear()
    order: list[str] = []
    for provider in (machine.notes, machine.memos):
        provider.during = lambda changes: order.extend(f"{c.action} {c.id}" for c in changes)
    kept = probed(want("Memo/keep", "x"), "sh", "-c", f"! grep -q '^#' {machine.notes.path}")
    assert machine.apply(kept).code is ExitCode.DONE
    assert order == ["create Memo/keep", "delete Memo/c", "delete Note/b", "delete Note/a"]


def test_a_look_that_sees_a_change_half_done_is_repeated_when_the_writer_is_done(machine: Machine) -> None:
    """The gate of A looks while B is written in the same backend, and cannot read it then."""
    writing, looked = threading.Event(), threading.Event()

    def write(changes: Sequence[Change]) -> None:
        if changes[0].id.name == "b":
            writing.set()
            assert looked.wait(PROMPT)
            time.sleep(0.1)
            writing.clear()

    def look() -> None:
        if writing.is_set():
            looked.set()
            raise ObserveError("cannot read the notes: half of it is missing")

    machine.notes.during, machine.notes.looking = write, look
    a = probed(want("Note/a", "x"), "true", within=5, stable_for=1.0)
    first = probed(want("Memo/first", "x"), "sleep", "0.3")
    assert machine.apply(a, first, want("Note/b", "x", "Memo/first")).code is ExitCode.DONE
    assert looked.is_set()


def test_a_writer_is_waited_for_when_the_journal_fails(machine: Machine) -> None:
    """Otherwise the next process could look at a host that still changes."""
    machine.memos.during = lambda _changes: time.sleep(0.5)
    with machine.journal() as journal:
        plan = machine.decide(journal, want("Note/a", "x"), want("Memo/b", "x")).plan

        def full(*_arguments: object) -> None:
            raise JournalError("cannot write the journal: no space left")

        object.__setattr__(journal, "steps_done", full)
        from reconciler.engine.reconcile import roll_out

        with pytest.raises(CutShort):
            roll_out(machine.engine(journal), plan, "apply")
    assert b"Memo/b" in machine.memos.path.read_bytes()
    assert machine.events[-1].type is EventType.STEPS_OVER


def test_a_bug_in_a_backend_comes_out_in_the_callers_thread(machine: Machine) -> None:
    def bug(_changes: Sequence[Change]) -> None:
        raise ZeroDivisionError

    machine.notes.during = bug
    with pytest.raises(ZeroDivisionError):
        machine.apply(want("Note/a", "x"), want("Memo/b", "x"))
    machine.notes.during = lambda _changes: None
    assert machine.apply(want("Note/a", "x")).code is ExitCode.DONE
