"""`reconcile resume`: try again to undo a rollout whose rollback failed, or finish an interrupted one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconciler.cli.progress import progress
from reconciler.cli.session import Signals, application, output_option


@click.command
@output_option("text", "json")
def command(output: str) -> int:
    """Bring an unfinished rollout to an end: finish or undo it, by looking at the host.

    For a rollback that failed: repair what `reconcile status` names, then resume. `apply` does the same
    before it plans.

    \b
    Exit code: 0 finished, or nothing was left; 7 undone, 8 still not undone, 4 while another apply is running.
    """
    from reconciler.cli.rollout import recovery, report

    with Signals() as signals:
        app = application(Path(), listener=progress(sys.stderr), signals=signals)
        with app.writing("resume") as journal:
            outcome = app.resume(journal)
    if outcome is None:
        sys.stderr.write("Nothing is left half-way on this host.\n")
        return 0
    if output == "text":
        sys.stderr.write(recovery(outcome) + "\n")
    return report(outcome, output, None)
