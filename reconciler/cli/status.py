"""`reconcile status`, and what bare `reconcile` shows. Changes nothing."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import application, output_option, path_argument, print_json, wants_colour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from reconciler.app import App, Planned
    from reconciler.cli.render.rollout import Status
    from reconciler.journal.journal import Journal
    from reconciler.model.errors import ObserveError
    from reconciler.model.state import Owned


@click.command
@path_argument
@output_option("text", "json")
def command(path: Path = Path("desired"), output: str = "text") -> int:
    """What is owned, stable, pending, drifting, quarantined; who is applying. Changes nothing.

    \b
    Exit code: 0 whatever it says; 1 on an error, and when a backend could not be looked at, where others are shown
    all the same. `reconcile plan --detailed-exitcode` tells a script.
    """
    from reconciler.cli.render.rollout import status_text
    from reconciler.model.codec import encode
    from reconciler.model.mask import Mask

    app = application(path)
    with app.journal() as journal:
        unseen: dict[str, ObserveError] = {}
        planned = app.plan(app.request(), journal=journal, unseen=unseen) if path.exists() else None
        status = replace(_status(app, journal, planned, unseen.keys()), runs=_runs(app), unseen=_words(unseen))
        status = replace(status, aside=_aside(app, status))
        mask = Mask(journal.mask_key())
    if output == "json":
        print_json(mask.json(encode(status)))
    else:
        sys.stdout.write(status_text(status, mask=mask, colour=wants_colour(sys.stdout, os.environ)))
    return int(bool(unseen))


def _words(unseen: Mapping[str, ObserveError]) -> dict[str, str]:
    return {name: f"{e.message}; what to do: {e.hint}" if e.hint else e.message for name, e in unseen.items()}


def _runs(app: App) -> str:
    """How the runs of the last day went, in one line; empty where there are none."""
    if not (app.folders.state / "runs").is_dir():
        return ""
    from reconciler.cli.render.records import lately
    from reconciler.cli.session import open_records

    with open_records(app) as (found, _):
        day = found.now - timedelta(days=1)
        runs = found.runs.newest(since=day)
        return lately(runs, found.trouble(day, runs))


def _aside(app: App, status: Status) -> tuple[str, ...]:
    """What the backends that were looked at have set aside."""
    from reconciler.provider import HasRemains

    usable = [app.registry.providers[name] for name, why in (status.backends or {}).items() if why is None]
    return tuple(text for one in usable if isinstance(one, HasRemains) for text in one.remains(app.host))


def _status(app: App, journal: Journal, planned: Planned | None, unseen: AbstractSet[str]) -> Status:
    from reconciler.cli.render.rollout import Status
    from reconciler.journal.lock import holder
    from reconciler.model.change import Cause
    from reconciler.model.state import Ownership
    from reconciler.past import half_undone, left_behind

    stable, failed = journal.stable(), half_undone(journal)
    found = holder(app.folders.state)
    watching = holder(app.folders.state / "watch")
    inventory = journal.inventory()
    unwell = _unwell(app, inventory, unseen)
    changes = planned.plan.changes if planned else ()
    skipped = planned.plan.skipped if planned else ()
    drifted = sum(c.cause is Cause.DRIFT for c in changes) + sum(skip.drift for skip in skipped)
    looked_at = planned.snapshot.facts.keys() | planned.snapshot.unsupported.keys() if planned else frozenset()
    unsupported = planned.snapshot.unsupported if planned else {}
    ours = {item.id for item in planned.snapshot.found if item.ownership is Ownership.OURS} if planned else set()
    nobody_lists = ours - {entry.id for entry in inventory}
    unlisted = tuple(f"{skip.id} {skip.reason}" for skip in skipped if skip.id in nobody_lists)
    return Status(
        host=app.host.facts(),
        path=str(app.path),
        stable=stable[1] if stable else None,
        stable_since=journal.rollout(stable[0]).ended if stable else None,
        stable_rollout=stable[0] if stable else None,
        owned=len(inventory),
        pending=sum(c.cause is not Cause.DRIFT for c in changes) if planned else None,
        drifted=drifted if planned else None,
        quarantine=journal.quarantine(),
        interrupted=None if found else journal.interrupted(),
        half_undone=failed.number if failed else None,
        lock_holder=str(found) if found else f"nobody; {watching} keeps watch" if watching else None,
        backends={name: unsupported.get(name) for name in sorted(looked_at)} if planned else None,
        notices=(*((journal.set_aside,) if journal.set_aside else ()), *left_behind(journal), *unlisted),
        unwell=unwell,
        remedy=_remedy(app, unwell),
    )


def _unwell(app: App, inventory: Sequence[Owned], unseen: AbstractSet[str]) -> dict[str, str]:
    """By backend that was looked at and holds something of ours: why it does not run all of it. And of the runner."""
    from reconciler.engine.observe import Supports
    from reconciler.host.readonly import ReadOnlyHost
    from reconciler.jobs import lacking
    from reconciler.model.errors import ReconcileError
    from reconciler.provider import HasHealth, told

    host, providers = ReadOnlyHost(app.host), app.registry.providers
    support = Supports(host, providers)
    found: dict[str, str] = {}
    for name in sorted({entry.provider for entry in inventory} - unseen):
        if name not in providers or support(name) is not None:
            continue
        provider = providers[name]
        try:
            why = told(provider.health(host, ())) if isinstance(provider, HasHealth) else ""
        except ReconcileError as error:
            why = error.message
        if why:
            found[name] = why
    if missing := lacking(app.folders.state, inventory):
        found["runner"] = "; ".join(f"{message}, until {hint}" for message, hint in missing)
    return found


def _remedy(app: App, unwell: Mapping[str, str]) -> str:
    if unwell.keys() == {"runner"}:
        return f"To put it back: reconcile apply {app.path}"
    if "embedded" not in unwell:
        return "Correct what stands above; `reconcile doctor` looks at the whole machine."
    retry = f"{sys.executable} -m reconciler.supervisor retry --state {app.folders.state.absolute()}"
    return f"Correct what stands above and apply. To try once more as it is: {retry}"
