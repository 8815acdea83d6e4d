"""The resident process: brings definitions, services, automations and the socket together. One turn at a time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from reconciler.runner import tree
from reconciler.runner.text import dumps, instant, why
from reconciler.supervisor import definitions, place
from reconciler.supervisor.automations import Automations
from reconciler.supervisor.definitions import Definitions, Refused
from reconciler.supervisor.loop import PollLoop
from reconciler.supervisor.order import is_needed, is_stuck, waits
from reconciler.supervisor.output import Output
from reconciler.supervisor.place import Diary, Place
from reconciler.supervisor.process import Child, Children, environment
from reconciler.supervisor.server import Loop, Request, Server
from reconciler.supervisor.service import Service

GLANCE = 60.0  # seconds between two looks at the clock, and at the definitions
LINGER = 5.0  # seconds that it stays with nothing to do
JUMP = 2.0  # seconds that wall clock and monotonic clock may part before the clock counts as set

_TAKEN_OUT = "nothing that was applied asks for it any more"


class Resident:
    """Everything that the one instance holds in memory; what must not be lost stands in its files."""

    def __init__(
        self, where: Place, say: Diary, clock: Callable[[], float] = time.time, *, stay: bool = False
    ) -> None:
        self._place, self.say, self._clock, self._stay = where, say, clock, stay
        self._turns = PollLoop()
        self.loop: Loop = self._turns
        self.environment = environment(os.environ, sys.platform)
        boot = tree.boot()
        self.children = Children(where.children, boot)
        self._automations = Automations(where, boot, self, os.cpu_count() or 1)
        self._services: dict[str, Service] = {}
        self._owners: dict[int, Service] = {}
        self._definitions = Definitions()
        self._seen: tuple[int, ...] = ()
        self.refused = ""
        self._since = self.now
        self._stopping = False
        self._again: list[str] = []  # what the last retry gave another chance
        self._idle_since: float | None = None
        self._offset = self.now - time.monotonic()
        self._waiting: list[Request] = []
        self._begin()
        self._server = Server(where.socket, self.loop, self._serve)

    @property
    def now(self) -> float:
        """Seconds since the epoch, by a clock that people set."""
        return self._clock()

    def _begin(self) -> None:
        """Find again what runs, then do as the definitions say; as the last good ones, where those are damaged."""
        self._orphans = self.children.recall()
        self._run_by(self._read() or self._last_accepted())

    def _last_accepted(self) -> Definitions:
        try:
            return definitions.parse(place.read(self._place.accepted))
        except (OSError, Refused):
            return Definitions()

    def _read(self) -> Definitions | None:
        """The definitions as the file has them; None, and `refused` says why, where they cannot be run."""
        try:
            self._seen = self._stamp()
            raw = place.read(self._place.definitions)
            found = self._understood(raw)
            self.refused = ""
        except (OSError, Refused) as error:
            cause = str(error) if isinstance(error, Refused) else why(error)
            goes_on = "what ran before goes on, and `reconcile apply` writes it anew"
            self.refused = f"cannot use {self._place.definitions}: {cause}; {goes_on}"
            self.say(self.refused)
            return None
        try:
            if raw is None or found.empty:
                place.remove(self._place.accepted)
            else:
                place.replace(self._place.accepted, raw)
        except OSError as error:
            self.say(f"cannot keep a copy of the definitions: {why(error)}")
        return found

    def _understood(self, raw: bytes | None) -> Definitions:
        """Raises Refused. Only a file ends everything, one that holds nothing; that it is gone is a mishap."""
        last = self._definitions if self._definitions.digest else self._last_accepted()
        if raw is None and not last.empty:
            raise Refused("it is gone")
        return definitions.parse(raw)

    def _stamp(self) -> tuple[int, ...]:
        try:
            about = os.stat(self._place.definitions)
        except OSError:
            return ()
        return about.st_ino, about.st_size, about.st_mtime_ns

    def reload(self) -> None:
        """Run by the file as it is now."""
        wanted = self._read()
        if wanted is not None:
            self._run_by(wanted)

    def _run_by(self, wanted: Definitions) -> None:
        first = not self._definitions.digest
        self._definitions = wanted
        orphans: dict[str, Child] = {}
        if wanted.digest:  # no file says nothing of what an earlier supervisor left
            orphans, self._orphans = self._orphans, orphans
        for name, definition in wanted.services.items():
            if name in self._services:
                self._services[name].redefine(definition)
            else:
                self._services[name] = Service(definition, self)
                if name in self.children.tallies:
                    self._services[name].resume(self.children.tallies[name])
                if name in orphans:
                    self._services[name].adopt(orphans[name])
                    self._services[name].redefine(definition)
        for name, service in tuple(self._services.items()):
            if name not in wanted.services:
                service.wanted = False
                service.stop(_TAKEN_OUT)
        for name in orphans.keys() - wanted.services.keys():
            self._end_orphan(name, orphans[name])
        if wanted.digest:
            self._forget_tallies()
        self._automations.define(wanted.automations, first=first)
        self._advance()

    def _forget_tallies(self) -> None:
        """Of services whose definition went while no supervisor ran."""
        for name in self.children.tallies.keys() - self._services.keys():
            try:
                self.children.put(name, None, None)
            except OSError as error:
                self.say(f"cannot forget how {name} stood: {why(error)}")

    def _end_orphan(self, name: str, child: Child) -> None:
        """A service that nobody wants any more, left by an earlier supervisor."""
        program = definitions.Program(("",))
        service = Service(definitions.Service(name, program), self)
        self._services[name] = service
        service.wanted = False
        service.adopt(child)
        service.stop(_TAKEN_OUT)

    def changed(self, service: Service) -> None:
        """A service has another state: others may have waited for it."""
        if service.state == "gone" and not service.wanted and self._services.get(service.name) is service:
            del self._services[service.name]
            self.loop.unwatch(service.output.descriptor)
            service.output.forget()
        self.loop.after(0, self._advance)

    def own(self, pid: int, service: Service) -> None:
        self._owners[pid] = service

    def output(self, name: str) -> Output:
        return Output(f"{self._place.pipes}/{name}", f"{self._place.logs}/{name}.log")

    def _advance(self) -> None:
        """Start what waits and may start; while stopping, stop what nobody needs any more."""
        for service in tuple(self._services.values()):
            if self._stopping:
                if not is_needed(self._services, service.name):
                    service.wanted = False
                    service.stop("the supervisor was told to stop")
            elif service.state == "waiting" and service.wanted:
                service.reason = waits(self._services, service)
                if not service.reason:
                    service.begin()
        self._answer_reloads()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            service = self._owners.pop(pid, None)
            if service is not None:
                service.exited(pid, status)
            else:
                self._automations.exited(pid, status)

    def run(self) -> None:
        """Until it is told to stop, or has nothing left to do."""
        self.say(f"started, pid {os.getpid()}")
        glance = time.monotonic() + GLANCE
        while not self._over():
            due = self._automations.due_in
            limits = [glance - time.monotonic(), *([due] if due is not None and not self._stopping else [])]
            if self._idle_since is not None:
                limits.append(self._idle_since + LINGER - time.monotonic())
            self._turns.turn(min(limits))
            self._look_at_the_clock()
            self._reap()
            if self._turns.signals.stop and not self._stopping:
                self._stop()
            if not self._stopping:
                self._automations.tick()
            if time.monotonic() >= glance:
                glance = time.monotonic() + GLANCE
                if not self._stopping and self._stamp() != self._seen:
                    self.reload()
        self.say("ended")

    def _look_at_the_clock(self) -> None:
        offset = self.now - time.monotonic()
        if abs(offset - self._offset) > JUMP:
            self.say(f"the clock was set by {offset - self._offset:+.0f} s")
            self._automations.clock_was_set()
        self._offset = offset

    def _over(self) -> bool:
        if self._stopping:
            return not self._services and not self._waiting
        if self._stay or self._services or len(self._automations) or self._waiting:
            self._idle_since = None
            return False
        now = time.monotonic()
        self._idle_since = now if self._idle_since is None else self._idle_since
        if now < self._idle_since + LINGER:
            return False
        if self._stamp() == self._seen:
            return True
        self.reload()
        return False

    def _stop(self) -> None:
        self._stopping = True
        self.say("told to stop: services end, runs go on by themselves")
        self._advance()

    def close(self) -> None:
        self._server.close()

    def _serve(self, request: Request) -> None:
        """Before it answers, it looks whether its definitions have changed: a look at it is never stale."""
        wanted = {"/status": "GET", "/reload": "POST", "/stop": "POST", "/retry": "POST"}.get(request.target)
        if wanted is None:
            request.answer(404, f"there is no {request.target}")
        elif wanted != request.method:
            request.answer(405, f"{request.target} wants {wanted}")
        elif request.target == "/status":
            if not self._stopping and self._stamp() != self._seen:
                self.reload()
            request.answer(200, dumps(self.status()))
        else:
            self._waiting.append(request)
            if request.target == "/stop":
                self._stop()
            elif request.target == "/retry":
                self._again = sorted(f"Service/{s.name}" for s in tuple(self._services.values()) if s.retry())
            elif not self._stopping:
                self.reload()
            self.loop.after(0, self._advance)

    def _answer_reloads(self) -> None:
        """Once nothing is being stopped any more: what was removed is really gone then."""
        if any(s.state == "stopping" for s in self._services.values()) or (self._stopping and self._services):
            return
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            request.answer(200, dumps(self.status()))

    def status(self) -> dict[str, Any]:
        services = {f"Service/{name}": service.status() for name, service in sorted(self._services.items())}
        for name in self._services:
            services[f"Service/{name}"]["stuck"] = is_stuck(self._services, name)
        return {
            "digest": self._definitions.digest,
            "refused": self.refused,
            "pid": os.getpid(),
            "since": instant(int(self._since * 1e9)),
            "stopping": self._stopping,
            "again": self._again,
            "worstLateness": round(self._automations.worst, 3),
            "services": services,
            "automations": self._automations.status(),
        }
