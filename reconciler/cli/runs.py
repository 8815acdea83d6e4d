"""`reconcile runs`: the runs of automations, newest first, with the slots that had none."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import (
    DEFAULT_PATH,
    application,
    open_records,
    output_option,
    print_json,
    since,
    since_option,
    wants_colour,
)
from reconciler.model.data import Json

if TYPE_CHECKING:
    from reconciler.app import App
    from reconciler.records import Records
    from reconciler.runs.listing import Line

MOST = 1_000_000


@click.command
@click.argument("name", required=False)
@click.option(
    "-n", "count", type=click.IntRange(1, MOST), help="How many lines at most. [default: 20; all with --since]"
)
@click.option("--failed", is_flag=True, help="Only what failed, was lost or missed.")
@since_option()
@click.option("--collect", is_flag=True, help="Move ended runs from the spool into the database, and tidy up.")
@output_option("text", "json")
def command(name: str | None, count: int | None, failed: bool, since_: str | None, collect: bool, output: str) -> int:
    """List runs of automations (or of NAME), newest first, and scheduled times at which no run came.

    With NAME, each line has the ID that `show NAME/ID` and `logs NAME --run ID` take. Changes nothing, but
    for --collect, which runners also start by themselves now and then.

    \b
    Exit codes: 0 done, whatever the runs were; 1 error, for example an unknown NAME.
    """
    app = application(Path(DEFAULT_PATH))
    if collect:
        return _collect(app, output)
    with open_records(app) as (found, mask):
        zone = app.host.facts().timezone
        start = since(since_, found.now, zone) if since_ else None
        lines = _lines(found, found.known(name) if name else "", count or (MOST if start else 20), start, failed)
        sys.stderr.write(_elsewhere(found, name))
    if output == "json":
        print_json(mask.json(_json(lines)))
        return 0
    from reconciler.cli.render.records import runs_text

    colour = wants_colour(sys.stdout, os.environ)
    sys.stdout.write(runs_text(lines, timezone=zone, mask=mask, colour=colour, ids=bool(name)))
    return 0


def _lines(found: Records, name: str, count: int, start: datetime | None, failed: bool) -> Sequence[Line]:
    from reconciler.records import FAR
    from reconciler.runs.listing import listing

    if failed:  # a slot is missed only where no run at all came
        start = start or found.now - FAR
        every = found.runs.newest(name=name, since=start)
        shown = [run for run in every if not run.good and run.verdict != "running"]
        return listing(shown, found.trouble(start, every, name))[:count]
    runs = found.runs.newest(count, name=name, since=start)
    if start is None:
        start = found.now - FAR
        if len(runs) == count:
            start = max(start, runs[-1].started)
    return listing(runs, found.trouble(start, runs, name))[:count]


def _elsewhere(found: Records, name: str | None) -> str:
    """Whose records hold the runs that root's manifests make other users' processes do; they are not read here."""
    tables = [table for table in found.tables.values() if table.keeper and name in (None, table.name)]
    by_user: dict[str, list[str]] = {}
    for table in tables:
        by_user.setdefault(table.keeper, []).append(table.name)
    return "".join(
        f"note: runs of {', '.join(sorted(names))} are recorded by {user}; as {user}: reconcile runs\n"
        for user, names in sorted(by_user.items())
    )


def _json(lines: Sequence[Line]) -> dict[str, Json]:
    from reconciler.cli.render.records_json import run_json

    runs = [{**run_json(line.run), "late": line.late} for line in lines if line.run is not None]
    missed = [{"automation": line.automation, "slot": at.isoformat()} for line in lines for at in line.missed]
    return {"runs": runs, "missed": missed}


def _collect(app: App, output: str) -> int:
    from reconciler.cli.render.characters import several, visible
    from reconciler.records import collect

    with app.journal() as journal:
        inventory = journal.inventory()
    done = collect(app.folders.state, app.host, inventory)
    if done is None:
        sys.stderr.write("Another process is collecting right now; nothing was done.\n")
        return 0
    for note in done.notes:
        sys.stderr.write(f"warning: {note}\n")
    for path in done.unreadable:
        sys.stderr.write(f"warning: a run file could not be read and was set aside as {visible(str(path))}\n")
    if output == "json":
        counts = {"recorded": done.recorded, "lost": done.lost, "forgotten": done.forgotten}
        print_json({**counts, "unreadable": [str(path) for path in done.unreadable]})
        return 0
    lost = f", {done.lost:,} of them lost" if done.lost else ""
    old = f"; {several(done.forgotten, 'old run')} forgotten" if done.forgotten else ""
    sys.stdout.write(f"{several(done.recorded, 'run')} recorded{lost}{old}.\n")
    return 0
