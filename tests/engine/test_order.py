"""Which steps are ready, given which are done."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine.order import Order
from reconciler.model.address import ResourceId
from reconciler.model.plan import ApplyStep, VerifyStep
from reconciler.testing.builders import change, state


def apply_step(number: int, *needs: int, last: bool = False) -> ApplyStep:
    return ApplyStep(number, needs, change(f"Note/n{number}", None, state(text="x")), None, after_all=last)


def gate(number: int, *needs: int) -> VerifyStep:
    return VerifyStep(number, needs, ResourceId("Note", f"n{number}"), "memory", 0.0, 0.0, ())


def test_a_step_is_ready_once_all_that_it_needs_is_done() -> None:
    order = Order([apply_step(1), gate(2, 1), apply_step(3), apply_step(4, 2, 3)], frozenset())
    assert list(order.ready) == [1, 3]
    order.take([order.ready[1], order.ready[3]])
    order.done(3)
    assert list(order.ready) == []
    order.done(1)
    assert list(order.ready) == [2]
    order.done(2)
    assert 4 in order.ready
    assert order.left == 1


def test_removals_wait_for_everything_with_a_lower_number() -> None:
    steps = [apply_step(1), gate(2, 1), apply_step(3, last=True), gate(4, 3), apply_step(5, 4, last=True)]
    order = Order(steps, frozenset())
    order.done(1)
    assert 3 not in order.ready
    order.done(2)
    assert 3 in order.ready
    assert 5 not in order.ready


def test_what_is_finished_already_stands_in_nobodys_way() -> None:
    order = Order([apply_step(1), gate(2, 1), apply_step(3, last=True)], frozenset({1, 2}))
    assert list(order.ready) == [3]
    assert order.left == 1


@given(st.lists(st.tuples(st.sets(st.integers(0, 20)), st.booleans()), max_size=20))
def test_whatever_the_graph_every_step_comes_after_its_needs(rows: list[tuple[set[int], bool]]) -> None:
    steps = [
        replace(apply_step(n, *(k for k in needs if 0 < k < n)), after_all=last)
        for n, (needs, last) in enumerate(rows, start=1)
    ]
    first_removal = min((s.number for s in steps if s.after_all), default=0)
    order, done = Order(steps, frozenset()), set[int]()
    while order.ready:
        number = max(order.ready)
        step = order.ready[number]
        assert done.issuperset(step.needs)
        assert not (isinstance(step, ApplyStep) and step.after_all) or done.issuperset(range(1, first_removal))
        order.take([step])
        order.done(number)
        done.add(number)
    assert len(done) == len(steps)
