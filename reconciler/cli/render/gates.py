"""Steps in the order of execution, with the verify gates between them folded and put into words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

from reconciler.model.address import Place
from reconciler.model.change import Action
from reconciler.model.duration import format_duration
from reconciler.model.frozen import dataclass
from reconciler.model.plan import ApplyStep, Plan, VerifyStep
from reconciler.model.resource import Probe

_PLACES = {"crontab": "the crontab"}
_BACKENDS = {"crontab": "a cron daemon is running"}
_NAMED = 3  # names that are listed before the rest is only counted


@dataclass(frozen=True, slots=True)
class Gate:
    """Verify steps that stand next to each other and wait for the same kind of thing."""

    steps: tuple[VerifyStep, ...]
    action: Action  # of the changes that they verify

    @property
    def numbers(self) -> str:
        return _span(self.steps)


Row: TypeAlias = "ApplyStep | Gate"


def rows(plan: Plan) -> tuple[Row, ...]:
    """The steps in execution order, neighbouring verify gates folded."""
    actions = {change.place: change.action for change in plan.changes}
    found: list[Row] = []
    for question, steps in groupby(plan.steps, key=lambda step: _question(step, actions)):
        if question is None:
            found += [step for step in steps if isinstance(step, ApplyStep)]
        else:
            gates = tuple(step for step in steps if isinstance(step, VerifyStep))
            found.append(Gate(gates, actions.get(gates[0].place, Action.NONE)))
    return tuple(found)


def _question(step: ApplyStep | VerifyStep, actions: dict[Place, Action]) -> object:
    if isinstance(step, ApplyStep):
        return None
    action = actions.get(step.place, Action.NONE)
    keeps = action not in (Action.DELETE, Action.RELEASE)
    return (step.provider, step.backend, keeps or action)


def gate_lines(gate: Gate) -> tuple[str, tuple[str, ...]]:
    """What is waited for and what follows where it does not come; then what differs from one step to another."""
    step, many = gate.steps[0], len(gate.steps) > 1
    who = f"all {len(gate.steps):,}" if many else str(step.id)
    waits = [_standing(gate, many=many)]
    if step.backend:
        waits.append(_BACKENDS.get(step.provider, f"{step.provider} is ready to run {'them' if many else 'it'}"))
    kinds = [tuple(same) for _, same in groupby(gate.steps, key=_policy)]
    if len(kinds) == 1:
        waits += _questions(step.probes)
        return f"then verify {who}: wait until {_listed(waits)}{_limits(step)}; {_OTHERWISE}", ()
    head = f"then verify {who}: wait until {_listed([*waits, 'the following holds'])}; {_OTHERWISE}"
    return head, tuple(_own(same) for same in kinds)


_OTHERWISE = "if not, everything above is undone"


def _own(steps: Sequence[VerifyStep]) -> str:
    names = [str(step.id) for step in steps[:_NAMED]]
    more = [f"{len(steps) - _NAMED:,} more"] if len(steps) > _NAMED else []
    questions = _questions(steps[0].probes)
    return (
        f"{_span(steps)}. {_listed([*names, *more])}: {_listed(questions or ['nothing further'])}{_limits(steps[0])}"
    )


def _span(steps: Sequence[VerifyStep]) -> str:
    first, last = steps[0].number, steps[-1].number
    return str(first) if first == last else f"{first}-{last}"


def _policy(step: VerifyStep) -> object:
    return (step.within, step.stable_for, step.probes)


def _limits(step: VerifyStep) -> str:
    stable = f" and staying so for {format_duration(step.stable_for)}" if step.stable_for else ""
    return f", within {format_duration(step.within)}{stable}"


def _standing(gate: Gate, *, many: bool) -> str:
    provider = gate.steps[0].provider
    place, thing = _PLACES.get(provider, provider), "line" if provider in _PLACES else "entry"
    line = f"each {thing}" if many else f"its {thing}"
    match gate.action:
        case Action.DELETE:
            return f"{line} is gone from {place}"
        case Action.RELEASE:
            return f"{line} stands in {place} without our mark"
        case _:
            return f"{line} is in {place} as planned"


def _questions(probes: Sequence[Probe]) -> list[str]:
    if not probes:
        return []
    from reconciler.health.check import describe

    return [describe(probe) for probe in probes]


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def awaited(step: ApplyStep, gates: dict[int, VerifyStep]) -> str:
    """`after step 5 has verified Automation/backup`, where a dependency changes as well; else empty."""
    needed = list(_needed(step, gates))
    if room := [gate for gate in needed if gate.id == step.change.id]:
        return f"after step {room[0].number} has verified that it is gone from {room[0].provider}"
    if not needed:
        return ""
    numbers, names = _listed([str(gate.number) for gate in needed]), _listed([str(gate.id) for gate in needed])
    steps = "step" if len(needed) == 1 else "steps"
    return f"after {steps} {numbers} {'has' if len(needed) == 1 else 'have'} verified {names}"


def _needed(step: ApplyStep, gates: dict[int, VerifyStep]) -> Iterator[VerifyStep]:
    return (gates[number] for number in step.needs if number in gates)
