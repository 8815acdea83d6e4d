"""Other people's timers and services in the folder where ours lie: what they run. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import ReconcileError
from reconciler.model.frozen import dataclass
from reconciler.providers.systemd import manager as programs
from reconciler.providers.systemd.look import Look
from reconciler.providers.systemd.syntax import settings
from reconciler.providers.systemd.units import PREFIX, document, execution


@dataclass(frozen=True, slots=True)
class Other:
    """One service of somebody else, with the timer that starts it where there is one."""

    files: Mapping[str, bytes]
    links: Mapping[str, str]
    active: tuple[str, ...]
    runs: Mapping[str, Json] | None  # command, folder, user, environment; None: not one plain program

    @property
    def kind(self) -> str:
        return "Automation" if any(name.endswith(".timer") for name in self.files) else "Service"

    @property
    def main(self) -> str:
        return max(self.files)

    def note(self, scope: str) -> dict[str, Json]:
        files: dict[str, Json] = {name: content.decode("latin-1") for name, content in sorted(self.files.items())}
        return {"scope": scope, "files": files, "links": dict(self.links), "active": list(self.active)}

    def attributes(self) -> dict[str, Json]:
        """What it does, comparable with what ours would do."""
        found: dict[str, Json] = dict(self.runs or {})
        calendar: list[Json] = [value for name, value in self.timing() if name == "OnCalendar"]
        found["unit"] = self.main
        return found | ({"calendar": calendar} if calendar else {})

    def timing(self) -> list[tuple[str, str]]:
        lines = self.lines(".timer")
        return [(name, value) for section, name, value in lines if section == "Timer"]

    def lines(self, suffix: str) -> list[tuple[str, str, str]]:
        texts = [content for name, content in self.files.items() if name.endswith(suffix)]
        return [line for text in texts for line in settings(text.decode("utf-8", "replace"))]

    def text(self) -> str:
        return document(self.files)


def others(host: Host, look: Look) -> list[Other]:
    """Every foreign service in our unit folder that is a file of its own, by name."""
    folder, files = look.manager.folder, {}
    for entry in look.entries:
        place, _, name = entry.path.rpartition("/")
        if entry.sort == "f" and place == folder and name.endswith((".service", ".timer")) and "@" not in name:
            content = None if name.startswith(PREFIX) else readable(host, Path(entry.path))
            if content is not None:
                files[name] = content
    timers = {started_by(name, content): name for name, content in files.items() if name.endswith(".timer")}
    found = []
    units = programs.units(host, look.manager.scope, *files) if files else {}
    for name in sorted(files):
        if name.endswith(".service"):
            mine = {n: files[n] for n in (name, timers.get(name)) if n is not None}
            up = tuple(n for n in sorted(mine) if n in units and units[n].active in ("active", "activating"))
            found.append(Other(mine, look.links_of(mine), up, _runs(files[name])))
    return found


def twins(found: list[Other], id_: ResourceId, command: Json) -> list[Other]:
    """Those that run the same program in the same way of starting it."""
    return [o for o in found if o.kind == id_.kind and o.runs is not None and o.runs["command"] == command]


def started_by(timer: str, content: bytes) -> str:
    lines = settings(content.decode("utf-8", "replace"))
    named = [value for section, name, value in lines if (section, name) == ("Timer", "Unit")]
    return named[-1] if named else f"{timer.removesuffix('.timer')}.service"


def _runs(content: bytes) -> Mapping[str, Json] | None:
    try:
        return cast("Mapping[str, Json] | None", execution(settings(content.decode("utf-8"))))
    except ValueError:
        return None


def readable(host: Host, path: Path) -> bytes | None:
    """A foreign file that cannot be read, or is no text, is nobody's twin."""
    try:
        return host.read(path)
    except ReconcileError:
        return None
