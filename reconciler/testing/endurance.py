"""Conformance, second half: undo, a fault at every host call, and hostile values."""

# ruff: noqa: S101 - this is a test library

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from reconciler.host.fake import Crash
from reconciler.model.change import Change
from reconciler.model.errors import ObserveError, ReconcileError, UnsupportedSpec
from reconciler.testing.bench import Bench, Scenario, Trial, standing
from reconciler.testing.harness import HOSTILE_TEXTS


class Endurance(Trial):
    """What a provider promises when things go wrong."""

    # Undo

    def test_every_change_can_be_undone_byte_for_byte(self) -> None:
        for scenario in self.scenarios:
            bench = self.bench()
            bench.reach(scenario.start)
            content = bench.content
            changes = bench.reach(scenario.target)
            bench.undo(changes)
            assert bench.content == content, scenario.name
            bench.undo(changes)
            assert bench.content == content, scenario.name

    def test_what_somebody_changed_by_hand_comes_back_as_they_had_it(self) -> None:
        for id_ in self.first:
            bench = self.bench()
            bench.reach(self.first)
            self.harness.tamper(bench.host, id_)
            found = bench.ours().get(id_)
            if found is None or found.trouble is not None:
                continue
            content = bench.content
            for target in (self.first, self.gone):
                bench.undo(bench.reach({id_: target[id_]}))
                assert bench.content == content

    # Faults

    def test_a_fault_while_observing_is_never_taken_for_absence(self) -> None:
        bench = self.bench()
        bench.reach(self.first)
        start = bench.host.calls
        clean = bench.observe()
        for number in range(1, bench.host.calls - start + 1):
            bench.host.fail_at(number)
            try:
                assert bench.observe() == clean
            except ObserveError:
                bench.host.heal()

    @pytest.mark.parametrize("fault", ["fail before", "fail after", "crash before", "crash after"])
    def test_after_a_fault_at_any_call_a_second_run_converges(self, fault: str) -> None:
        self._at_every_call(fault, self._converges)

    @pytest.mark.parametrize("fault", ["fail before", "fail after", "crash before", "crash after"])
    def test_after_a_fault_at_any_call_it_can_be_undone(self, fault: str) -> None:
        self._at_every_call(fault, self._goes_back)

    def _at_every_call(self, fault: str, outcome: Callable[[Bench, Scenario, bytes, list[Change]], None]) -> None:
        """Throw one fault into each host call (or every n-th) of each scenario's apply, a fresh bench every time."""
        for scenario in self.scenarios:
            number, hit = 1 - self.every, True
            while hit:
                number += self.every
                bench = self.bench()
                bench.reach(scenario.start)
                content, foreign, changes = bench.content, bench.foreign, bench.changes(scenario.target)
                hit = _throw(bench, changes, fault, number)
                assert bench.foreign == foreign, (scenario.name, number)
                outcome(bench, scenario, content, changes)
            assert number > 1, "no host call was made"

    def _converges(self, bench: Bench, scenario: Scenario, _content: bytes, _changes: list[Change]) -> None:
        bench.reach(scenario.target)
        assert {id_: item.state for id_, item in bench.ours().items()} == standing(scenario.target)

    def _goes_back(self, bench: Bench, _scenario: Scenario, content: bytes, changes: list[Change]) -> None:
        bench.undo(changes)
        assert bench.content == content

    # Hostile values

    @pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=lambda text: ascii(text[:20]))
    def test_a_hostile_text_is_kept_exactly_or_refused(self, text: str) -> None:
        resource = self.harness.hostile(text)
        bench = self.bench()
        content, foreign = bench.content, bench.foreign
        try:
            state = bench.provider.canonical(resource)
        except UnsupportedSpec:
            return
        changes = bench.reach({resource.id: state})
        assert bench.ours()[resource.id].state == state
        assert bench.foreign == foreign
        bench.undo(changes)
        assert bench.content == content


def _throw(bench: Bench, changes: Sequence[Change], fault: str, number: int) -> bool:
    """Apply with a fault at the `number`-th call; False where the apply made fewer calls."""
    start = bench.host.calls
    kind, when = fault.split()
    if kind == "fail":
        bench.host.fail_at(number, before=when == "before")
    else:
        bench.host.crash_at(number, before=when == "before")
    with suppress(ReconcileError, Crash):
        bench.apply(changes)
    hit = bench.host.calls - start >= number
    bench.host.heal()
    return hit
