"""All automations: what is due is started through the runner, a few at a time; how far each is handled is kept.

A run is claimed by its slot in the runner, so one that is started twice after our death runs once.
"""

from __future__ import annotations

import heapq
import json
import os
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from reconciler.model.job import called
from reconciler.runner.start import NotStarted
from reconciler.runner.text import instant, why
from reconciler.supervisor import place
from reconciler.supervisor.begun import Begun, claimed
from reconciler.supervisor.definitions import Automation, Program
from reconciler.supervisor.place import Place
from reconciler.supervisor.process import spawn
from reconciler.supervisor.server import Loop
from reconciler.supervisor.slots import BACK, MOST, Due, at_boot, decide, sane, upcoming

RUNNING = 100  # runs at once; the others wait
YOUNG, YOUTH = 4, 1.0  # per processor: so many runs at once that are not older than this, in seconds
KEEP = 0.25  # seconds between two writes of what is handled, while much is being started


class World(Protocol):
    """What the automations share with the rest."""

    loop: Loop
    environment: dict[str, str]

    @property
    def now(self) -> float: ...
    def say(self, message: str) -> None: ...


class Waiting(NamedTuple):
    """A run that is to be started."""

    name: str
    due: Due
    handled: float
    alone: bool  # made up for, or behind such a one: not beside another run of its automation


