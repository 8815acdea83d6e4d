"""How `reconcile self` stands, as text and as data. Takes plain values."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.cli.render.characters import Palette, several, visible
from reconciler.model.data import Json


@dataclass(frozen=True, slots=True)
class Thing:
    """One installed resource. `trouble` says how it differs from what was installed."""

    id: str
    through: str
    where: str
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """The supervisor, as it answers."""

    pid: int
    since: str
    services: int
    automations: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that there is to say."""

    things: tuple[Thing, ...] = ()
    running: Running | None = None
    watching: str | None = None  # who keeps watch
    wants_watch: bool = False
    by: str = ""  # what starts the supervisor; "" is nothing
    machine: bool = False  # with the machine, not with a login
    lingers: bool | None = None  # None: unknown, or not a matter of systemd
    kept: int = 0  # embedded resources
    moved: str = ""  # the interpreter that is gone


def start_of(found: Standing) -> str:
    """When it is started: `boot`, `login`, or "" for never."""
    if not found.by:
        return ""
    if found.by == "crontab" or found.machine:
        return "boot"
    return "boot" if found.by == "systemd" and found.lingers else "login"


def sentence(found: Standing) -> str:
    """What happens at boot or login."""
    if not found.by:
        return "nothing: the supervisor starts when an apply needs it, and is gone after a boot"
    if found.by == "crontab":
        return "cron starts it at boot"
    if found.machine:
        return f"{found.by} starts it at boot"
    if found.by == "systemd" and found.lingers:
        return "systemd starts it at boot: lingering is on"
    if found.by == "systemd":
        return "systemd starts it when you log in and ends it when you log out: lingering is off"
    return f"{found.by} starts it when you log in"


def hints(found: Standing) -> tuple[str, ...]:
    said: list[str] = []
    if any(thing.trouble for thing in found.things):
        said.append("`reconcile self install` puts it right, as does the next apply of a tree")
    if found.moved:
        said.append(f"{found.moved} is gone: run `reconcile self install` with the reconciler that you use now")
    if found.by == "systemd" and not found.machine and found.lingers is False:
        said.append("`loginctl enable-linger` makes it start at boot and stay")
    if found.kept and not found.by:
        said.append("`reconcile self install` makes it start by itself")
    if found.kept and found.running is None:
        said.append("it should run: `reconcile self install`, or an apply of your tree, starts it")
    if found.wants_watch and found.watching is None:
        said.append("the watch does not run: look at its output")
    return tuple(said)


def own_json(found: Standing) -> Json:
    running = found.running
    return {
        "installed": [
            {"id": t.id, "through": t.through, "where": t.where, "trouble": t.trouble or None} for t in found.things
        ],
        "running": None
        if running is None
        else {
            "pid": running.pid,
            "since": running.since,
            "services": running.services,
            "automations": running.automations,
        },
        "watch": found.watching,
        "starts": start_of(found) or None,
        "lingering": found.lingers,
        "embedded": found.kept,
        "hints": list(hints(found)),
    }


def own_text(found: Standing, *, colour: bool = False) -> str:
    palette = Palette(colour)
    rows = [("installed", f"{t.id} through {t.through}{_place(t)}") for t in found.things]
    rows += [("", palette.paint("yellow", visible(t.trouble))) for t in found.things if t.trouble]
    rows = rows or [("installed", "nothing")]
    running = found.running
    if running is None:
        rows.append(("runs", "no" if found.kept else "no; nothing is embedded, so nothing needs it"))
    else:
        what = f"{several(running.services, 'service')}, {several(running.automations, 'automation')}"
        rows.append(("runs", f"pid {running.pid}, since {visible(running.since)}; {what}"))
    if found.wants_watch or found.watching:
        rows.append(("watch", visible(found.watching or "does not run")))
    rows.append(("at boot" if start_of(found) != "login" else "at login", sentence(found)))
    lines = [f"{name:<10} {text}".rstrip() for name, text in rows]
    lines += [f"what to do: {visible(hint)}" for hint in hints(found)]
    return "\n".join(lines) + "\n"


def _place(thing: Thing) -> str:
    return f", {visible(thing.where)}" if thing.where else ""
