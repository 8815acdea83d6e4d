"""One look at one manager: every unit file of ours, how it stands, and what others did to it. Reads only.

One list of folders, one list of units, and a `show` of suspects only: never one call per unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import ObserveError
from reconciler.providers.systemd import manager as programs
from reconciler.providers.systemd.manager import Instance
from reconciler.providers.systemd.units import (
    PREFIX,
    attributes,
    id_of,
    is_marked,
    link,
    names,
    waits_for_manager,
)

_CLOCK = timedelta(milliseconds=5)  # how far the time of a file may lie behind the clock
UP = frozenset({"active", "activating", "reloading", "deactivating", "refreshing", "maintenance"})


class Entry(NamedTuple):
    """Something in a unit folder: `f`ile, `l`ink or `d`irectory."""

    sort: str
    path: str
    modified: datetime
    target: str


class Look:
    """What one manager has, read once. `standing` and `note` answer from memory, but for suspects."""

    def __init__(self, host: Host, manager: Instance) -> None:
        self.manager = manager
        self._host = host
        self.entries = _entries(host, manager)
        self.units = programs.units(host, manager.scope, f"{PREFIX}*")
        self.files: dict[str, bytes] = {}
        self.links: dict[str, str] = {}  # those that start a unit, by path relative to the folder
        self._links: dict[str, dict[str, str]] = {}  # the same, by the unit
        self._changed: dict[str, datetime] = {}
        self._mine: dict[ResourceId, dict[str, bytes]] = {}
        self._named: dict[str, list[Entry]] = {}
        self._drop_ins: dict[str, list[Entry]] = {}  # by the name of their folder
        for entry in self.entries:
            if entry.sort != "d":
                self._named.setdefault(entry.path.rpartition("/")[2], []).append(entry)
                if (folder := entry.path.split("/")[-2]).endswith(".d"):
                    self._drop_ins.setdefault(folder, []).append(entry)
            self._sort(entry)
        for name, content in self.files.items():
            if (id_ := id_of(name)) is not None:
                self._mine.setdefault(id_, {})[name] = content
        self._stale = self._find_stale()
        self._never_ran = self._find_unstarted()

    def _sort(self, entry: Entry) -> None:
        folder, _, name = entry.path.rpartition("/")
        inside = entry.path.removeprefix(f"{self.manager.folder}/")
        if entry.sort == "f" and folder == self.manager.folder and name.startswith(PREFIX):
            content = self._host.read(Path(entry.path))
            if content is not None:
                self.files[name] = content
                self._changed[name] = entry.modified
        elif entry.sort == "l" and inside.count("/") == 1 and inside.partition("/")[0].endswith(".wants"):
            self.links[inside] = entry.target
            self._links.setdefault(name, {})[inside] = entry.target

    def files_of(self, id_: ResourceId) -> Mapping[str, bytes]:
        return self._mine.get(id_, {})

    def ours(self) -> list[ResourceId]:
        """Every resource with a file that carries its mark."""
        return [id_ for id_, files in sorted(self._mine.items()) if self.is_ours(id_)]

    def is_ours(self, id_: ResourceId) -> bool:
        return any(is_marked(content, id_) for content in self.files_of(id_).values())

    def links_of(self, units: Iterable[str]) -> dict[str, str]:
        return {place: target for name in sorted(set(units)) for place, target in self._links.get(name, {}).items()}

    def active(self, units: Iterable[str]) -> list[str]:
        return [name for name in units if name in self.units and self.units[name].active in UP]

    def failed(self, units: Iterable[str]) -> list[str]:
        return [name for name in units if name in self.units and self.units[name].active == "failed"]

    def is_stale(self, units: Iterable[str]) -> bool:
        return not self._stale.isdisjoint(units)

    def standing(self, id_: ResourceId, likely: Mapping[str, Json] | None = None) -> dict[str, Json]:
        """The attributes of a resource, without the scope: what its files ask for, and what is not so."""
        found = attributes(id_, self.files_of(id_), likely)
        main = names(id_)[-1]
        if link(main) not in self.links:
            found["enabled"] = False
        if self.is_stale(names(id_)):
            found["stale"] = True
        if (activity := self._activity(main, found)) is not None:
            found["activity"] = activity
        if others := self.drop_ins(id_):
            found["dropIns"] = others
        return found

    def _activity(self, main: str, found: Mapping[str, Json]) -> str | None:
        """How the unit is not as it should be, or None."""
        restart = found.get("restart", "always")
        if "text" in found or waits_for_manager(found) or self.active([main]):
            return None
        if restart != "always" and main not in self._never_ran:
            return "failed" if self.failed([main]) and restart == "on-failure" else None
        return "failed" if self.failed([main]) else "stopped"

    def note(self, units: Sequence[str]) -> dict[str, Json]:
        """What puts these units back exactly. Latin-1 carries any byte through JSON."""
        files: dict[str, Json] = {n: self.files[n].decode("latin-1") for n in sorted(units) if n in self.files}
        links: dict[str, Json] = dict(sorted(self.links_of(units).items()))
        return {"scope": self.manager.scope, "files": files, "links": links, "active": sorted(self.active(units))}

    def trouble(self, id_: ResourceId) -> str | None:
        """Why a resource of ours cannot be trusted to be changed, or None."""
        before = self.manager.path[: self.manager.path.index(self.manager.folder)]
        for entry in (entry for name in names(id_) for entry in self._named.get(name, ())):
            folder, _, name = entry.path.rpartition("/")
            if folder == self.manager.folder and entry.sort == "l":
                if entry.target == "/dev/null":
                    return f"{name} is masked: undo it with `{self.command()} unmask {name}`"
                return f"{entry.path} is a link to {entry.target}: put a file in its place, or remove it"
            if folder in before:
                return f"{entry.path} stands before our {name}: remove it"
        return None

    def is_masked(self, id_: ResourceId) -> bool:
        """Whether nothing of it is left but a mask."""
        found = [entry for name in names(id_) for entry in self._named.get(name, ())]
        return any(e.sort == "l" and e.path.rpartition("/")[0] == self.manager.folder for e in found)

    def drop_ins(self, id_: ResourceId) -> list[str]:
        """Files by others that change what our units do. What is there for every unit of a type does not count."""
        return sorted({entry.path for name in names(id_) for entry in self._dropped_in(name)})

    def _dropped_in(self, unit: str) -> list[Entry]:
        if not self._drop_ins:
            return []
        return [entry for folder in _drop_in_folders(unit) for entry in self._drop_ins.get(folder, ())]

    def command(self) -> str:
        return "systemctl --user" if self.manager.scope == "user" else "systemctl"

    def _find_stale(self) -> frozenset[str]:
        """Units that the manager still knows as they were before somebody edited them."""
        loaded, latest = self.manager.loaded, dict(self._changed)
        for name in self.files:
            latest[name] = max([latest[name], *(entry.modified for entry in self._dropped_in(name))])
        suspects = [
            name for name, at in latest.items() if name in self.units and (loaded is None or at > loaded - _CLOCK)
        ]
        shown = programs.show(self._host, self.manager.scope, "NeedDaemonReload", suspects)
        return frozenset(name for name, about in shown.items() if about.get("NeedDaemonReload") == "yes")

    def _find_unstarted(self) -> frozenset[str]:
        """Services that may be down for good reason, and were never up."""
        services = [names(id_)[-1] for id_ in self._mine if id_.kind == "Service"]
        down = [n for n in services if not self.active([n]) and b"\nRestart=always\n" not in self.files[n]]
        shown = programs.show(self._host, self.manager.scope, "ExecMainStartTimestampMonotonic", down)
        return frozenset(n for n in down if shown.get(n, {}).get("ExecMainStartTimestampMonotonic", "0") == "0")


def _drop_in_folders(unit: str) -> list[str]:
    """`a-b.timer.d`, and `a-.timer.d` for the beginnings of the name."""
    stem, _, suffix = unit.rpartition(".")
    parts = stem.split("-")
    starts = ["-".join(parts[:count]) + "-" for count in range(1, len(parts))]
    return [f"{name}.{suffix}.d" for name in (stem, *starts)]


def _entries(host: Host, manager: Instance) -> tuple[Entry, ...]:
    own = re.sub(r"([*?\[\]\\])", r"\\\1", manager.folder)
    about = ["-path", f"{own}/*", "-o", "-name", f"{PREFIX}*", "-o", "-path", f"*/{PREFIX}*"]
    argv = ["find", "-H", *manager.path, "-mindepth", "1", "-maxdepth", "2", "(", *about, ")"]
    done = host.query([*argv, "-printf", r"%y\0%p\0%T@\0%l\0"], timeout=programs.LOOK)
    said = done.stderr.decode("utf-8", "replace").splitlines()
    bad = [line for line in said if not line.endswith(": No such file or directory")]
    if bad or (done.code != 0 and not said):
        raise ObserveError(f"cannot list the unit folders: {bad[0] if bad else f'exit status {done.code}'}")
    parts = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    try:
        found = [
            Entry(sort, path, datetime.fromtimestamp(float(at), UTC), target)
            for sort, path, at, target in zip(*[iter(parts[:-1])] * 4, strict=True)
        ]
    except ValueError as error:
        raise ObserveError(f"cannot understand the list of the unit folders: {error}") from error
    order = {folder: number for number, folder in enumerate(manager.path)}
    return tuple(sorted(found, key=lambda e: (order.get(e.path.rpartition("/")[0], 99), e.path)))
