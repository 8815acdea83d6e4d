"""Verify gates in words."""

from __future__ import annotations

from dataclasses import replace

from reconciler.cli.render.gates import Gate, gate_lines, rows
from reconciler.model.plan import VerifyStep
from tests.render.build import create, delete, plan_of


def test_the_gates_of_a_move_wait_for_what_each_side_is_to_become() -> None:
    """Both sides of a move have one id: only the backend tells them apart."""
    made = create("tick", "0 5 * * *", "job")
    gone = replace(delete("tick", "0 5 * * *", "job", 1), provider="systemd")
    plan = plan_of([made, gone])
    steps = [
        replace(step, provider="systemd") if isinstance(step, VerifyStep) and not step.backend else step
        for step in plan.steps
    ]
    first, last = (gate_lines(row)[0] for row in rows(replace(plan, steps=tuple(steps))) if isinstance(row, Gate))
    assert "wait until its line is in the crontab as planned" in first
    assert "wait until its entry is gone from systemd" in last
