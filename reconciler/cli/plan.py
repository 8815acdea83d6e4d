"""`reconcile plan`: show what apply would do. Reads the host, writes at most the file named by --out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from reconciler.cli.session import (
    accept_option,
    addresses,
    application,
    output_option,
    path_argument,
    target_option,
    write_output,
)


@click.command
@path_argument
@output_option("text", "json", "markdown", "github")
@click.option("--out", type=click.Path(path_type=Path), help="Also save the plan, for `reconcile apply FILE`.")
@click.option("--against", type=click.Path(path_type=Path), help="Plan against a snapshot file instead of this host.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@target_option
@accept_option
def command(
    path: Path,
    output: str,
    out: Path | None,
    against: Path | None,
    detailed_exitcode: bool,
    targets: tuple[str, ...],
    accept: tuple[str, ...],
) -> int:
    """Show what apply would do to this host. Changes nothing.

    \b
    Examples:
      reconcile plan
      reconcile plan --out plan.json && reconcile apply plan.json
      reconcile plan --against host.json -o markdown    # made there by `reconcile snapshot --out host.json`

    \b
    Exit code: 0, or with --detailed-exitcode 2 when there are changes; 5 when a guard refuses the plan;
    1 on an error. Problems of the manifests are printed in the format that -o asks for.
    """
    from reconciler.cli.show_plan import apply_command, show_plan
    from reconciler.model.errors import ExitCode

    app = application(path)
    desired = app.load()
    request = app.request(targets=addresses(targets), accept=frozenset(accept))
    if against is None:
        app.known(request.targets, desired)
        planned = app.plan(request, desired=desired)
    else:
        from reconciler.masked import read_snapshot

        planned = app.plan_against(request, read_snapshot(against), desired)
    apply_with = apply_command(planned) if out is None else shlex.join(["reconcile", "apply", str(out)])
    sys.stdout.write(show_plan(planned, output, sys.stdout, apply_with=apply_with))
    if out is not None:
        from reconciler.cli.render.json import json_text
        from reconciler.cli.saved import saved_json

        write_output(out, json_text(saved_json(planned)), mode=0o600)
    if planned.plan.vetoes:
        return ExitCode.REFUSED
    return ExitCode.PENDING if detailed_exitcode and planned.plan.steps else ExitCode.DONE
