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
    from reconciler.app import App, Planned
    from reconciler.cli.render.rollout import Status
    from reconciler.journal.journal import Journal
    from reconciler.model.address import ResourceId


@click.command
@path_argument
@output_option("text", "json")
def command(path: Path = Path("desired"), output: str = "text") -> int:
    """What is owned, stable, pending, drifting, quarantined; who is applying. Changes nothing."""
    from reconciler.cli.render.rollout import status_text
    from reconciler.model.codec import encode
    from reconciler.model.mask import Mask

    app = application(path)
    with app.journal() as journal:
        planned = app.plan(app.request(), journal=journal) if path.exists() else None
        status = replace(_status(app, journal, planned), runs=_runs(app))
        mask = Mask(journal.mask_key())
    if output == "json":
        print_json(mask.json(encode(status)))
    else:
        sys.stdout.write(status_text(status, mask=mask, colour=wants_colour(sys.stdout, os.environ)))
    return 0


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


def _ailing(app: App, journal: Journal) -> tuple[str, ...]:
    """What backends say about resources that stand as they should and are not well all the same."""
    from reconciler.host.readonly import ReadOnlyHost
    from reconciler.provider import HasHealth, Unsupported

    held: dict[str, list[ResourceId]] = {}
    for entry in journal.inventory():
        held.setdefault(entry.provider, []).append(entry.id)
    host, found = ReadOnlyHost(app.host), []
    for name, ids in sorted(held.items()):
        provider = app.registry.providers.get(name)
        if provider is None or isinstance(provider.probe(host), Unsupported):
            continue
        if isinstance(provider, HasHealth):
            found.append(provider.health(host, sorted(ids)))
    return tuple(why for why in found if why)


def _status(app: App, journal: Journal, planned: Planned | None) -> Status:
    from reconciler.cli.render.rollout import Status
    from reconciler.journal.lock import holder
    from reconciler.model.change import Cause
    from reconciler.past import half_undone, left_behind

    stable, failed = journal.stable(), half_undone(journal)
    found = holder(app.folders.state)
    watching = holder(app.folders.state / "watch")
    changes = planned.plan.changes if planned else ()
    skipped = planned.plan.skipped if planned else ()
    drifted = sum(c.cause is Cause.DRIFT for c in changes) + sum(skip.drift for skip in skipped)
    looked_at = planned.snapshot.facts.keys() | planned.snapshot.unsupported.keys() if planned else frozenset()
    unsupported = planned.snapshot.unsupported if planned else {}
    return Status(
        host=app.host.facts(),
        path=str(app.path),
        stable=stable[1] if stable else None,
        stable_since=journal.rollout(stable[0]).ended if stable else None,
        stable_rollout=stable[0] if stable else None,
        owned=journal.owned_count(),
        pending=sum(c.cause is not Cause.DRIFT for c in changes) if planned else None,
        drifted=drifted if planned else None,
        quarantine=journal.quarantine(),
        interrupted=None if found else journal.interrupted(),
        half_undone=failed.number if failed else None,
        ailing=() if found else _ailing(app, journal),
        lock_holder=str(found) if found else f"nobody; {watching} keeps watch" if watching else None,
        backends={name: unsupported.get(name) for name in sorted(looked_at)} if planned else None,
        notices=(*((journal.set_aside,) if journal.set_aside else ()), *left_behind(journal)),
    )
