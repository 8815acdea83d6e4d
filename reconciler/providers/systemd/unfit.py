"""Units of other people that can be no manifest: instances of templates, links, timers alone. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.providers.systemd import manager as programs
from reconciler.providers.systemd.look import UP, Entry, Look
from reconciler.providers.systemd.others import readable, started_by
from reconciler.providers.systemd.units import PREFIX

_TYPES = (".service", ".timer")
_LINK = "it is a link to a file elsewhere, which may be used there as well: put a copy of the file in its place"
_TEMPLATE = "it is an instance of the template {}, and manifests know no templates: write one that runs its command"
_OWN = "its name has an instance in it, and manifests know no templates: write one that runs its command"
_UNUSED = "it is a template, and nothing starts an instance of it"
_ALONE = "it starts {}, which is no file in this folder"


@dataclass(frozen=True, slots=True)
class Unfit:
    """One unit of somebody else, and why no manifest can stand for it."""

    where: str
    text: str
    why: str


def unfit(host: Host, look: Look) -> list[Unfit]:
    """By place. Links into the folders of the system itself are its own affair."""
    mine = [entry for entry in look.entries if _is_theirs(entry, look.manager.folder)]
    found = [Unfit(entry.path, f"a link to {entry.target}", _LINK) for entry in mine if _leads_out(entry, look)]
    found += _alone(host, mine)
    plain = [entry for entry in mine if entry.sort == "f" and "@" in entry.path]
    if plain:
        standing = _standing(host, look)
        for entry in plain:
            found += _instances(host, entry, standing)
    return sorted(found, key=lambda each: each.where)


def _is_theirs(entry: Entry, folder: str) -> bool:
    place, _, name = entry.path.rpartition("/")
    return place == folder and name.endswith(_TYPES) and not name.startswith(PREFIX)


def _leads_out(entry: Entry, look: Look) -> bool:
    if entry.sort != "l" or not entry.target.startswith("/") or entry.target == "/dev/null":
        return False
    return entry.target.rpartition("/")[0] not in look.manager.path


def _alone(host: Host, mine: list[Entry]) -> Iterator[Unfit]:
    """Timers whose service is somebody else's."""
    services = {entry.path.rpartition("/")[2] for entry in mine}
    for entry in mine:
        name = entry.path.rpartition("/")[2]
        content = readable(host, Path(entry.path)) if entry.sort == "f" and name.endswith(".timer") else None
        if content is not None and "@" not in name and (started := started_by(name, content)) not in services:
            yield Unfit(entry.path, content.decode("utf-8", "replace"), _ALONE.format(started))


def _standing(host: Host, look: Look) -> set[str]:
    """Names of instances that are up, or start with the manager."""
    known = programs.units(host, look.manager.scope, *(f"*@*{suffix}" for suffix in _TYPES))
    linked = {place.rpartition("/")[2] for place in look.links}
    return linked | {name for name, unit in known.items() if unit.active in UP or unit.active == "failed"}


def _instances(host: Host, entry: Entry, standing: set[str]) -> Iterator[Unfit]:
    folder, _, name = entry.path.rpartition("/")
    text = (readable(host, Path(entry.path)) or b"").decode("utf-8", "replace")
    stem, _, rest = name.partition("@")
    instance, _, suffix = rest.rpartition(".")
    if instance:
        yield Unfit(entry.path, text, _OWN)
        return
    found = sorted(
        each for each in standing if each.startswith(f"{stem}@") and each.endswith(f".{suffix}") and each != name
    )
    for each in found:
        yield Unfit(f"{folder}/{each}", text, _TEMPLATE.format(name))
    if not found:
        yield Unfit(entry.path, text, _UNUSED)
