"""`reconcile history`: the past rollouts, newest first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from reconciler.cli.session import DEFAULT_PATH, application, output_option, print_json, wants_colour


@click.command
@click.option(
    "-n", "count", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="How many at most."
)
@output_option("text", "json")
def command(count: int, output: str) -> int:
    """List past rollouts, newest first, with what became of them."""
    from reconciler.model.mask import Mask

    app = application(Path(DEFAULT_PATH))
    with app.journal() as journal:
        records = journal.rollouts(limit=count)
        stable = journal.stable()
        mask = Mask(journal.mask_key())
        trouble = journal.set_aside
    if trouble is not None:
        sys.stderr.write(f"warning: {trouble}\n")
    if output == "json":
        from reconciler.model.codec import encode

        stable_number = stable[0] if stable else None
        print_json({"stable": stable_number, "rollouts": [mask.json(encode(record)) for record in records]})
        return 0
    from reconciler.cli.render.rollout import history_text

    sys.stdout.write(
        history_text(
            records,
            timezone=app.host.facts().timezone,
            mask=mask,
            colour=wants_colour(sys.stdout, os.environ),
            stable=stable[0] if stable else None,
        )
    )
    return 0
