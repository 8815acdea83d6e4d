"""`reconcile adopt`: take over an entry that the user wrote, without changing what it runs."""

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
    yes_option,
)


@click.command
@click.argument("address", metavar="KIND/NAME")
@path_argument
@yes_option
@output_option("text", "json")
@accept_option
def command(address: str, path: Path, yes: bool, output: str, accept: tuple[str, ...]) -> int:
    """Take over the entry that runs what the manifest KIND/NAME in PATH runs.

    Your line, unit, plist or container becomes ours: one that carries our mark takes its place. What differs
    from the manifest, and what is lost, is shown in the plan first. Shows the plan and asks, unless --yes.

    \b
    Example, after `reconcile import crontab --out desired`:
      reconcile adopt Automation/backup

    \b
    Exit code: as of `reconcile apply`.
    """
    from reconciler.cli.rollout import roll_out
    from reconciler.model.errors import ReconcileError
    from reconciler.provider import HasImport

    ids = addresses([address])
    with Signals() as signals:
        app = application(path, listener=progress(sys.stderr), signals=signals)
        desired = app.load()
        if not ids <= {resource.id for resource in desired.resources}:
            (kind,) = {id_.kind for id_ in ids}
            backends = [one for one in app.registry.providers.values() if kind in one.kinds]
            names = sorted(one.name for one in backends if isinstance(one, HasImport))
            listed = " or ".join(f"`reconcile import {name}`" for name in names)
            hint = f"{listed} writes manifests for what exists" if listed else "write its manifest first"
            raise ReconcileError(f"cannot adopt {address}: no manifest in {path} describes it", hint=hint)
        request = app.request(targets=ids, adopt=ids, accept=frozenset(accept))
        return roll_out(
            app,
            lambda journal: app.plan(request, desired=desired, journal=journal),
            "adopt",
            output=output,
            yes=yes,
        )
