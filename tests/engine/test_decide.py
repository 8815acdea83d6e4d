"""What is decided from desired, last applied and observed: whole plans, compared as text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.change import Action, Cause, Danger
from reconciler.model.intent import Intent, Request
from reconciler.model.resource import DriftPolicy
from reconciler.model.state import Snapshot
from tests.engine.table import address, decide, foreign, ours, owned, snapshot, text, wanted

CASES: dict[str, tuple[list[Intent], Snapshot, Request, str]] = {
    "a new resource is created, then verified": (
        [wanted("a")],
        snapshot(),
        Request(),
        "1 create a (new)\n2 verify a after 1",
    ),
    "what is as wanted is left alone": ([wanted("a")], snapshot([ours("a")], [owned("a")]), Request(), ""),
    "our own edit is pending": (
        [wanted("a", 2)],
        snapshot([ours("a", 1)], [owned("a", 1)]),
        Request(),
        "1 update a (pending)\n2 verify a after 1",
    ),
    "an edit by somebody else is drift and is put back": (
        [wanted("a", 1)],
        snapshot([ours("a", 9)], [owned("a", 1)]),
        Request(),
        "1 update a (drift)\n2 verify a after 1",
    ),
    "something removed by somebody else is drift and is put back": (
        [wanted("a")],
        snapshot([], [owned("a")]),
        Request(),
        "1 create a (drift)\n2 verify a after 1",
    ),
    "drift is only reported where the manifest says so": (
        [wanted("a", drift=DriftPolicy.REPORT)],
        snapshot([ours("a", 9)], [owned("a")]),
        Request(),
        "skip a drift",
    ),
    "our own edit is applied even where drift is only reported": (
        [wanted("a", 2, drift=DriftPolicy.REPORT)],
        snapshot([ours("a", 1)], [owned("a", 1)]),
        Request(),
        "1 update a (pending)\n2 verify a after 1",
    ),
    "an ignored attribute belongs to somebody else": (
        [wanted("a", ignore=["extra.x"], extra={"y": 1})],
        snapshot([ours("a", extra={"y": 1, "x": 5})], [owned("a", extra={"y": 1})]),
        Request(),
        "",
    ),
    "a suspended resource is left exactly as it is": (
        [wanted("a", 2, suspend=True)],
        snapshot([ours("a", 1)], [owned("a", 1)]),
        Request(),
        "skip a",
    ),
    "what no manifest asks for is removed last, behind every gate": (
        [wanted("a"), wanted("z", 2)],
        snapshot([ours("b"), ours("z", 1)], [owned("b"), owned("z", 1)]),
        Request(),
        (
            "1 create a (new)\n2 update z (pending)\n3 verify a after 1\n4 verify z after 2\n"
            "5 delete b (removed) last\n6 verify b after 5"
        ),
    ),
    "a dependent waits for the gate of what it depends on": (
        [wanted("a", needs=["b"]), wanted("b", needs=["c"]), wanted("c")],
        snapshot([ours("b")], [owned("b")]),
        Request(),
        "1 create c (new)\n2 verify c after 1\n3 create a (new) after 2\n4 verify a after 3",
    ),
    "independent resources stand side by side": (
        [wanted("a"), wanted("b"), wanted("c", needs=["a"])],
        snapshot(),
        Request(),
        (
            "1 create a (new)\n2 create b (new)\n3 verify a after 1\n4 verify b after 2\n"
            "5 create c (new) after 3\n6 verify c after 5"
        ),
    ),
    "only the target is changed": (
        [wanted("a", 2), wanted("b", 2)],
        snapshot([ours("a"), ours("b"), ours("c")], [owned("a"), owned("b"), owned("c")]),
        Request(targets=frozenset({address("a")})),
        "1 update a (pending)\n2 verify a after 1",
    ),
    "a single file never prunes": (
        [wanted("a")],
        snapshot([ours("a"), ours("b")], [owned("a"), owned("b")]),
        Request(whole_tree=False),
        "",
    ),
    "a lost inventory is rebuilt and prunes nothing": (
        [wanted("a")],
        snapshot([ours("a"), ours("b")], [owned("a"), owned("b")], lost=True),
        Request(),
        "skip b",
    ),
    "a mark that the inventory does not know is not pruned": (
        [wanted("a")],
        snapshot([ours("a"), ours("b")], [owned("a")]),
        Request(),
        "skip b",
    ),
    "adopting takes over the entry that runs the same": (
        [wanted("a", 2)],
        snapshot([foreign("a", 2)]),
        Request(targets=frozenset({address("a")}), adopt=frozenset({address("a")})),
        "1 adopt a (requested)\n2 verify a after 1",
    ),
    "releasing leaves the thing and gives up the mark": (
        [],
        snapshot([ours("a")], [owned("a")]),
        Request(targets=frozenset({address("a")}), release=frozenset({address("a")})),
        "1 release a (requested)\n2 verify a after 1",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_plan(name: str) -> None:
    intents, snap, request, expected = CASES[name]
    assert text(decide(intents, snap, request).plan) == expected


def test_the_same_input_gives_the_same_fingerprint_and_another_input_another() -> None:
    intents, snap = [wanted("a", 2)], snapshot([ours("a", 1)], [owned("a", 1)])
    first, second = decide(intents, snap).plan, decide(intents, snap).plan
    assert first == second
    assert first.fingerprint == second.fingerprint
    assert decide([wanted("a", 3)], snap).plan.fingerprint != first.fingerprint
    assert decide(intents, snapshot([ours("a", 7)], [owned("a", 1)])).plan.fingerprint != first.fingerprint


def test_notices_and_restore_data_do_not_make_a_plan_stale() -> None:
    intents, found = [wanted("a", 2)], [ours("a", 1)]
    plain = decide(intents, snapshot(found, [owned("a", 1)])).plan
    noticed = decide(intents, snapshot(found, [owned("a", 1)], notices=["rollout 3 was interrupted"])).plan
    assert plain.fingerprint == noticed.fingerprint


def test_the_inventory_is_brought_up_to_date_without_a_step() -> None:
    decision = decide([wanted("a", 2)], snapshot([ours("a", 2)], [owned("a", 1), owned("gone")]))
    assert decision.plan.steps == ()
    assert [entry.id.name for entry in decision.remember] == ["a"]
    assert [id_.name for id_ in decision.forget] == ["gone"]


def test_what_another_backend_of_its_kind_kept_is_made_anew_and_nobody_is_said_to_have_removed_it() -> None:
    kept = replace(owned("a"), keeper="the engine at /one.sock")
    moved = replace(snapshot([], [kept]), facts={"table": {"keeper": "the engine at /two.sock"}})
    plan = decide([wanted("a")], moved).plan
    (change,) = plan.changes
    assert (change.action, change.cause) == (Action.CREATE, Cause.PENDING)
    assert change.reason == "it was applied on the engine at /one.sock, and now the engine at /two.sock is asked"
    (hazard,) = change.hazards
    assert (hazard.danger, hazard.blocking) == (Danger.DOUBLE_RUN, False)
    assert hazard.message == "Automation/a may still run on the engine at /one.sock: then it runs twice"
    assert plan.vetoes == ()
    pruned = decide([wanted("b")], replace(moved, found=(ours("b"),)))
    assert pruned.forget == (address("a"),)
    (skip,) = pruned.plan.skipped
    assert skip.reason.endswith("is asked: it may still run where it was")
    (remembered,) = pruned.remember
    assert remembered.keeper == "the engine at /two.sock"
    same = replace(moved, facts={"table": {"keeper": "the engine at /one.sock"}})
    (change,) = decide([wanted("a")], same).plan.changes
    assert (change.cause, change.hazards) == (Cause.DRIFT, ())


def test_a_change_keeps_what_its_undo_needs() -> None:
    step = decide([wanted("a", 2)], snapshot([ours("a", 1)], [owned("a", 1)])).plan.steps[0]
    assert step.change.restore == {"at": "a"}
    assert step.previous == owned("a", 1)
    back = step.change.inverse()
    assert (back.before, back.after, back.exact) == (step.change.after, step.change.before, {"at": "a"})


def test_a_chain_of_ten_thousand_dependencies_is_planned() -> None:
    names = [f"n{i:05}" for i in range(10_000)]
    intents = [wanted(n, needs=[names[i - 1]] if i else []) for i, n in enumerate(names)]
    plan = decide(intents, snapshot()).plan
    assert len(plan.steps) == 20_000
    assert plan.steps[-2].needs == (19_998,)
