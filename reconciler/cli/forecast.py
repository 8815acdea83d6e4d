"""`reconcile forecast`: what starts when, over all schedulers, and what that means together. Changes nothing."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import DEFAULT_PATH, application, output_option, wants_colour, write_output

if TYPE_CHECKING:
    from reconciler.app import App
    from reconciler.cli.render.forecast import Heading
    from reconciler.runs.entry import Entry
    from reconciler.runs.forecast import Forecast

LONGEST = timedelta(days=31)


@click.command
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--for", "length", default="24h", show_default=True, metavar="DURATION", help="How far ahead: 24h, 7d.")
@click.option("--from", "start", metavar="INSTANT", help="From when on; now if not given.")
@click.option(
    "--crowd", default=5, show_default=True, type=click.IntRange(2), help="Starts in one minute that count."
)
@output_option("text", "json", "svg", "html")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
def command(path: Path | None, length: str, start: str | None, crowd: int, output: str, out: Path | None) -> int:
    """Show what will start when: load per hour, collisions, overlaps, changes of the clock. Changes nothing.

    Over what was applied on this host; with PATH over what its manifests would make of it. What other people have
    in a crontab, in timers or in plists counts too, and is marked.

    \b
    Examples:
      reconcile forecast
      reconcile forecast desired --for 7d -o html --out week.html
    """
    from reconciler import outlook
    from reconciler.cli.render.forecast import Heading
    from reconciler.runs.forecast import forecast

    app = application(path or Path(DEFAULT_PATH))
    facts = app.host.facts()
    zone = outlook.zone_of(facts.timezone)
    period = _length(length)
    begin = app.host.clock.now() if start is None else _instant(start, zone)
    theirs = outlook.foreign(app.host, app.registry.providers)
    ours = _standing(app) if path is None else _planned(app)
    found = forecast([*ours, *theirs.entries], begin, period, zone, crowd)
    text = _rendered(found, Heading(facts.name, str(zone), theirs.unread), output, to_file=out is not None)
    if out is None:
        sys.stdout.write(text)
    else:
        write_output(out, text)
    return 0


def _length(text: str) -> timedelta:
    from reconciler.model.duration import parse_duration

    try:
        found = timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from error
    if not timedelta(minutes=1) <= found <= LONGEST:
        raise click.UsageError(f"--for: from 1m to {LONGEST.days}d, found {text}")
    return found


def _instant(text: str, zone: tzinfo) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--from: {text!r} is no instant; write for example 2026-03-29T00:00") from None
    return found.replace(tzinfo=zone) if found.tzinfo is None else found


def _standing(app: App) -> tuple[Entry, ...]:
    """What was applied."""
    from reconciler import jobs, outlook
    from reconciler.engine.observe import Supports
    from reconciler.host.readonly import ReadOnlyHost
    from reconciler.records import measured

    with app.journal() as journal:
        inventory = journal.inventory()
    supports = Supports(ReadOnlyHost(app.host), app.registry.providers)
    settings = jobs.remembered(app.folders.state, (), inventory)
    return outlook.standing(inventory, settings, measured(app.folders.state, app.host, inventory), supports)


def _planned(app: App) -> tuple[Entry, ...]:
    """What would stand once the manifests are applied."""
    from reconciler import jobs, outlook
    from reconciler.records import measured

    planned = app.plan(app.request())
    inventory = planned.snapshot.inventory
    settings = jobs.remembered(app.folders.state, (), inventory)
    snapshot = replace(planned.snapshot, durations=measured(app.folders.state, app.host, inventory))
    return outlook.as_planned(planned.plan, snapshot, planned.intents, settings)


def _rendered(found: Forecast, heading: Heading, output: str, *, to_file: bool) -> str:
    if output == "json":
        from reconciler.cli.render.forecast_json import forecast_json
        from reconciler.cli.render.json import json_text

        return json_text(forecast_json(found, heading))
    if output == "svg":
        from reconciler.cli.render.timeline import timeline

        return timeline(found, heading)
    if output == "html":
        from reconciler.cli.render.forecast_page import forecast_page

        return forecast_page(found, heading)
    from reconciler.cli.render.forecast import BLOCKS, blocks_for, forecast_text

    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    blocks = BLOCKS if to_file else blocks_for(sys.stdout.encoding or "", locale)
    return forecast_text(found, heading, blocks=blocks, colour=not to_file and wants_colour(sys.stdout, os.environ))
