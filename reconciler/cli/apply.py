"""`reconcile apply`: carry out the plan for a tree, or exactly a saved plan."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconciler.cli.progress import progress
from reconciler.cli.session import (
    Signals,
    accept_option,
    addresses,
    application,
    output_option,
    path_argument,
    target_option,
    yes_option,
)


@click.command
@path_argument
@yes_option
@output_option("text", "json", "markdown", "github")
@target_option
@accept_option
def command(path: Path, yes: bool, output: str, targets: tuple[str, ...], accept: tuple[str, ...]) -> int:
    """Carry out the plan for PATH: a tree of manifests, or a file saved by `plan --out`.

    Shows the plan and asks, unless --yes. Verifies what it did, and undoes all of it where that fails.

    \b
    Exit code: 0 done or no change, 1 error with nothing changed, 3 stale plan, 4 another apply is running,
    5 refused by a guard, 6 stopped half-way, 7 failed and rolled back, 8 rollback failed.
    """
    from reconciler.cli.rollout import roll_out
    from reconciler.cli.saved import is_saved, read_saved

    with Signals() as signals:
        if is_saved(path):
            if targets or accept:
                raise click.UsageError("a saved plan is applied as it is: --target and --accept belong to `plan`")
            saved = read_saved(path)
            app = application(Path(saved.desired.path), listener=progress(sys.stderr), signals=signals)
            return roll_out(
                app,
                lambda journal: app.plan(
                    saved.request, desired=saved.desired, journal=journal, mask_key=saved.mask_key
                ),
                "apply",
                output=output,
                yes=yes,
                fingerprint=saved.fingerprint,
            )
        app = application(path, listener=progress(sys.stderr), signals=signals)
        desired = app.load()
        request = app.request(targets=app.known(addresses(targets), desired), accept=frozenset(accept))
        return roll_out(
            app,
            lambda journal: app.plan(request, desired=desired, journal=journal),
            "apply",
            output=output,
            yes=yes,
        )
