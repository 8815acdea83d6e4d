"""Conformance, first half: basics, convergence, manners and truth."""

# ruff: noqa: S101 - this is a test library

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.readonly import ReadOnlyHost
from reconciler.model.change import Action, Change
from reconciler.model.errors import Conflict, ObserveError
from reconciler.model.state import Ownership
from reconciler.provider import HasHealth, HasImport, HasMark, HasWatchPaths, Supported, Unsupported, Wanted
from reconciler.testing.bench import Bench, Trial, as_journalled, set_aside, standing


class Promises(Trial):
    """What a provider promises while nothing goes wrong, and to say so where something did."""

    # Basics

    def test_the_harness_gives_enough_to_test(self) -> None:
        assert len(self.first) >= 3
        assert all(self.first[id_] != self.second[id_] for id_ in self.first)

    def test_it_says_what_it_is(self) -> None:
        provider = self.harness.provider()
        assert provider.name
        assert {old.id.kind for old, _ in self.harness.pairs()} <= provider.kinds

    def test_it_says_whether_it_can_be_used(self) -> None:
        bench = self.bench()
        with bench.untouched():
            assert isinstance(bench.provider.probe(ReadOnlyHost(bench.host)), Supported)
        bare = bench.provider.probe(FakeHost())
        assert isinstance(bare, Supported) or (isinstance(bare, Unsupported) and bare.why)

    def test_a_canonical_state_is_pure_plain_data(self) -> None:
        for resource in (one for pair in self.harness.pairs() for one in pair):
            state = self.harness.provider().canonical(resource)
            assert state == self.harness.provider().canonical(resource)
            assert as_journalled(state.attributes) == state.attributes
            assert None not in state.attributes.values()

    def test_what_is_created_updated_and_deleted_is_observed_so(self) -> None:
        bench = self.bench()
        for target in (self.first, self.second, self.gone, self.second, self.mixed):
            bench.reach(target)
            found = bench.ours()
            assert {id_: item.state for id_, item in found.items()} == standing(target)
            assert all(item.provider == bench.provider.name for item in found.values())
            assert all(item.trouble is None for item in found.values())

    def test_one_resource_alone_can_be_changed(self) -> None:
        for id_, after in self.second.items():
            bench = self.bench()
            bench.reach(self.first)
            others = {other: item.document for other, item in bench.ours().items() if other != id_}
            bench.reach({id_: after})
            found = bench.ours()
            assert found[id_].state == after
            assert {other: item.document for other, item in found.items() if other != id_} == others

    def test_the_announced_document_is_the_one_that_stands(self) -> None:
        bench = self.bench(foreign=False)
        bench.reach(self.first)
        for id_, item in bench.ours().items():
            assert item.document == bench.provider.document(id_, item.state)

    # Convergence

    def test_nothing_is_left_to_change_after_an_apply(self) -> None:
        bench = self.bench()
        bench.reach(self.first)
        again = Bench(self.harness, self.harness.provider(), bench.host, bench.register)
        assert again.changes(self.first) == []
        assert again.ours() == bench.ours()

    def test_a_fresh_process_sees_the_same(self) -> None:
        bench = self.bench()
        bench.reach(self.first)
        seen = self.harness.observe_elsewhere(bench.host, bench.applied)
        if seen is None:
            pytest.skip("this backend lives in the memory of this process")
        assert {i.id: i for i in seen.found if i.ownership is Ownership.OURS} == bench.ours()

    def test_observing_twice_gives_the_same_in_the_same_order(self) -> None:
        bench = self.bench()
        bench.reach(self.first)
        wanted = [Wanted(id_, state, state) for id_, state in self.second.items()]
        assert bench.observe(wanted) == bench.observe(wanted)
        assert bench.observe(wanted) == bench.observe(wanted[::-1])

    def test_changes_applied_twice_are_applied_once(self) -> None:
        for scenario in self.scenarios:
            bench = self.bench()
            bench.reach(scenario.start)
            changes = bench.reach(scenario.target)
            with bench.untouched():
                bench.apply(changes)

    def test_changes_mean_the_same_without_the_texts_for_people(self) -> None:
        one, other = self.bench(), self.bench()
        for scenario in self.scenarios:
            one.reach(scenario.start)
            other.reach(scenario.start)
            one.apply(one.changes(scenario.target))
            other.apply([set_aside(change) for change in other.changes(scenario.target)])
            assert one.content == other.content

    # Manners

    def test_observing_writes_nothing(self) -> None:
        bench = self.bench()
        bench.reach(self.first)
        wanted = [Wanted(id_, state, state) for id_, state in self.second.items()]
        start = bench.host.calls
        with bench.untouched():
            assert bench.observe(wanted, host=ReadOnlyHost(bench.host)) == bench.observe(wanted)
        assert not [call for call in bench.host.log[start:] if call.writes]

    def test_the_optional_looks_write_nothing(self) -> None:
        bench = self.bench()
        bench.reach(self.first)
        host = ReadOnlyHost(bench.host)
        with bench.untouched():
            if isinstance(bench.provider, HasHealth):
                why = bench.provider.health(host, sorted(self.first))
                assert why is None or why
            if isinstance(bench.provider, HasWatchPaths):
                assert all(path.startswith("/") for path in bench.provider.watch_paths(host))
            if isinstance(bench.provider, HasImport):
                assert all(one.manifest is not None or one.why for one in bench.provider.foreign(host, None))

    def test_foreign_bytes_are_never_touched(self) -> None:
        bench = self.bench()
        foreign = bench.foreign
        assert foreign
        for target in (self.first, self.second, self.mixed, self.gone):
            bench.reach(target)
            assert bench.foreign == foreign

    def test_foreign_things_are_not_taken_for_ours(self) -> None:
        bench = self.bench()
        wanted = [Wanted(id_, state, None) for id_, state in self.first.items()]
        assert [item for item in bench.observe(wanted) if item.ownership is Ownership.OURS] == []

    def test_a_foreign_twin_is_seen_adopted_and_released(self) -> None:
        for resource, _ in self.harness.pairs():
            bench = self.bench()
            if not self.harness.add_twin(bench.host, resource):
                pytest.skip("nothing without our mark can do what a resource of this kind does")
            state = bench.provider.canonical(resource)
            (twin,) = bench.observe([Wanted(resource.id, state, None)])
            assert (twin.id, twin.ownership) == (resource.id, Ownership.FOREIGN)
            content, foreign = bench.content, bench.foreign
            adopt = bench.change(resource.id, twin, state, Action.ADOPT)
            bench.apply([adopt])
            assert bench.ours()[resource.id].state == state
            assert bench.foreign != foreign
            bench.apply([adopt])
            bench.undo([adopt])
            assert bench.content == content
            bench.apply([adopt])
            ours = bench.ours()[resource.id]
            adopted = bench.content
            release = bench.change(resource.id, ours, ours.state, Action.RELEASE)
            bench.apply([release])
            bench.apply([release])
            assert resource.id not in bench.ours()
            if isinstance(bench.provider, HasMark):
                left = bench.provider.unmarked(resource.id, ours.state, ours.document)
                (released,) = bench.observe([Wanted(resource.id, state, None)])
                assert (released.ownership, released.document) == (Ownership.FOREIGN, left)
            bench.undo([release])
            assert bench.content == adopted

    # Truth

    def test_tampering_is_seen(self) -> None:
        for id_ in self.first:
            bench = self.bench()
            bench.reach(self.first)
            before = bench.ours()
            self.harness.tamper(bench.host, id_)
            after = bench.ours()
            assert after.get(id_) != before[id_]
            assert {k: v.state for k, v in after.items() if k != id_} == {
                k: v.state for k, v in before.items() if k != id_
            }

    def test_an_unreadable_backend_is_not_an_empty_one(self) -> None:
        bench = self.bench()
        bench.reach(self.first)
        self.harness.break_reading(bench.host)
        with pytest.raises(ObserveError):
            bench.observe()

    def test_a_stale_change_conflicts_and_writes_nothing(self) -> None:
        for id_ in self.first:
            for target in (self.second, self.gone):
                bench = self.bench()
                bench.reach(self.first)
                changes = bench.changes(target)
                self.harness.tamper(bench.host, id_)
                with bench.untouched(), pytest.raises(Conflict):
                    bench.apply([change for change in changes if change.id == id_])
                self._refuses_the_whole_batch(bench, changes)

    def _refuses_the_whole_batch(self, bench: Bench, changes: Sequence[Change]) -> None:
        keys = {bench.provider.batch(change) for change in changes}
        if len(keys) == 1 and None not in keys:
            with bench.untouched(), pytest.raises(Conflict):
                bench.apply(changes)

    def test_creating_over_something_else_conflicts(self) -> None:
        bench = self.bench()
        changes = bench.changes(self.second)
        bench.reach(self.first)
        with bench.untouched(), pytest.raises(Conflict):
            bench.apply(changes)

    def test_updating_what_is_gone_conflicts(self) -> None:
        bench = self.bench()
        bench.reach(self.first)
        changes = bench.changes(self.second)
        bench.reach(self.gone)
        with bench.untouched(), pytest.raises(Conflict):
            bench.apply(changes)
