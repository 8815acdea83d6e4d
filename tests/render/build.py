"""Short ways to write changes and plans as the engine would make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change, Hazard
from reconciler.model.data import Json
from reconciler.model.plan import ApplyStep, Plan, Skip, Step, VerifyStep, Veto
from reconciler.model.resource import Probe, Revision
from reconciler.model.state import HostFacts, State

TAKEN = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)  # 03:00 in Berlin, a Saturday
ATLAS = HostFacts(name="atlas", platform="linux", user="root", timezone="Europe/Berlin")
COMMIT = Revision(digest="5f0c" * 8, commit="4be1c2d9" + "0" * 32, branch="main")
CRONTAB = "crontab of root"


def line(name: str, schedule: str, command: str, environment: Mapping[str, str]) -> str:
    exports = "".join(f"export {key}={value}; " for key, value in environment.items())
    return f"{schedule} : reconciler:Automation/{name}; {exports}exec {command}"


def state(schedule: str, command: Json, environment: Mapping[str, str] | None = None) -> State:
    more: dict[str, Json] = {"environment": dict(environment)} if environment else {}
    return State({"user": "root", "schedule": schedule, "command": command, **more})


def change(
    action: Action,
    cause: Cause,
    reason: str,
    name: str,
    *sides: tuple[str, str, Mapping[str, str]] | None,
    where: str = "",
    hazards: Sequence[Hazard] = (),
) -> Change:
    before, after = (sides[0], sides[1]) if len(sides) == 2 else (None, sides[0])
    return Change(
        id=ResourceId("Automation", name),
        provider="crontab",
        action=action,
        before=state(before[0], before[1].split(), before[2]) if before else None,
        after=state(after[0], after[1].split(), after[2]) if after else None,
        cause=cause,
        reason=reason,
        hazards=tuple(hazards),
        where=where,
        document_before=line(name, *before) if before else None,
        document_after=line(name, *after) if after else None,
    )


def create(name: str, schedule: str, command: str, hazards: Sequence[Hazard] = ()) -> Change:
    return change(Action.CREATE, Cause.NEW, "new in the manifests", name, (schedule, command, {}), hazards=hazards)


def delete(name: str, schedule: str, command: str, at: int) -> Change:
    reason = "no manifest asks for it any more"
    where = f"{CRONTAB}, line {at}"
    return change(Action.DELETE, Cause.REMOVED, reason, name, (schedule, command, {}), None, where=where)


def plan_of(
    changes: Sequence[Change],
    *,
    vetoes: Sequence[Veto] = (),
    skipped: Sequence[Skip] = (),
    notices: Sequence[str] = (),
    unchanged: int = 0,
    revision: Revision = COMMIT,
    gates: Mapping[str, tuple[float, float, tuple[Probe, ...]]] | None = None,
) -> Plan:
    """Steps as the planner orders them: a level, its gates, then the removals and theirs."""
    steps: list[Step] = []
    for removals in (False, True):
        group = [item for item in changes if (item.action is Action.DELETE) is removals]
        first = len(steps) + 1
        steps += [ApplyStep(first + index, (), item, "root", after_all=removals) for index, item in enumerate(group)]
        for index, item in enumerate(group):
            within, stable, probes = (gates or {}).get(item.id.name, (60.0, 0.0, ()))
            keeps = item.action not in (Action.DELETE, Action.RELEASE)
            steps.append(
                VerifyStep(
                    len(steps) + 1, (first + index,), item.id, "crontab", within, stable, probes, backend=keeps
                )
            )
    sources = {
        item.id: f"desired/{item.id.name.split('-')[0]}.yaml:{1 + index % 3 * 12}"
        for index, item in enumerate(changes)
        if item.action not in (Action.DELETE, Action.RELEASE)
    }
    return Plan(
        "desired", ATLAS, revision, tuple(steps), tuple(skipped), tuple(vetoes), tuple(notices), unchanged, sources
    )
