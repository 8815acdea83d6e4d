"""What lies ahead, from what is known: entries for a forecast from inventory, plan and foreign entries.

Also adds to a plan what its change of schedules makes worse. Works out nothing itself: `runs` does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, cast

from reconciler.engine.reconcile import Decision
from reconciler.model.address import Place, ResourceId
from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.frozen import dataclass
from reconciler.model.intent import Intent
from reconciler.model.job import called
from reconciler.model.plan import Plan
from reconciler.model.state import Owned, Ownership, Snapshot, State

if TYPE_CHECKING:
    from reconciler.host.protocol import Host
    from reconciler.provider import Imported, Provider
    from reconciler.runs.entry import Entry
    from reconciler.runs.slots import Timetable

KIND = "Automation"


@dataclass(frozen=True, slots=True)
class Foreign:
    """What other people's entries start, and what could not be told."""

    entries: tuple[Entry, ...]
    unread: tuple[tuple[str, str], ...]  # where, and why


def zone_of(name: str) -> tzinfo:
    """The clock of a host; that of UTC where it is not known."""
    from reconciler.model.schedule import ScheduleError
    from reconciler.runs.grid import zone_named

    try:
        return zone_named(name) if name else UTC
    except ScheduleError:
        return UTC


def standing(
    inventory: Sequence[Owned],
    settings: Mapping[str, Json],
    measured: Mapping[str, float],
    support: Callable[[str], str | None],
) -> tuple[Entry, ...]:
    """Entries of what was applied. `settings` of runs by digest; `measured` seconds by name of an automation.

    `support` says why a backend cannot be used here, or None.
    """
    found = (_entry(owned, _settings(owned.state, settings), measured) for owned in inventory)
    return tuple(_stopped(entry, support(entry.table.provider)) for entry in found if entry is not None)


def _stopped(entry: Entry, why: str | None) -> Entry:
    return entry if why is None else replace(entry, never=f"{entry.table.provider} cannot be used here: {why}")


def as_planned(
    plan: Plan, snapshot: Snapshot, intents: Sequence[Intent], settings: Mapping[str, Json]
) -> tuple[Entry, ...]:
    """Entries of what would stand after a plan. What could not start there says why."""
    wanted = {intent.id: intent for intent in intents if intent.id.kind == KIND}
    after = {Place(item.provider, item.id): item.state for item in _ours(snapshot)}
    for change in _scheduled(plan):
        after.pop(change.place, None)
        if change.after is not None and change.action is not Action.RELEASE:
            after[change.place] = change.after
    found: list[Entry] = []
    for place, state in after.items():
        intent = wanted.get(place.id)
        job = intent.job.settings if intent is not None and intent.job is not None else _settings(state, settings)
        entry = _entry(Owned(place.id, place.provider, state), job, snapshot.durations)
        if entry is not None:
            found.append(_stopped(entry, snapshot.unsupported.get(place.provider)))
    standing = {place.id for place in after}
    for intent in wanted.values():
        entry = None if intent.id in standing else _entry(Owned(intent.id, intent.provider, intent.state), {}, {})
        if entry is not None:
            why = "suspended in its manifest" if intent.resource.suspend else "the plan does not bring it"
            found.append(replace(entry, never=f"{why}, and it is not on the host"))
    return tuple(found)


def foreign(host: Host, providers: Mapping[str, Provider]) -> Foreign:
    """What other people have their schedulers start, as far as providers can tell. Reads only."""
    from reconciler.host.readonly import ReadOnlyHost
    from reconciler.model.errors import ReconcileError
    from reconciler.provider import HasImport, Supported

    looking = ReadOnlyHost(host)
    entries: list[Entry] = []
    unread: list[tuple[str, str]] = []
    for name, provider in sorted(providers.items()):
        if KIND not in provider.kinds or not isinstance(provider, HasImport):
            continue
        if not isinstance(provider.probe(looking), Supported):
            continue
        try:
            imported = provider.foreign(looking, None)
        except ReconcileError as error:
            unread.append((name, error.message))
            continue
        for item in imported:
            if item.manifest is None:
                unread.append((item.where, item.why or "it cannot be read"))
            elif item.manifest.get("kind") == KIND:
                entries.append(_theirs(item, name))
    return Foreign(tuple(entries), tuple(unread))


