"""What is known about the runs of this host: use cases on the inventory, the job files and the records of runs.

Reads without writing; `collect` and `rolled_out` are the two that write. No text for people is made here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

from reconciler.host.protocol import Host
from reconciler.host.system import boot_id, lives, user_name
from reconciler.jobs import forget
from reconciler.jobs import settings as job_settings
from reconciler.model.data import Json
from reconciler.model.errors import JournalError, ReconcileError
from reconciler.model.event import Event, EventType, Listener
from reconciler.model.frozen import dataclass
from reconciler.model.job import called
from reconciler.model.run import Run, Verdict
from reconciler.model.schedule import ScheduleError
from reconciler.model.state import HostFacts, Owned
from reconciler.runs.punctual import Fate, Slot, judge
from reconciler.runs.slots import Timetable, former, horizon, slots, timetable, told_as
from reconciler.runs.stats import Stats, stats

if TYPE_CHECKING:
    from reconciler.journal.collect import Collected, Keep
    from reconciler.journal.journal import Journal
    from reconciler.journal.runs import Runs

FAR = timedelta(days=7)  # how far back missed slots are looked for, unless asked further
_AHEAD = timedelta(days=366 * 5)  # how far the next slot is looked for
MEASURED = 30  # days of which runs say how long they take
_PAUSE = 3600.0  # seconds between two collectings that nobody asked for


@dataclass(frozen=True, slots=True)
class Summary:
    """One automation over a time: its figures, the slots that were late or missed, what comes next."""

    name: str
    table: Timetable | None  # None: it is in the inventory no more
    runs: tuple[Run, ...]  # newest first
    stats: Stats
    missed: tuple[Slot, ...]
    late: tuple[Slot, ...]
    next: datetime | None

    @property
    def running(self) -> int:
        return sum(run.verdict is Verdict.RUNNING for run in self.runs)


@dataclass(frozen=True, slots=True)
class Records:
    """Runs and timetables of one host at one instant."""

    state: Path
    now: datetime
    tables: Mapping[str, Timetable]
    runs: Runs
    notices: tuple[str, ...] = ()

    def known(self, name: str) -> str:
        """The name, where there is such an automation or a run of it. Raises with the nearest one."""
        if name not in self.tables and name not in (names := set(self.runs.names())):
            raise unknown(name, names | self.tables.keys())
        return name

    def run(self, text: str) -> Run:
        """`NAME/ID`, or the last run of `NAME`."""
        name, _, id_ = text.partition("/")
        self.known(name)
        found = self.runs.one(name, id_) if id_ else self.runs.last(name)
        if found is None:
            what = f"there is no run {id_} of {name}" if id_ else f"{name} has not run yet"
            raise ReconcileError(f"cannot show {text}: {what}", hint=f"`reconcile runs {name}` lists its runs")
        return found

    def trouble(self, since: datetime, runs: Sequence[Run], name: str = "") -> tuple[Slot, ...]:
        """The late and missed slots after `since`, oldest first. `runs` holds every run since then."""
        by_name: dict[str, list[Run]] = {}
        for run in runs:
            by_name.setdefault(run.automation, []).append(run)
        found: list[Slot] = []
        for table in self.tables.values():
            if name in ("", table.name):
                found += self._judged(table, by_name.get(table.name, ()), since)
        return tuple(sorted(found, key=lambda slot: (slot.at, slot.automation)))

    def summaries(self, since: datetime, name: str = "") -> tuple[Summary, ...]:
        """Every automation, or the one of that name, sorted."""
        by_name: dict[str, list[Run]] = {}
        for run in self.runs.newest(name=name, since=since):
            by_name.setdefault(run.automation, []).append(run)
        names = [name] if name else sorted(self.tables.keys() | by_name.keys())
        return tuple(self._summary(each, by_name.get(each, []), since) for each in names)

    def _summary(self, name: str, runs: Sequence[Run], since: datetime) -> Summary:
        table = self.tables.get(name)
        judged = [] if table is None else self._judged(table, runs, since)
        return Summary(
            name,
            table,
            tuple(runs),
            stats(runs),
            tuple(slot for slot in judged if slot.fate is Fate.MISSED),
            tuple(slot for slot in judged if slot.fate is Fate.LATE),
            None if table is None else _next(table, self.now),
        )

    def _judged(self, table: Timetable, runs: Sequence[Run], since: datetime) -> list[Slot]:
        """Late and missed slots, each by the schedule of its time. None where nobody knows: of runs that go
        unrecorded, or before `since`."""
        judged: list[Slot] = []
        for each in (*table.former, table):
            if each.recorded and each.since is not None:
                try:
                    judged += judge(each, runs, horizon(each, self.now, self.now - since), self.now)
                except ScheduleError:  # a time zone that this machine does not know
                    continue
        return [slot for slot in judged if slot.fate in (Fate.LATE, Fate.MISSED)]


@contextmanager
def records(state: Path, host: Host, inventory: Sequence[Owned]) -> Iterator[Records]:
    """What is known now. Changes nothing."""
    from reconciler.journal.runs import Runs

    now = host.clock.now()
    with Runs(state, now, gone) as runs:
        notices = [runs.trouble] if runs.trouble else []
        if runs.unreadable:
            notices.append(f"{runs.unreadable} run files cannot be read; `reconcile runs --collect` sets them aside")
        tables = timetables(state, host.facts(), inventory, runs.schedules())
        yield Records(state, now, tables, runs, tuple(notices))


def measured(state: Path, host: Host, inventory: Sequence[Owned]) -> dict[str, float]:
    """How long runs took of late, but for the slowest of twenty; in seconds, by automation."""
    with records(state, host, inventory) as found:
        summaries = found.summaries(found.now - timedelta(days=MEASURED))
    return {each.name: each.stats.p95 for each in summaries if each.stats.p95 is not None}


def timetables(
    state: Path, host: HostFacts, inventory: Sequence[Owned], told: Mapping[str, Sequence[tuple[str, datetime]]]
) -> dict[str, Timetable]:
    """The timetable of every automation that is applied, by name."""
    zone, me = host.timezone, user_name(os.geteuid())
    found: dict[str, Timetable] = {}
    for entry in inventory:
        known = told.get(entry.id.name, ())
        in_force = bool(known) and known[-1][0] == told_as(entry)
        table = timetable(entry, _settings(state, entry), zone or "UTC", known[-1][1] if in_force else None)
        if table is not None:
            if in_force:
                table = replace(table, former=tuple(former(table, known, zone or "UTC")))
            user = str(entry.state.attributes.get("user") or me)  # another user's runs are in that user's own folder
            found[table.name] = table if user == me else replace(table, recorded=False, keeper=user)
    return found


def collect(state: Path, host: Host, inventory: Sequence[Owned]) -> Collected | None:
    """Record what has ended and forget what is too old. None where another process is doing it."""
    from reconciler.journal import collect as journal
    from reconciler.journal.runs import seen

    now = host.clock.now()
    if schedules := _schedules(inventory):
        seen(state, schedules, now, all_of_them=False)
    return journal.collect(state, now, gone, _keeps(state, inventory))


def rolled_out(state: Path, host: Host, journal: Journal, listener: Listener) -> None:
    """After a stable rollout, which stands anyway: what runs are labelled with, and the schedules from now on."""
    from reconciler.journal.collect import last_collected
    from reconciler.journal.runs import seen

    stable, inventory, now = journal.stable(), journal.inventory(), host.clock.now()
    try:
        _write_revision(state / "revision", stable[1].label if stable else "")
        schedules = _schedules(inventory)
        if schedules or last_collected(state) is not None:
            seen(state, schedules, now, all_of_them=True)
    except (JournalError, OSError) as error:
        listener(Event(EventType.NOTED, f"the records of runs were not brought up to date: {error}"))
    upkeep(state, host, inventory, listener)


def forget_jobs(state: Path, host: Host, journal: Journal) -> None:
    """Remove the job files that no line names, no rollout could bring back and no recorded run was told by."""
    from reconciler.journal.runs import Runs

    try:
        with Runs(state, host.clock.now(), gone) as runs:
            kept = runs.jobs() | journal.jobs()
    except JournalError:  # nobody knows, so everything stays
        return
    calls = (called(entry.state.attributes.get("command")) for entry in journal.inventory())
    forget(state, kept | {call[1] for call in calls if call is not None})


def upkeep(state: Path, host: Host, inventory: Sequence[Owned], listener: Listener) -> None:
    """Collect, where nobody did for an hour. For those who come by anyway: trouble is said and stops nobody."""
    from reconciler.journal.collect import last_collected

    last = last_collected(state)
    try:
        if last is not None and host.clock.now().timestamp() - last > _PAUSE:
            collect(state, host, inventory)
    except (JournalError, OSError) as error:
        listener(Event(EventType.NOTED, f"the records of runs were not collected: {error}"))


def unknown(name: str, names: set[str]) -> ReconcileError:
    """An error that names the nearest automation."""
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(names), n=1)
    hint = f"did you mean {near[0]}?" if near else "`reconcile status` says what is applied on this host"
    return ReconcileError(f"cannot find the automation {name}: it is not applied here and has no runs", hint=hint)


def gone(runner: tuple[int, str, str]) -> str | None:
    """Why a runner is gone, or None where it lives."""
    pid, created, boot = runner
    if boot != boot_id():
        return "the machine was started anew before it had ended"
    return None if lives(pid, created) else f"its runner (process {pid}) died before it had ended"


def _next(table: Timetable, now: datetime) -> datetime | None:
    try:
        return next(slots(table, now, now + _AHEAD), None)
    except ScheduleError:
        return None


def _schedules(inventory: Sequence[Owned]) -> dict[str, str]:
    return {
        entry.id.name: told_as(entry)
        for entry in inventory
        if entry.id.kind == "Automation" and "schedule" in entry.state.attributes
    }


def _settings(state: Path, entry: Owned) -> Mapping[str, Json]:
    """What the runner is told about an automation; empty where that is nothing, or cannot be read any more."""
    call = called(entry.state.attributes.get("command"))
    found = job_settings(state, *call) if call is not None and call[1] else None
    return found if isinstance(found, Mapping) else {}


def _keeps(state: Path, inventory: Sequence[Owned]) -> dict[str, Keep]:
    from reconciler.journal.collect import Keep

    found: dict[str, Keep] = {}
    for entry in inventory:
        keep = _settings(state, entry).get("keep")
        if isinstance(keep, Mapping):
            known = {name: cast(int, value) for name, value in keep.items() if name in ("runs", "days", "bytes")}
            found[entry.id.name] = Keep(**known)
    return found


def _write_revision(path: Path, label: str) -> None:
    """Replace the line, where it is another one."""
    text = f"{label}\n"
    try:
        if path.read_text("utf-8") == text:
            return
    except (FileNotFoundError, UnicodeDecodeError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
