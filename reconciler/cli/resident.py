"""How the embedded supervisor stands on this host: what starts it, whether it runs, and ending it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.own import ADDRESSES, SUPERVISOR, WATCH, installed

if TYPE_CHECKING:
    from reconciler.app import App, Planned
    from reconciler.cli.render.own import Running, Standing, Thing

PATIENCE = 10.0  # seconds until a supervisor that was told to stop is gone


def standing(app: App) -> Standing:
    """One look at the host and at the supervisor."""
    from reconciler.cli.render.own import Standing
    from reconciler.journal.lock import holder
    from reconciler.model.resource import Desired
    from reconciler.past import NOTHING

    with app.journal() as journal:
        held = installed(journal.inventory())
        request = app.request(targets=ADDRESSES | {entry.id for entry in held}, whole_tree=True)
        planned = app.plan(request, desired=Desired("", NOTHING, ()), journal=journal)
    watching = holder(app.folders.state / "watch")
    lingers = planned.snapshot.facts.get("systemd", {}).get("lingers")
    return Standing(
        things=tuple(_thing(planned, entry.id, entry.provider) for entry in held),
        running=_running(app.folders.state),
        watching=None if watching is None else str(watching),
        wants_watch=any(entry.id.name == WATCH for entry in held),
        by=next((entry.provider for entry in held if entry.id.name == SUPERVISOR), ""),
        machine=_is_of_the_machine(app, planned),
        lingers=lingers if isinstance(lingers, bool) else None,
        kept=kept(app.folders.state),
        moved=_moved(planned),
    )


def _thing(planned: Planned, id_: Any, provider: str) -> Thing:
    from reconciler.cli.render.own import Thing

    why = [change.reason for change in planned.plan.changes if change.id == id_]
    why += [skip.reason for skip in planned.plan.skipped if skip.id == id_]
    why += [planned.snapshot.unsupported[provider]] if provider in planned.snapshot.unsupported else []
    where = next((item.where for item in planned.snapshot.found if item.id == id_), "")
    return Thing(str(id_), provider, where, why[0] if why else "")


def _is_of_the_machine(app: App, planned: Planned) -> bool:
    """Whether it starts with the machine, whoever logs in."""
    found = next((each for each in planned.snapshot.own if each.id.name == SUPERVISOR), None)
    scope = None if found is None else found.spec.get("scope")
    return scope == "system" or (scope is None and app.host.facts().user == "root")


def _moved(planned: Planned) -> str:
    """The interpreter that was installed, where it is gone."""
    for intent in planned.intents:
        probes = intent.resource.verify.probes
        command = probes[0].options.get("command") if probes else intent.resource.spec.get("command")
        if isinstance(command, list | tuple) and not Path(str(command[0])).exists():
            return str(command[0])
    return ""


def _running(state: Path) -> Running | None:
    from reconciler.cli.render.own import Running
    from reconciler.supervisor.control import ask
    from reconciler.supervisor.place import Place

    answer = ask(Place(str(state)), "GET", "/status", 5.0)
    try:
        said = json.loads(answer or "null")
        if said is None:
            return None
        return Running(int(said["pid"]), str(said["since"]), len(said["services"]), len(said["automations"]))
    except (ValueError, KeyError, TypeError):
        return None


def kept(state: Path) -> int:
    """How many services and automations the supervisor is to keep."""
    from reconciler.supervisor.definitions import Refused, parse
    from reconciler.supervisor.place import Place, read

    place = Place(str(state))
    for path in (place.definitions, place.accepted):  # the last good copy counts where the file does not
        try:
            wanted = None if (raw := read(path)) is None else parse(raw)
        except (OSError, Refused):
            continue
        if wanted is not None:
            return len(wanted.services) + len(wanted.automations)
    return 0


def is_installed(app: App) -> bool:
    """Whether `reconcile self` has the supervisor started on this host."""
    with app.journal() as journal:
        return any(entry.id.name == SUPERVISOR for entry in installed(journal.inventory()))


def settle(state: Path) -> str:
    """It is installed no more: end a supervisor that keeps nothing. Says what it did with it."""
    from reconciler.supervisor.control import Trouble, ask, start
    from reconciler.supervisor.place import Place

    place, count = Place(str(state)), kept(state)
    if count:
        try:
            start(place)
        except Trouble as trouble:
            return f"{trouble}\n"
        return (
            f"The supervisor goes on, because {count} of your resources are embedded; "
            "after the next boot only an apply starts it.\n"
        )
    if ask(place, "POST", "/stop", 60.0) is None:
        return ""
    until = time.monotonic() + PATIENCE
    while ask(place, "GET", "/status", 1.0) is not None and time.monotonic() < until:
        time.sleep(0.02)
    return "The supervisor has ended.\n"