class Automations:
    """Everything that runs on a schedule."""

    def __init__(self, where: Place, boot: str, world: World, cores: int) -> None:
        self._path, self._state, self._boot, self._world = where.handled, where.state, boot, world
        self._young = YOUNG * cores
        self._all: dict[str, Automation] = {}
        self._handled: dict[str, dict[str, Any]] = place.remembered(self._path)
        self._next: list[tuple[float, str]] = []
        self._queues: dict[str, deque[Waiting]] = {}  # never an empty one
        self._runs: dict[int, tuple[str, float]] = {}  # pid: name and monotonic start
        self._begun = Begun(where.state, world, self._runs)
        self._zone = local_zone()
        self._dirty, self._kept, self._trouble = False, 0.0, ""
        self._rest_until = 0.0
        self.worst = 0.0  # longest time between a slot and the start of its run

    def __len__(self) -> int:
        return len(self._all) + len(self._queues) + len(self._runs) + len(self._begun)

    def define(self, wanted: Mapping[str, Automation], *, first: bool) -> None:
        """Run by these from now on. One that is new, or has another schedule, starts with now.

        `first`: we have just started, so a boot that is not handled yet has just been.
        """
        self._zone = local_zone()
        self._all = dict(wanted)
        self._queues = {name: queue for name, queue in self._queues.items() if name in wanted}
        known = {}
        for name, automation in wanted.items():
            entry = self._handled.get(name, {})
            if not _fits(entry, automation):
                entry = {"schedule": automation.digest, "until": self._world.now, "boot": self._boot}
            elif at_boot(automation) and first and entry["boot"] != self._boot:
                slot = float(int(self._world.now))
                entry |= {"boot": self._boot, "slot": slot}
            elif first:
                entry["until"] = max(entry["until"], claimed(self._state, name, self._world.now))
            known[name] = entry
            if "slot" in entry and name not in self._queues:
                self._queues[name] = deque([Waiting(name, Due(entry["slot"], "boot"), entry["until"], alone=False)])
        for name in (self._handled.keys() | known.keys()) if first else ():
            self._begun.look_after(name)
        self._handled = known
        self._dirty = True
        self._keep(force=True)
        self._plan()

    def _plan(self) -> None:
        self._next = []
        for name, automation in self._all.items():
            self._plan_one(name, automation, self._handled[name]["until"])
        heapq.heapify(self._next)

    def _plan_one(self, name: str, automation: Automation, handled: float) -> None:
        if not at_boot(automation):
            slot = upcoming(automation, max(handled, self._world.now - BACK), self._zone)
            if slot is not None:
                heapq.heappush(self._next, (slot, name))

    @property
    def due_in(self) -> float | None:
        """Seconds until something is to be done; None where nothing is."""
        ready = self._ready() is not None
        if ready and self._room():
            return 0.0
        young = [started for _, started in self._runs.values() if time.monotonic() - started < YOUTH]
        if ready and self._rest_until > time.monotonic():
            return self._rest_until - time.monotonic()
        if ready and young:
            return max(0.0, min(young) + YOUTH - time.monotonic())
        return max(0.0, self._next[0][0] - self._world.now) if self._next else None

    def tick(self) -> None:
        """Start what is due."""
        now = self._world.now
        while self._next and self._next[0][0] <= now:
            _, name = heapq.heappop(self._next)
            if name in self._all:
                self._take(name, self._all[name])
        while self._room() and (item := self._ready()) is not None:
            try:
                self._start(item)
            except OSError as error:  # no descriptors, no processes: it is tried again
                self._world.say(f"{item.name}: cannot start its run yet: {why(error)}")
                self._rest_until = time.monotonic() + YOUTH
                break
            queue = self._queues.pop(item.name)  # and to the end, so that no other waits for all of them
            queue.popleft()
            if queue:
                self._queues[item.name] = queue
        self._keep(force=not self._queues)

    def _ready(self) -> Waiting | None:
        """The next that may start: of one automation in the order of their slots."""
        running = {name for name, _ in self._runs.values()}
        for name, queue in self._queues.items():
            if not queue[0].alone or not (name in running or self._begun.has(name)):
                return queue[0]
        return None

    def clock_was_set(self) -> None:
        """Marks that a wrong clock has left are taken back, and everything is planned anew."""
        for entry in self._handled.values():
            entry["until"] = sane(entry["until"], self._world.now)
        self._dirty = True
        self._plan()

    def _take(self, name: str, automation: Automation) -> None:
        entry = self._handled[name]
        queue = self._queues.pop(name, None) or deque(maxlen=MOST)
        queued = queue[-1].handled if queue else entry["until"]
        decision = decide(automation, max(queued, entry["until"]), self._world.now, self._zone)
        count = decision.dropped + max(0, len(queue) + len(decision.runs) - MOST)
        for due in decision.runs:
            alone = due.trigger == "catch-up" or bool(queue and queue[-1].alone)
            queue.append(Waiting(name, due, due.slot, alone))
        if queue:
            self._queues[name] = queue
        if count:
            self._world.say(f"{name}: {count} missed slot{'s' if count > 1 else ''} not made up for "
                            f"(missed: {automation.missed})")  # fmt: skip
        if not decision.runs:
            entry["until"], self._dirty = decision.handled, True
        self._plan_one(name, automation, decision.handled)

    def _room(self) -> bool:
        now = time.monotonic()
        if len(self._runs) >= RUNNING or now < self._rest_until:
            return False
        return sum(now - started < YOUTH for _, started in self._runs.values()) < self._young

    def _start(self, item: Waiting) -> None:
        automation = self._all[item.name]
        null = os.open(os.devnull, os.O_RDWR)
        try:
            program = _slotted(automation.program, item.due)
            pid = spawn(program, self._world.environment, (null, null, null))
            self._runs[pid] = item.name, time.monotonic()
        except NotStarted as error:
            self._world.say(f"{item.name}: {error}")
        finally:
            os.close(null)
        if not item.alone and item.due.trigger == "schedule":
            self.worst = max(self.worst, time.time() - item.due.slot)
        entry = self._handled[item.name]
        entry["until"] = max(entry["until"], item.handled)
        entry.pop("slot", None)
        self._dirty = True

    def exited(self, pid: int, status: int) -> bool:
        """Whether a process that ended was a run. What became of it stands in its record."""
        run = self._runs.pop(pid, None)
        if run is None:
            return False
        code = os.waitstatus_to_exitcode(status)
        if code in (2, 125, 126, 127) or code < 0:
            self._world.say(f"{run[0]}: its run ended with {code}")
        if code < 0:
            self._begun.look_after(run[0])
        return True

    def _keep(self, *, force: bool) -> None:
        if not self._dirty or not (force or time.monotonic() - self._kept > KEEP):
            return
        self._kept = time.monotonic()
        try:
            if self._handled:
                place.replace(self._path, json.dumps(self._handled).encode())
            else:
                place.remove(self._path)
            self._dirty, self._trouble = False, ""
        except OSError as error:
            if self._trouble != (trouble := why(error)):  # said once: a log would eat the last of a full disk
                self._world.say(f"cannot keep which slots are handled: {trouble}")
            self._trouble = trouble

    def status(self) -> dict[str, Any]:
        slots = {name: instant(int(slot * 1e9)) for slot, name in self._next}
        running = [name for name, _ in self._runs.values()]
        return {
            f"Automation/{name}": {"next": slots.get(name, ""), "running": running.count(name)} for name in self._all
        }


def _fits(entry: object, automation: Automation) -> bool:
    """Whether what is remembered belongs to this schedule."""
    return (
        isinstance(entry, dict)
        and entry.get("schedule") == automation.digest
        and isinstance(entry.get("until"), int | float)
        and isinstance(entry.get("boot"), str)
    )


def _slotted(program: Program, due: Due) -> Program:
    """The call of the runner with the slot that it is for; any other command as it is."""
    if called(list(program.argv)) is None:
        return program
    slot = datetime.fromtimestamp(int(due.slot), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    argv = (*program.argv[:3], "--slot", slot, "--trigger", due.trigger, *program.argv[3:])
    return Program(argv, program.folder, program.environment)


def local_zone() -> tzinfo:
    """The time zone of the machine, as it is set now."""
    try:
        with open("/etc/localtime", "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return UTC
