"""What a plan says, independent of the medium: verdict, order, dangers, gates, drift, closing sentences.

Plain sentences only. Layout, colour and escaping belong to the media; what a step changes is in `steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change, Danger, Hazard
from reconciler.model.duration import format_duration
from reconciler.model.plan import ApplyStep, Plan, VerifyStep, Veto
from reconciler.model.resource import Probe

SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "-/+",
    Action.DELETE: "-",
    Action.ADOPT: ">",
    Action.RELEASE: "<",
    Action.NONE: "=",
}
_MEANINGS = {
    Action.CREATE: "is added",
    Action.UPDATE: "is changed in place",
    Action.REPLACE: "is removed and made anew",
    Action.DELETE: "is removed",
    Action.ADOPT: "stays and becomes ours",
    Action.RELEASE: "stays and is no longer ours",
    Action.NONE: "stays",
}
DANGERS = {
    Danger.DOWNTIME: "downtime",
    Danger.DATA_LOSS: "data loss",
    Danger.MISSED_RUN: "missed run",
    Danger.DOUBLE_RUN: "double run",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """Verify steps that stand next to each other and ask the same."""

    steps: tuple[VerifyStep, ...]
    action: Action  # of the changes that they verify

    @property
    def numbers(self) -> str:
        first, last = self.steps[0].number, self.steps[-1].number
        return str(first) if first == last else f"{first}-{last}"


Row: TypeAlias = "ApplyStep | Gate"


def rows(plan: Plan) -> tuple[Row, ...]:
    """The steps in execution order, like verify gates folded."""
    actions = {change.id: change.action for change in plan.changes}
    found: list[Row] = []
    for question, steps in groupby(plan.steps, key=lambda step: _question(step, actions)):
        if question is None:
            found += [step for step in steps if isinstance(step, ApplyStep)]
        else:
            gates = tuple(step for step in steps if isinstance(step, VerifyStep))
            found.append(Gate(gates, actions.get(gates[0].id, Action.NONE)))
    return tuple(found)


def _question(step: ApplyStep | VerifyStep, actions: dict[ResourceId, Action]) -> object:
    if isinstance(step, ApplyStep):
        return None
    action = actions.get(step.id, Action.NONE)
    keeps = action not in (Action.DELETE, Action.RELEASE)
    return (step.provider, step.within, step.stable_for, step.probes, step.backend, keeps or action)


def is_dangerous(change: Change) -> bool:
    """Whether a reader must see this first."""
    return bool(change.hazards) or change.action in (Action.DELETE, Action.REPLACE)


def verdict(plan: Plan) -> str:
    """The first line: what will become of this plan, the counts, host and revision."""
    return f"{summary(plan)} {origin(plan)}"


def summary(plan: Plan) -> str:
    """What will become of this plan, with the counts."""
    host, counts = plan.host.name, tally(plan)
    if plan.vetoes:
        was = f" The plan was: {counts}." if plan.steps else f" Found: {counts}." if counts else ""
        return f"Refused: nothing will be changed on {host}.{was}"
    if not plan.steps:
        return f"Nothing to do on {host}{': ' if counts else ''}{counts}."
    return f"Plan for {host}: {counts}."


def origin(plan: Plan) -> str:
    """Which revision, and where it was read."""
    revision = plan.revision
    name = f"{revision.commit[:8]}" if revision.commit else f"{revision.digest[:8]} (not in git)"
    branch = f" on {revision.branch}" if revision.branch else ""
    dirty = " with uncommitted changes" if revision.dirty else ""
    return f"Revision {name}{branch}{dirty}, read from {plan.path}."


def manifest_place(plan: Plan, id_: ResourceId | None) -> tuple[str, str]:
    """File and line of a resource as the user would name them; empty where no manifest speaks of it."""
    source = plan.sources.get(id_, "") if id_ is not None else ""
    file, _, line = source.rpartition(":")
    if not file:
        return "", ""
    if plan.path == file or plan.path.endswith(f"/{file}"):
        return plan.path, line  # the path is that file itself
    folder = plan.path.rstrip("/") or plan.path
    return (file if folder == "." else f"{folder.removesuffix('/')}/{file}"), line


def tally(plan: Plan) -> str:
    """`1 to create, 2 to update, 9 unchanged`; zero counts are left out."""
    counts = [f"{count:,} to {action}" for action in SIGNS if (count := plan.count(action))]
    undone = sum(change.cause is Cause.DRIFT for change in plan.changes)
    if undone and counts:
        counts[-1] += f" ({undone:,} of these undo{'es' if undone == 1 else ''} drift)"
    if plan.unchanged:
        counts.append(f"{plan.unchanged:,} unchanged")
    if plan.skipped:
        counts.append(f"{len(plan.skipped):,} left alone")
    return ", ".join(counts)


def legend(plan: Plan) -> str:
    """What the signs of this plan mean, and no others."""
    used = [action for action in SIGNS if plan.count(action)]
    return ", ".join(f"{SIGNS[action]} {_MEANINGS[action]}" for action in used)


def refusing(hazard: Hazard, plan: Plan) -> bool:
    """Whether this hazard is one of the reasons that the plan is refused for."""
    return any(veto.message == hazard.message for veto in plan.vetoes)


def veto_label(veto: Veto) -> str:
    """The guard's name; for a hazard, the danger itself."""
    return veto.accept if veto.guard == "hazard" and veto.accept else veto.guard


