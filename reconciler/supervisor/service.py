"""One service: from wanted to running, kept there within its budget, and ended as a whole tree.

Acts on what it is told (`begin`, `exited`, `stop`, …) and keeps its own deadlines through the loop.
"""

from __future__ import annotations

import _signal
import os
import time
from typing import Any, Protocol

from reconciler.runner import tree
from reconciler.runner.start import NotStarted
from reconciler.runner.text import instant, why
from reconciler.supervisor.definitions import Service as Definition
from reconciler.supervisor.output import Output
from reconciler.supervisor.process import Child, Children, Tally, exit_of, release, spawn
from reconciler.supervisor.readiness import Readiness
from reconciler.supervisor.server import Loop

FIRST, LONGEST = 0.5, 30.0  # seconds before it is started again
STABLE = 30.0  # seconds up after which an end is no longer one in a series
LOOK = 0.05  # seconds between two looks at a dying tree
ACTIVE = frozenset({"starting", "running", "stopping"})
RESTING = frozenset({"ended", "fatal"})


class World(Protocol):
    """What all services share."""

    loop: Loop
    children: Children
    environment: dict[str, str]

    def say(self, message: str) -> None: ...
    def output(self, name: str) -> Output: ...
    def changed(self, service: Service) -> None: ...
    def own(self, pid: int, service: Service) -> None: ...


