"""`reconcile rollback`: go back to how things stood after an earlier rollout."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconciler.cli.progress import progress
from reconciler.cli.session import (
    Signals,
    accept_option,
    application,
    output_option,
    yes_option,
)


@click.command
@click.argument("rollout", type=click.IntRange(min=0), required=False)
@yes_option
@output_option("text", "json")
@accept_option
def command(rollout: int | None, yes: bool, output: str, accept: tuple[str, ...]) -> int:
    """Go back to how things stood after ROLLOUT; without it, to before the last change that is in force.

    A rollout that only put back what somebody had changed is no such change. So one rollback after the other goes
    further back; each names the number that brings back what stood before it.

    `reconcile rollback 0` takes everything of ours out of service and gives adopted entries back. Volumes and images
    stay, and the folders of state, launcher and cache (README: Settings). What ran is quarantined, so that `apply`
    and `watch` leave it alone until it changes or is released. Shows the plan and asks, unless --yes.

    \b
    Exit code: as of `reconcile apply`. `reconcile history` lists the numbers of rollouts.
    """
    from reconciler.cli.resident import is_installed, settle
    from reconciler.cli.rollout import roll_out

    with Signals() as signals:
        app = application(Path(), listener=progress(sys.stderr), signals=signals)
        before = is_installed(app)
        code = roll_out(
            app,
            lambda journal: app.plan_rollback(rollout, journal, accept=frozenset(accept)),
            "rollback",
            output=output,
            yes=yes,
        )
    if before and code == 0 and not is_installed(app):
        sys.stderr.write(settle(app.folders.state))
    return code
