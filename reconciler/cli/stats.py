"""`reconcile stats`: how often automations succeed, how long they take, where that is going."""

from __future__ import annotations

import os
import sys
from pathlib import Path

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


@click.command
@click.argument("name", required=False)
@since_option("30d")
@output_option("text", "json")
def command(name: str | None, since_: str, output: str) -> int:
    """Print figures about the runs of every automation, or of NAME. Changes nothing.

    \b
      success   share of runs that succeeded; skipped ones do not count
      p50, p95  runtime that half, or 95 % of the successful runs do not exceed
      trend     growth of the runtime over the time looked at, in shares of its median
      flaky     share of runs that ended otherwise than the one before, from 20 %
      missed    scheduled times at which no run came
      late      runs that started later than their start window (startWindow, or 1 minute)

    \b
    Exit codes: 0 done, whatever the figures are; 1 error, for example an unknown NAME.
    """
    app = application(Path(DEFAULT_PATH))
    zone = app.host.facts().timezone
    with open_records(app) as (found, mask):
        start = since(since_, found.now, zone)
        summaries = found.summaries(start, found.known(name) if name else "")
    from reconciler.cli.render.records import stats_text
    from reconciler.cli.render.records_json import summary_json

    if output == "json":
        print_json({"since": start.isoformat(), "automations": [summary_json(each) for each in summaries]})
        return 0
    colour = wants_colour(sys.stdout, os.environ)
    sys.stdout.write(stats_text(summaries, timezone=zone, mask=mask, colour=colour))
    return 0
