"""Every guard, shown firing and shown silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.engine.restore import restore
from reconciler.model.change import Danger, Hazard
from reconciler.model.intent import PrunePolicy, Request
from reconciler.model.resource import DriftPolicy, Protect
from reconciler.model.state import Quarantined
from reconciler.provider import Finding
from reconciler.testing.builders import state
from tests.engine.table import REVISION, address, decide, foreign, ours, owned, snapshot, text, wanted

TEN = [f"r{i}" for i in range(10)]


def vetoes(*arguments: object, **named: object) -> list[str]:
    return [veto.guard for veto in decide(*arguments, **named).plan.vetoes]


def many(count: int) -> tuple[list, list]:
    names = [f"r{i:03}" for i in range(count)]
    return [ours(n) for n in names], [owned(n) for n in names]


@pytest.mark.parametrize(
    ("total", "kept", "fires"),
    [(10, 6, True), (10, 7, False), (4, 1, False), (100, 69, True), (100, 70, False), (5, 1, True)],
)
def test_the_prune_limit_needs_more_than_three_and_more_than_thirty_percent(
    total: int, kept: int, fires: bool
) -> None:
    found, inventory = many(total)
    intents = [wanted(item.id.name) for item in found[:kept]]
    assert vetoes(intents, snapshot(found, inventory)) == (["prune-limit"] if fires else [])


def test_the_prune_limit_is_overruled_by_name_only() -> None:
    found, inventory = many(10)
    snap = snapshot(found, inventory)
    assert vetoes([wanted("r000")], snap, Request(accept=frozenset({"prune"}))) == []
    assert vetoes([wanted("r000")], snap, Request(accept=frozenset({"downtime"}))) == ["prune-limit"]


def test_pruning_can_be_switched_off() -> None:
    plan = decide(
        [wanted("a")],
        snapshot([ours("a"), ours("b")], [owned("a"), owned("b")]),
        Request(prune=PrunePolicy(enabled=False)),
    ).plan
    assert text(plan) == "skip b"


@pytest.mark.parametrize("accept", [frozenset(), frozenset({"prune", "empty-tree"})])
def test_an_empty_tree_never_prunes(accept: frozenset[str]) -> None:
    assert vetoes([], snapshot([ours("a")], [owned("a")]), Request(accept=accept)) == ["empty-tree"]


def test_an_empty_tree_on_an_empty_host_is_nothing_to_do() -> None:
    assert text(decide([], snapshot()).plan) == ""


def test_protection_outlives_its_manifest() -> None:
    snap = snapshot([ours("a"), ours("b")], [owned("a"), owned("b", protect=Protect.DELETE)])
    plan = decide([wanted("a")], snap, Request(accept=frozenset({"prune", "protect"}))).plan
    assert [(v.guard, v.id, v.accept) for v in plan.vetoes] == [("protect", address("b"), None)]


def test_what_is_not_protected_may_go() -> None:
    assert vetoes([wanted("a")], snapshot([ours("a"), ours("b")], [owned("a"), owned("b")])) == []


def test_a_new_protection_is_remembered_although_nothing_else_changes() -> None:
    decision = decide([wanted("a", protect=Protect.DELETE)], snapshot([ours("a")], [owned("a")]))
    assert [entry.protect for entry in decision.remember] == [Protect.DELETE]


def test_a_quarantined_revision_is_refused_until_it_changes() -> None:
    failed = Quarantined(REVISION, "the probe failed", 7)
    plan = decide([wanted("a")], snapshot(quarantine=[failed])).plan
    assert [v.guard for v in plan.vetoes] == ["quarantine"]
    assert "rollout 7" in plan.vetoes[0].message
    other = replace(failed, revision=replace(REVISION, digest="e" * 32))
    assert vetoes([wanted("a")], snapshot(quarantine=[other])) == []


def test_a_quarantined_revision_with_nothing_to_do_is_no_trouble() -> None:
    snap = snapshot([ours("a")], [owned("a")], quarantine=[Quarantined(REVISION, "x", 7)])
    assert vetoes([wanted("a")], snap) == []


def test_a_lost_mark_is_refused_and_explained() -> None:
    plan = decide([wanted("a")], snapshot([foreign("a")], [owned("a")])).plan
    assert text(plan) == "veto ownership a"
    assert "reconcile adopt Automation/a" in str(plan.vetoes[0].hint)


def test_two_copies_of_our_mark_are_refused() -> None:
    assert vetoes([wanted("a")], snapshot([ours("a", trouble="two lines carry it")], [owned("a")])) == ["ownership"]


def test_a_doubtful_thing_is_not_pruned() -> None:
    snap = snapshot([ours("a"), ours("b", trouble="two lines carry it")], [owned("a"), owned("b")])
    assert vetoes([wanted("a")], snap) == ["ownership"]


@pytest.mark.parametrize("count", [0, 2])
def test_adopting_needs_exactly_one_candidate(count: int) -> None:
    request = Request(targets=frozenset({address("a")}), adopt=frozenset({address("a")}))
    assert vetoes([wanted("a")], snapshot([foreign("a")] * count), request) == ["ownership"]


def test_what_is_not_there_cannot_be_released() -> None:
    request = Request(targets=frozenset({address("a")}), release=frozenset({address("a")}))
    assert vetoes([], snapshot([], [owned("a")]), request) == ["ownership"]


@pytest.mark.parametrize("runner", [True, False])
def test_what_is_released_and_still_needs_our_runner_is_said_to(runner: bool) -> None:
    found = replace(ours("a"), state=state(command=["/opt/reconcile", "exec", "a", "--", "b"] if runner else ["b"]))
    request = Request(targets=frozenset({address("a")}), release=frozenset({address("a")}))
    (change,) = decide([], snapshot([found], [owned("a")]), request).plan.changes
    needs = "; it still runs through `reconcile exec`, so it needs reconciler"
    assert change.reason == "released: it stays and is yours again" + (needs if runner else "")


def test_a_rollback_to_nothing_refuses_what_is_in_trouble() -> None:
    found = [ours("a", trouble="rows 1 and 3 both carry its mark"), ours("b")]
    difference = restore([], snapshot(found), "as it was before anything was applied", everything=True)
    assert [veto.message for veto in difference.vetoes] == ["rows 1 and 3 both carry its mark"]
    assert [change.id for change in difference.changes] == [address("b")]


def test_what_cannot_be_looked_at_is_neither_gone_nor_forgotten() -> None:
    blind = snapshot([], [owned("a"), owned("b")], unsupported={"table": "its program does not answer"})
    decision = decide([wanted("a", drift=DriftPolicy.REPORT)], blind)
    assert [veto.guard for veto in decision.plan.vetoes] == ["backend"]
    assert decision.forget == ()
    assert [skip.reason for skip in decision.plan.skipped] == [
        "no manifest asks for it; nobody can tell whether it still stands: its program does not answer"
    ]


def test_a_backend_that_cannot_be_used_is_refused() -> None:
    plan = decide([wanted("a")], snapshot(unsupported={"table": "there is no crontab program"})).plan
    assert [(v.guard, v.hint) for v in plan.vetoes] == [
        ("backend", "make it usable, or name another `scheduler` in the manifest")
    ]
    assert "there is no crontab program" in plan.vetoes[0].message


def test_a_limit_of_the_backend_cannot_be_overruled() -> None:
    finding = Finding("the table would be too long", (address("a"),))
    request = Request(accept=frozenset({"limit", "prune", "downtime", "data-loss", "missed-run", "double-run"}))
    assert vetoes([wanted("a")], snapshot(), request, [finding]) == ["limit"]


@pytest.mark.parametrize("danger", list(Danger))
def test_a_blocking_hazard_is_refused_until_it_is_accepted_by_name(danger: Danger) -> None:
    hazard = Hazard(danger, "something may go wrong", "look", blocking=True)
    finding = Finding(hazard.message, (address("a"),), hazard=hazard)
    assert vetoes([wanted("a")], snapshot(), Request(), [finding]) == ["hazard"]
    accepted = decide([wanted("a")], snapshot(), Request(accept=frozenset({danger.value})), [finding]).plan
    assert accepted.vetoes == ()
    assert accepted.changes[0].hazards == (hazard,)


def test_a_hazard_that_does_not_block_is_only_shown() -> None:
    hazard = Hazard(Danger.DOWNTIME, "it restarts")
    plan = decide([wanted("a")], snapshot(), Request(), [Finding("", (address("a"),), hazard=hazard)]).plan
    assert plan.vetoes == ()
    assert plan.changes[0].hazards == (hazard,)


def test_an_accepted_missed_run_is_not_verified_against_the_daemon() -> None:
    hazard = Hazard(Danger.MISSED_RUN, "no daemon", blocking=True)
    finding = Finding("no daemon", (address("a"),), hazard=hazard)
    steps = decide([wanted("a")], snapshot(), Request(accept=frozenset({"missed-run"})), [finding]).plan.steps
    assert steps[1].backend is False
    assert decide([wanted("a")], snapshot()).plan.steps[1].backend is True
