"""Review: what cannot work on this host, and the dangers of loading a job. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change, Danger, Hazard
from reconciler.model.data import Json
from reconciler.model.state import State
from reconciler.provider import Finding

_RUNS = frozenset({Action.CREATE, Action.UPDATE, Action.REPLACE, Action.ADOPT})


def review(
    facts: Mapping[str, Json],
    after: Mapping[ResourceId, State],  # noqa: ARG001
    changes: Sequence[Change],
) -> tuple[Finding, ...]:
    """Refusals first, then hazards in the order of the changes."""
    refusals = [found for change in changes if (found := _refusal(facts, change)) is not None]
    return (*refusals, *(hazard for change in changes if (hazard := _runs_now(change)) is not None))


def _refusal(facts: Mapping[str, Json], change: Change) -> Finding | None:
    state = change.after if change.after is not None else change.before
    wanted = state.attributes if state is not None else {}
    root, scope = facts.get("uid") == 0, wanted.get("scope")
    if scope == "system" and not root:
        message = f"{change.id} is for the system, and only root may change what launchd runs there"
        return Finding(message, (change.id,), "run as root, or write scope: user")
    if root and (scope == "user" or (scope is None and wanted.get("session") == "gui")):
        message = f"{change.id} is for a user's session, and root has none"
        return Finding(message, (change.id,), "run as that user")
    if change.action not in _RUNS:
        return None
    domains = cast("Sequence[str]", facts.get("domains", ()))
    if wanted.get("session") == "gui" and not any(name.startswith("gui/") for name in domains):
        message = f"{change.id} needs a session at the screen, and nobody is logged in there"
        return Finding(message, (change.id,), "log in at the screen, then plan again")
    unmarked = cast("Mapping[str, str]", facts.get("unmarked", {}))
    if change.action is Action.CREATE and str(change.id) in unmarked:
        message = f"{unmarked[str(change.id)]} stands in the place of {change.id} and does not carry our mark"
        return Finding(message, (change.id,), f"take it over with `reconcile adopt {change.id}`, or move it away")
    return None


def _runs_now(change: Change) -> Finding | None:
    """What starts at login or boot starts now as well: launchd counts loading as both."""
    schedule = change.after.attributes.get("schedule") if change.after is not None else None
    if change.action not in _RUNS or not isinstance(schedule, Mapping) or "at" not in schedule:
        return None
    message = f"{change.id} runs at once when launchd loads it, not only at {schedule['at']}"
    return Finding(message, (change.id,), None, Hazard(Danger.DOUBLE_RUN, message))
