"""Review: what the outcome would break, and the dangers of running under systemd. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.change import Action, Cause, Change, Danger, Hazard
from reconciler.model.data import Json
from reconciler.model.state import State
from reconciler.provider import Finding
from reconciler.providers.systemd.manager import Scope
from reconciler.providers.systemd.scopes import LINGER_HINT, NO_LINGERING, scope_of

_RUNS = frozenset({Action.CREATE, Action.UPDATE, Action.REPLACE, Action.ADOPT})
_QUIET = frozenset({"enabled", "dropIns"})  # attributes whose change restarts nothing


def review(facts: Mapping[str, Json], changes: Sequence[Change]) -> tuple[Finding, ...]:
    """Refusals first, then hazards in the order of the changes."""
    runs = [change for change in changes if change.action in _RUNS and change.after is not None]
    refusals = (*_occupied(facts, runs), *_drop_ins(facts, runs))
    return (*refusals, *_run_twice(facts, runs), *_no_lingering(facts, runs), *_downtime(changes))


def _occupied(facts: Mapping[str, Json], runs: Sequence[Change]) -> list[Finding]:
    places = cast("Mapping[str, str]", facts.get("occupied", {}))
    return [
        Finding(
            f"{places[str(change.id)]} has the name of our unit and does not carry our mark",
            (change.id,),
            f"take it over: `reconcile adopt {change.id}`; or remove it",
        )
        for change in runs
        if change.action is Action.CREATE and str(change.id) in places
    ]


def _drop_ins(facts: Mapping[str, Json], runs: Sequence[Change]) -> list[Finding]:
    waiting = cast("Mapping[str, Sequence[str]]", facts.get("dropIns", {}))
    found: list[Finding] = []
    for change in runs:
        paths = _listed(change.before) or list(waiting.get(str(change.id), ()))
        if paths and paths != _listed(change.after):
            message = f"somebody else changes what {change.id} does, by {', '.join(paths)}"
            found.append(Finding(message, (change.id,), "say the same in the manifest, and remove that"))
    return found


def _listed(state: State | None) -> list[str]:
    return list(cast("Sequence[str]", state.attributes.get("dropIns", ()))) if state is not None else []


def _run_twice(facts: Mapping[str, Json], runs: Sequence[Change]) -> list[Finding]:
    twins = cast("Mapping[str, Sequence[str]]", facts.get("twins", {}))
    found: list[Finding] = []
    for change in runs:
        units = twins.get(str(change.id), ())
        if change.action is Action.CREATE and units:
            message = f"{' and '.join(units)} of yours already runs the same command as {change.id}"
            hint = f"remove it, or take it over: `reconcile adopt {change.id}`"
            hazard = Hazard(Danger.DOUBLE_RUN, f"{message}: it would run twice", hint, blocking=True)
            found.append(Finding(hazard.message, (change.id,), hint, hazard))
    return found


def _no_lingering(facts: Mapping[str, Json], runs: Sequence[Change]) -> list[Finding]:
    """Said once, of what begins to run that way: what did so before is in no new danger."""
    default = cast(Scope, facts.get("default", "user"))
    mine = [change.id for change in runs if _begins_in_a_session(change, default)]
    if facts.get("lingers", True) or not mine:
        return []
    more = f" (and {len(mine) - 1} more of this plan)" if len(mine) > 1 else ""
    message = f"{mine[0]}{more} will run only while you are logged in: {NO_LINGERING}"
    hazard = Hazard(Danger.MISSED_RUN, message, LINGER_HINT)
    return [Finding(message, (mine[0],), LINGER_HINT, hazard)]


def _begins_in_a_session(change: Change, default: Scope) -> bool:
    if change.after is None or scope_of(change.after, default) != "user":
        return False
    if change.before is None:
        return change.cause is not Cause.DRIFT
    return scope_of(change.before, default) != "user"


def _downtime(changes: Sequence[Change]) -> list[Finding]:
    found: list[Finding] = []
    for change in changes:
        before, after = change.before, change.after
        if change.id.kind != "Service" or before is None or change.action is Action.RELEASE:
            continue
        if "activity" in before.attributes or (after is not None and _same_program(before, after)):
            continue
        message = f"{change.id} is down while it is {'restarted' if after is not None else 'removed'}"
        hazard = Hazard(Danger.DOWNTIME, message)
        found.append(Finding(message, (change.id,), None, hazard))
    return found


def _same_program(before: State, after: State) -> bool:
    one, other = ({k: v for k, v in s.attributes.items() if k not in _QUIET} for s in (before, after))
    return one == other
