"""Review: what the outcome as a whole would break, and the dangers of running by cron. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change, Danger, Hazard
from reconciler.model.data import Json
from reconciler.model.state import State
from reconciler.provider import Finding
from reconciler.providers.crontab.daemon import ABSENT
from reconciler.providers.crontab.foreign import MAIL, SET_BY_CRON, same_by_facts
from reconciler.providers.crontab.table import LINE_LIMIT
from reconciler.providers.crontab.users import table_user, user_of

_RELEASE = "let the reconciler that holds it give it up: `reconcile release` there"
_RUNS = frozenset({Action.CREATE, Action.UPDATE, Action.REPLACE, Action.ADOPT})


def review(
    facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
) -> tuple[Finding, ...]:
    """Refusals first, then hazards in the order of the changes."""
    runs = [change for change in changes if change.action in _RUNS and change.after is not None]
    refusals = (*_too_long(facts, after, changes), *_held(facts, runs))
    return (*refusals, *_no_daemon(facts, runs), *_run_twice(facts, runs), *_left_behind(facts, runs))


def _too_long(
    facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
) -> list[Finding]:
    own = cast(str, facts.get("own", ""))
    totals = {user: cast(int, table["foreign"]) for user, table in _tables(facts).items()}
    for state in after.values():
        user = table_user(user_of(state), own)
        totals[user] = totals.get(user, 0) + 1
    for change in changes:
        if change.before is not None and change.action in (Action.ADOPT, Action.RELEASE):
            user = table_user(user_of(change.before), own)
            totals[user] = totals.get(user, 0) + (1 if change.action is Action.RELEASE else -1)
    return [
        Finding(
            f"the crontab of {user or own} would hold {total:,} lines; cron refuses a table of more than "
            f"{LINE_LIMIT:,} and then runs none of it",
            hint="move automations to another user or scheduler",
        )
        for user, total in sorted(totals.items())
        if total > LINE_LIMIT
    ]


def _held(facts: Mapping[str, Json], runs: Sequence[Change]) -> list[Finding]:
    """What another reconciler holds is not taken over: it would put its line back, and both would run."""
    own, tables = cast(str, facts.get("own", "")), _tables(facts)
    found: list[Finding] = []
    for change in runs:
        user = table_user(user_of(cast(State, change.after)), own)
        jobs = cast("Sequence[Mapping[str, Json]]", tables.get(user, {}).get("jobs", ()))
        for fact in jobs:
            if fact["held"] and _is_adopted(fact, change):
                place = f"line {fact['line']} of the crontab of {user or own}"
                message = f"cannot adopt {change.id}: {place} is held by {_holder(user)}"
                found.append(Finding(message, (change.id,), _RELEASE))
    return found


def _holder(user: str) -> str:
    """Whose reconciler writes the other mark into that user's table."""
    return f"the reconciler of {user or 'root'}"


def _no_daemon(facts: Mapping[str, Json], runs: Sequence[Change]) -> list[Finding]:
    if facts.get("daemon") is not False or not runs:  # None: nobody could look
        return []
    hint = "start it, for example `service cron start`"
    hazard = Hazard(Danger.MISSED_RUN, f"{ABSENT}: nothing would run", hint, blocking=True)
    return [Finding(hazard.message, tuple(change.id for change in runs), hint, hazard)]


def _run_twice(facts: Mapping[str, Json], runs: Sequence[Change]) -> list[Finding]:
    own, tables = cast(str, facts.get("own", "")), _tables(facts)
    found: list[Finding] = []
    for change in runs:
        state = cast(State, change.after)
        user = table_user(user_of(state), own)
        foreign = cast("Sequence[Mapping[str, Json]]", tables.get(user, {}).get("jobs", ()))
        same = [fact for fact in foreign if same_by_facts(fact, state) and not _is_adopted(fact, change)]
        if same:
            held = any(fact["held"] for fact in same)
            found.append(_double(change, user or own, [cast(int, fact["line"]) for fact in same], held=held))
    return found


def _double(change: Change, user: str, lines: Sequence[int], *, held: bool) -> Finding:
    many = len(lines) > 1
    numbers = f"lines {', '.join(map(str, lines))}" if many else f"line {lines[0]}"
    message = f"{numbers} of the crontab of {user} run{'' if many else 's'} the same command as {change.id}"
    remove = f"remove {'those lines' if many else 'that line'}"
    hint = f"{remove}, or take it over: `reconcile adopt {change.id}`" if change.action is Action.CREATE else remove
    hint = _RELEASE if held else hint
    hazard = Hazard(Danger.DOUBLE_RUN, f"{message}: it would run twice", hint, blocking=True)
    return Finding(hazard.message, (change.id,), hint, hazard)


def _left_behind(facts: Mapping[str, Json], runs: Sequence[Change]) -> list[Finding]:
    """What stood above a line that is taken over and will not reach it at the top: only the manifest says it now."""
    own = cast(str, facts.get("own", ""))
    found: list[Finding] = []
    for change in runs:
        if change.action is not Action.ADOPT or change.before is None or change.after is None:
            continue
        above = set(cast("Sequence[str]", change.before.attributes.get("inherits", ())))
        named = cast("Mapping[str, str]", change.after.attributes.get("environment", {}))
        lost = sorted(above - named.keys() - MAIL - SET_BY_CRON)
        said: list[tuple[str, str | None]] = [_without(lost)] if lost else []
        if "MAILTO" in above:
            to = user_of(change.after) or own
            said.append((f"MAILTO stood above it and reaches it no more: its output is mailed to {to}", None))
        for message, hint in said:
            hazard = Hazard(Danger.DATA_LOSS, message, hint)
            found.append(Finding(f"{change.id}: {message}", (change.id,), hint, hazard))
    return found


def _without(names: Sequence[str]) -> tuple[str, str]:
    *first, last = names
    listed = f"{', '.join(first)} and {last}" if first else last
    are, they, them = ("s", "are", "them") if first else ("", "is", "it")
    message = f"the variable{are} {listed} that stood above it {they} not in the manifest: it will run without {them}"
    return message, "write what it needs under environment, as `reconcile import crontab` does"


def _is_adopted(fact: Mapping[str, Json], change: Change) -> bool:
    """Whether the foreign line is the one that this change takes over."""
    if change.action is not Action.ADOPT or not isinstance(change.restore, Mapping):
        return False
    return fact["gap"] == change.restore["gap"]


def _tables(facts: Mapping[str, Json]) -> Mapping[str, Mapping[str, Json]]:
    return cast("Mapping[str, Mapping[str, Json]]", facts.get("users", {}))