def veto_sentence(veto: Veto) -> str:
    about = f"{veto.id}: " if veto.id is not None and str(veto.id) not in veto.message else ""
    return f"{about}{veto.message}"


def veto_hint(veto: Veto) -> str:
    """What to do about it, with the way to overrule it where there is one."""
    hint = veto.hint or ""
    if veto.accept and f"--accept {veto.accept}" not in hint:
        hint += f"{'; ' if hint else ''}to go ahead all the same, pass `--accept {veto.accept}`"
    return hint


def gate_sentence(gate: Gate) -> str:
    """What is waited for, for how long, and what follows where it does not come."""
    step, count = gate.steps[0], len(gate.steps)
    who = f"all {count:,}" if count > 1 else str(step.id)
    waits = [_standing(gate, count > 1), *_questions(step.probes)]
    if step.backend:
        waits.insert(
            1, _BACKENDS.get(step.provider, f"{step.provider} is ready to run {'them' if count > 1 else 'it'}")
        )
    within = f", within {format_duration(step.within)}"
    stable = f" and staying so for {format_duration(step.stable_for)}" if step.stable_for else ""
    return f"then verify {who}: wait until {_listed(waits)}{within}{stable}; if not, everything above is undone"


def _questions(probes: Sequence[Probe]) -> list[str]:
    if not probes:
        return []
    from reconciler.health.check import describe

    return [describe(probe) for probe in probes]


_PLACES = {"crontab": "the crontab"}
_BACKENDS = {"crontab": "a cron daemon is running"}


def _standing(gate: Gate, several_: bool) -> str:
    place = _PLACES.get(gate.steps[0].provider, f"{gate.steps[0].provider}")
    line = "each line" if several_ else "its line"
    if gate.steps[0].provider not in _PLACES:
        line = "each" if several_ else "it"
    if gate.action is Action.DELETE:
        return f"{line} is gone from {place}"
    if gate.action is Action.RELEASE:
        return f"{line} stands in {place} without our mark"
    return f"{line} is in {place} as planned"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def drift_rows(plan: Plan) -> tuple[tuple[str, str], ...]:
    """What somebody else changed: address, and what becomes of it."""
    reverted = [
        (str(step.change.id), f"{'would be' if plan.vetoes else 'is'} put back by step {step.number}")
        for step in plan.steps
        if isinstance(step, ApplyStep) and step.change.cause is Cause.DRIFT
    ]
    return (*reverted, *((str(skip.id), skip.reason) for skip in plan.skipped if skip.drift))


def facts(plan: Plan) -> tuple[str, ...]:
    """What can be said of the plan as a whole about everything that it leaves alone."""
    changes = plan.changes
    if not changes or any(change.provider != "crontab" for change in changes):
        return ()
    return (
        "Applying this starts no job and stops none.",
        "Lines of the crontab that are not ours are not touched.",
    )


def closing(plan: Plan, apply_with: str | None) -> str:
    """The last line: the command that does it, or that nothing will change. `apply_with=""` names no command."""
    if plan.vetoes or not plan.steps:
        return "Nothing will be changed."
    command = f"reconcile apply {quoted(plan.path)}" if apply_with is None else apply_with
    return f"Nothing has been changed yet. To do this: {command}" if command else "Nothing has been changed yet."


def quoted(argument: str) -> str:
    """The argument as one word for a shell."""
    plain = argument and all(char.isalnum() or char in "@%+=:,./_-" for char in argument) and argument.isascii()
    return argument if plain else "'" + argument.replace("'", "'\\''") + "'"
