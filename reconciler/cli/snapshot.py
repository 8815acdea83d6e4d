"""`reconcile snapshot`: what the host has, as a file that another machine can plan against."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from reconciler.cli.session import application, path_argument, write_output


@click.command
@path_argument
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
def command(path: Path, out: Path | None) -> int:
    """Write what this host has of ours, and what stands in the way of PATH. Changes nothing on the host.

    Values that look like secrets are masked, entries of other people are left out, and the inventory is
    in it: `reconcile plan --against FILE` makes this host's plan anywhere.

    \b
    Example:
      reconcile snapshot --out host.json
    """
    from reconciler.masked import snapshot_json

    # ASCII, so that bytes which were no text on the host survive any encoding on the way.
    text = json.dumps(snapshot_json(application(path).snapshot()), indent=2) + "\n"
    if out is None:
        sys.stdout.write(text)
        return 0
    write_output(out, text, mode=0o600)
    sys.stderr.write(f"Wrote {out}. `reconcile plan --against {out}` plans against it on any machine.\n")
    return 0
