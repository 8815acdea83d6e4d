"""What a plan says, independent of the medium: verdict, dangers, drift, closing sentences.

Plain sentences only. Layout, colour and escaping belong to the media; steps are in `steps` and `gates`.
"""

from __future__ import annotations

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change, Danger, Hazard
from reconciler.model.plan import ApplyStep, Plan, Veto

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
    source = "this folder" if plan.path in ("", ".") else plan.path
    return f"Revision {name}{branch}{dirty}, read from {source}."


def manifest_place(plan: Plan, id_: ResourceId | None) -> tuple[str, str]:
    """File and line of a resource; empty where no manifest speaks of it."""
    file, _, line = plan.sources.get(id_, "").rpartition(":") if id_ is not None else ("", "", "")
    return file, line


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
