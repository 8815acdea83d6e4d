"""Processes of services on disk and in the kernel: recorded before they run, found again after our death.

A child waits until it stands in the record; where we die first, it ends without having run anything.
"""

from __future__ import annotations

import _signal
import json
import os
import pwd
import select
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from reconciler.runner import tree
from reconciler.runner.start import Setting, start
from reconciler.supervisor import place
from reconciler.supervisor.definitions import Program

_T = TypeVar("_T")
_KEPT = ("LANG", "TZ", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS")
_PATHS = {
    "linux": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "darwin": "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
}


def environment(environ: Mapping[str, str], platform: str) -> dict[str, str]:
    """What every program starts with. The same after a boot as after an `apply` from somebody's terminal."""
    me = pwd.getpwuid(os.getuid())
    found = {"HOME": environ.get("HOME") or me.pw_dir, "USER": me.pw_name, "LOGNAME": me.pw_name, "SHELL": "/bin/sh"}
    found["PATH"] = _PATHS.get(platform, os.defpath)
    found["LANG"] = "C.UTF-8"
    return found | {name: environ[name] for name in _KEPT if environ.get(name)}


@dataclass(frozen=True, slots=True)
class Child:
    """A process of a service, so that it is found again. `mark` stands in the environment of all that it starts."""

    pid: int
    created: str
    mark: str
    program: str  # digest of what it runs
    since: float  # wall clock

    @property
    def lives(self) -> bool:
        return tree.same(self.pid, self.created)

    def family(self) -> tree.Family:
        """Everybody who belongs to it, however far they moved away."""
        return tree.snapshot(self.pid, self.mark, {self.pid: self.created})

    def signal(self, number: int) -> tree.Family:
        """Ask everybody who belongs to it; a stopped process hears nothing before it goes on."""
        family = self.family()
        for each in (number, _signal.SIGCONT):
            tree.signal_each(family, each)
        return family

    def end(self) -> tree.Family:
        """SIGKILL for everybody. Those whom not even that ends."""
        known: tree.Family = {self.pid: self.created} if self.lives else {}
        return tree.end(self.pid, self.mark, known)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a service has used of its budget, so that a death of ours gives it no new one."""

    rules: str  # digest of what it counts for
    ends: tuple[float, ...] = ()  # when it was to be started again; the system's monotonic clock, good for one boot
    series: int = 0
    restarts: int = 0
    state: str = ""  # "ended" or "fatal", where it came to rest
    reason: str = ""


class Children:
    """The record of all children, and of what their services have used of their budgets."""

    def __init__(self, path: str, boot: str) -> None:
        self.path, self._boot = path, boot
        self._all: dict[str, Child] = {}
        self.tallies: dict[str, Tally] = {}

    def recall(self) -> dict[str, Child]:
        """What an earlier supervisor recorded in this boot; times mean nothing in another."""
        found = place.remembered(self.path)
        if found.get("boot") == self._boot:
            self._all = {name: Child(**fields) for name, fields in found["services"].items()}
            tallies = found.get("tallies", {}).items()
            self.tallies = {name: Tally(**{**fields, "ends": tuple(fields["ends"])}) for name, fields in tallies}
        return dict(self._all)

    def put(self, name: str, child: Child | None, tally: Tally | None) -> None:
        """Record or forget one. Raises OSError where that is not possible."""
        if (child, tally) == (self._all.get(name), self.tallies.get(name)):
            return
        _set(self._all, name, child)
        _set(self.tallies, name, tally)
        if not self._all and not self.tallies:
            place.remove(self.path)
            return
        services, tallies = (
            {key: asdict(one) for key, one in record.items()} for record in (self._all, self.tallies)
        )
        found = {"boot": self._boot, "services": services, "tallies": tallies}
        place.replace(self.path, json.dumps(found).encode())


def _set(record: dict[str, _T], name: str, value: _T | None) -> None:
    if value is None:
        record.pop(name, None)
    else:
        record[name] = value


def spawn(
    program: Program,
    environ: Mapping[str, str],
    streams: tuple[int, int, int],
    mark: str = "",
    before: Callable[[int], None] | None = None,
) -> int:
    """The pid of the program in a session of its own. Raises NotStarted."""
    marked = {tree.MARK: mark} if mark else {}
    pid, _ = start(
        program.argv, {**environ, **program.environment, **marked}, Setting(program.folder), streams, before
    )
    return pid


def exit_of(pid: int) -> int:
    """A descriptor that is readable once a process, child or not, has ended. Raises OSError."""
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(pid)
    kernel: Any = select  # what follows is macOS
    queue = kernel.kqueue()
    flags = kernel.KQ_EV_ADD | kernel.KQ_EV_ONESHOT
    queue.control([kernel.kevent(pid, kernel.KQ_FILTER_PROC, flags, kernel.KQ_NOTE_EXIT)], 0)
    number = int(queue.fileno())
    _held[number] = queue
    return number


_held: dict[int, Any] = {}


def release(descriptor: int) -> None:
    queue = _held.pop(descriptor, None)
    if queue is None:
        os.close(descriptor)
    else:
        queue.close()