class Service:
    """States: waiting, starting, running, backoff, stopping, ended, fatal; gone once nobody wants it any more."""

    def __init__(self, definition: Definition, world: World) -> None:
        self.definition, self.wanted = definition, True
        self._world = world
        self.state, self.reason = "waiting", ""
        self.child: Child | None = None
        self.restarts = 0
        self._ends: list[float] = []
        self._series = 0
        self._turn = 0  # deadlines of an earlier turn are void
        self._exit = -1
        self._ready: Readiness | None = None
        self._stop_until = 0.0
        self.output = world.output(definition.name)
        if self.output.descriptor >= 0:
            world.loop.watch(self.output.descriptor, self.output.drain)
        else:
            world.say(f"{self.name}: its output goes nowhere: {self.output.trouble}")

    @property
    def name(self) -> str:
        return self.definition.name

    def resume(self, tally: Tally) -> None:
        """Go on where an earlier supervisor died: what was used of the budget stays used."""
        if tally.rules != self.definition.rules:
            return
        self._ends, self._series, self.restarts = list(tally.ends), tally.series, tally.restarts
        if tally.state in RESTING:
            self.state, self.reason = tally.state, tally.reason

    def adopt(self, child: Child) -> None:
        """Take over a process that an earlier supervisor started; if it has ended, clean up after it."""
        self.child = child
        try:
            self._exit = exit_of(child.pid)
        except OSError:
            self._exit = -1
        if self._exit < 0 or not child.lives:
            self._unwatch_exit()
            self._over("while no supervisor ran, with an unknown exit status", good=False)
            return
        self._world.loop.watch(self._exit, self._adopted_ended)
        self._world.say(f"{self.name}: found again, pid {child.pid}")
        self._started()

    def _adopted_ended(self) -> None:
        self._unwatch_exit()
        if self.child is not None:  # our own child would have been reaped, with its status
            self._over("with an unknown exit status: an earlier supervisor had started it", good=False)

    def _unwatch_exit(self) -> None:
        if self._exit >= 0:
            self._world.loop.unwatch(self._exit)
            release(self._exit)
            self._exit = -1

    def begin(self) -> None:
        """Start it now."""
        mark = f"service-{self.name}-{os.getpid()}-{time.time_ns()}"
        null = os.open(os.devnull, os.O_RDWR)
        writer = self.output.writer()
        try:
            pid = spawn(
                self.definition.program, self._world.environment, (null, writer, writer), mark,
                lambda pid: self._record(pid, mark),
            )  # fmt: skip
        except NotStarted as error:
            self.child = None
            self._failed(str(error))
            return
        except OSError as error:  # it is not recorded, so it has not run
            self.child = None
            self._failed(f"cannot start it: cannot write {self._world.children.path}: {why(error)}")
            return
        finally:
            os.close(null)
            os.close(writer)
        self._world.own(pid, self)
        self._started()

    def _record(self, pid: int, mark: str) -> None:
        self.child = Child(pid, tree.created(pid), mark, self.definition.program.digest, time.time())
        self._world.children.put(self.name, self.child, self._tally())

    def _tally(self) -> Tally | None:
        resting = (self.state, self.reason) if self.state in RESTING else ("", "")
        found = Tally(self.definition.rules, tuple(self._ends), self._series, self.restarts, *resting)
        return None if found == Tally(self.definition.rules) else found

    def _started(self) -> None:
        self._turn += 1
        if not self.definition.ready:
            self._to("running")
            return
        self._to("starting", "it is not ready yet")
        self._ready = Readiness(self.definition, self._world.environment, self._world.loop, self._answered)
        self._ready.ask()

    def _answered(self, trouble: str) -> None:
        if trouble:
            self.reason = f"it is not ready yet: {trouble}"
        else:
            self._ready = None
            self._to("running")

    def exited(self, pid: int, status: int) -> None:
        """A main process of its, a child of ours, has been reaped."""
        if self.child is None or self.child.pid != pid:
            return
        code = os.waitstatus_to_exitcode(status)
        self._over(f"with exit code {code}" if code >= 0 else f"by signal {-code}", good=code == 0)

    def _over(self, how: str, *, good: bool) -> None:
        """The main process is no more. What it left behind goes too, or a second copy would meet it."""
        child, self.child = self.child, None
        if child is None:
            return
        self._quiet()
        if self.state == "stopping":
            return  # the next look sees it
        self._sweep(child)
        up = time.time() - child.since
        policy = self.definition.policy
        if not self.wanted:
            self._to("gone")
        elif policy == "no" or (policy == "on-failure" and good):
            self._to("ended", f"it ended {how}")
        else:
            self._failed(f"it ended {how}", up)

    def _sweep(self, child: Child) -> None:
        left = child.end()
        if left:
            self._world.say(f"{self.name}: processes {', '.join(map(str, sorted(left)))} could not be killed")

    def _note_down(self) -> None:
        """Its process has gone. One that stays in the record is found dead by the next supervisor."""
        try:
            self._world.children.put(self.name, None, None if self.state == "gone" else self._tally())
        except OSError as error:
            self._world.say(f"{self.name}: cannot write down how it stands: {why(error)}")

    def _failed(self, reason: str, up: float = 0.0) -> None:
        """Start it again after a while, or give it up."""
        now = time.monotonic()
        wanted = self.definition
        self._series = 1 if up >= STABLE else self._series + 1
        self._ends = [end for end in self._ends if end > now - wanted.within]
        if wanted.limit and len(self._ends) >= wanted.limit:
            count = len(self._ends)
            times = f"{count} time{'s' if count > 1 else ''} in {wanted.within:g} s"
            self._to("fatal", f"given up after it was started again {times}: {reason}")
            return
        self._ends.append(now)
        delay = min(FIRST * 2 ** (self._series - 1), LONGEST) if self._series < 10 else LONGEST
        self._to("backoff", f"{reason}; it is started again after {delay:g} s")
        turn = self._turn
        self._world.loop.after(delay, lambda: self._again(turn))

    def _again(self, turn: int) -> None:
        if turn == self._turn and self.state == "backoff":
            self.restarts += 1
            self.begin()

    def retry(self) -> bool:
        """A new chance for one that was given up or has ended; whether it is one."""
        again = self.state in RESTING or self.state == "backoff"
        if again:
            self._ends, self._series = [], 0
            self._to("waiting")
        return again

    def redefine(self, definition: Definition) -> None:
        """Another definition of the same service. It is restarted only where another program is to run."""
        before, self.definition, self.wanted = self.definition, definition, True
        running = self.child.program if self.child else before.program.digest
        if before != definition and self.state not in ACTIVE:
            self.retry()
        elif self.state in ACTIVE and running != definition.program.digest:
            self._ends, self._series = [], 0
            self.stop("another program is to run in its place")

    def stop(self, reason: str) -> None:
        """Ask the whole tree to end; after the grace it is killed. Then: gone, or started anew if it is wanted."""
        if self.state == "stopping":
            return
        self._quiet()
        child = self.child
        if child is None:
            self._to("gone" if not self.wanted else "waiting")
            return
        self._dying = child
        self._stop_until = time.monotonic() + self.definition.grace
        self._turn += 1
        self._to("stopping", reason)
        child.signal(getattr(_signal, self.definition.signal, _signal.SIGTERM))
        self._see_it_die(self._turn)

    def _see_it_die(self, turn: int) -> None:
        if turn != self._turn or self.state != "stopping":
            return
        late = time.monotonic() >= self._stop_until
        if not late and (self.child is not None or self._dying.family()):
            self._world.loop.after(LOOK, lambda: self._see_it_die(turn))
            return
        if late:
            self._world.say(f"{self.name}: did not end within {self.definition.grace:g} s, killed")
        self._sweep(self._dying)
        if self.child is not None:
            self._unwatch_exit()
            self.child = None
        self._turn += 1
        self._to("waiting" if self.wanted else "gone")

    def _quiet(self) -> None:
        """No more questions and no more deadlines of this turn."""
        if self._ready is not None:
            self._ready.cancel()
            self._ready = None
        if self.state != "stopping":
            self._turn += 1

    def _to(self, state: str, reason: str = "") -> None:
        self.state, self.reason = state, reason
        if self.child is None:
            self._note_down()
        pid = f", pid {self.child.pid}" if self.child is not None else ""
        self._world.say(f"{self.name}: {state}{pid}{': ' + reason if reason else ''}")
        self._world.changed(self)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = {"state": self.state, "restarts": self.restarts, "reason": self.reason}
        if self.child is not None:
            found |= {"pid": self.child.pid, "since": instant(int(self.child.since * 1e9))}
        if self.state in ("fatal", "backoff"):
            if self.output.descriptor >= 0:
                self.output.drain()
            found["output"] = self.output.tail()
        return found