def _theirs(item: Imported, provider: str) -> Entry:
    from reconciler.model.schedule import ScheduleError, normalise
    from reconciler.runs.entry import Entry
    from reconciler.runs.slots import Timetable

    manifest = cast("Mapping[str, Mapping[str, Json]]", item.manifest)
    spec = manifest["spec"]
    try:
        schedule = normalise(spec["schedule"])
    except ScheduleError:
        schedule = spec["schedule"]
    name, zone = str(manifest["metadata"]["name"]), str(spec.get("timezone") or "")
    table = Timetable(name, provider, schedule, zone, recorded=False)
    return Entry(table, foreign=item.where)


def foretold(decision: Decision, snapshot: Snapshot, measured: Callable[[], Mapping[str, float]] = dict) -> Decision:
    """The decision, with a notice for everything that its change of schedules makes worse.

    `measured` says how long runs take, and is asked only where a schedule changes. Notices take no part in the
    fingerprint. Foreign entries are not looked at: a plan is made of its snapshot.
    """
    plan = decision.plan
    moved = [change for change in _scheduled(plan) if _moves(change)]
    if not moved:
        return decision
    from reconciler.runs.worse import Moved, worse

    snapshot = replace(snapshot, durations=snapshot.durations or measured())
    same = _unchanged(snapshot, {(change.provider, change.id) for change in moved})
    before = {change.id: entry for change in moved if (entry := _before(change, snapshot)) is not None}
    after = {change.id: entry for change in moved if (entry := _after(change, snapshot)) is not None}
    pairs = [Moved(entry, before.get(id_)) for id_, entry in after.items()]
    gone = [entry for id_, entry in before.items() if id_ not in after]
    found = worse(same, pairs, gone, snapshot.taken, zone_of(snapshot.host.timezone))
    return replace(decision, plan=replace(plan, notices=(*plan.notices, *found))) if found else decision


def _unchanged(snapshot: Snapshot, changed: Collection[tuple[str, ResourceId]]) -> list[tuple[Timetable, int]]:
    """What starts as ever, equal schedules once: each with how many there are."""
    from reconciler.runs.slots import Timetable

    counts: dict[tuple[str, str, str], int] = {}
    schedules: dict[str, Json] = {}
    for item in snapshot.found:
        if item.ownership is not Ownership.OURS or item.id.kind != KIND or (item.provider, item.id) in changed:
            continue
        schedule = item.state.attributes.get("schedule")
        key = (item.provider, str(schedule), str(item.state.attributes.get("timezone") or ""))
        counts[key] = counts.get(key, 0) + 1
        schedules[key[1]] = schedule
    return [
        (Timetable("", provider, schedules[text], zone), count) for (provider, text, zone), count in counts.items()
    ]


def _scheduled(plan: Plan) -> Iterator[Change]:
    return (change for change in plan.changes if change.id.kind == KIND)


def _moves(change: Change) -> bool:
    """Whether starts, or how long a run takes, change at all. What only puts drift back is no change of ours."""
    if change.cause is Cause.DRIFT or change.action is Action.RELEASE:
        return False
    if change.before is None or change.after is None:
        return True
    before, after = change.before.attributes, change.after.attributes
    timed = any(before.get(name) != after.get(name) for name in ("schedule", "timezone"))
    return timed or _expected(change.job_before) != _expected(change.job_after)


def _expected(settings: Json) -> Json:
    runtime = settings.get("runtime") if isinstance(settings, Mapping) else None
    return runtime.get("expected") if isinstance(runtime, Mapping) else None


def _before(change: Change, snapshot: Snapshot) -> Entry | None:
    return _of(change, change.before, change.job_before, snapshot)


def _after(change: Change, snapshot: Snapshot) -> Entry | None:
    return _of(change, change.after, change.job_after, snapshot)


def _of(change: Change, state: State | None, settings: Json, snapshot: Snapshot) -> Entry | None:
    if state is None:
        return None
    job = settings if isinstance(settings, Mapping) else {}
    return _entry(Owned(change.id, change.provider, state), job, snapshot.durations)


def _ours(snapshot: Snapshot) -> Iterator[Owned]:
    for item in snapshot.found:
        if item.ownership is Ownership.OURS and item.id.kind == KIND:
            yield Owned(item.id, item.provider, item.state)


def _settings(state: State, settings: Mapping[str, Json]) -> Mapping[str, Json]:
    call = called(state.attributes.get("command"))
    found = settings.get(call[1]) if call is not None else None
    return found if isinstance(found, Mapping) else {}


def _entry(owned: Owned, settings: Mapping[str, Json], measured: Mapping[str, float]) -> Entry | None:
    from reconciler.runs.entry import Entry
    from reconciler.runs.slots import timetable

    table = timetable(owned, settings, "", None)
    if table is None:
        return None
    took = measured.get(table.name)
    return Entry(table, table.expected if took is None else took, measured=took is not None)
