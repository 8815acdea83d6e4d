"""`reconcile history`: the past rollouts, newest first."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import DEFAULT_PATH, application, output_option, print_json, wants_colour
from reconciler.model.data import Json

if TYPE_CHECKING:
    from reconciler.model.mask import Mask
    from reconciler.model.rollout import RolloutRecord


@click.command
@click.option(
    "-n", "count", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="How many at most."
)
@output_option("text", "json")
def command(count: int, output: str) -> int:
    """List past rollouts, newest first, with what became of them."""
    from reconciler.model.mask import Mask
    from reconciler.past import plugins

    app = application(Path(DEFAULT_PATH))
    with app.journal() as journal:
        records = journal.rollouts(limit=count)
        stable = journal.stable()
        mask = Mask(journal.mask_key())
        trouble = journal.set_aside
        made_with = {record.number: plugins(journal, record.number) for record in records} if output == "json" else {}
    if trouble is not None:
        sys.stderr.write(f"warning: {trouble}\n")
    if output == "json":
        stable_number = stable[0] if stable else None
        rollouts = [_told(record, made_with[record.number], mask) for record in records]
        print_json({"stable": stable_number, "rollouts": rollouts})
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


def _told(record: RolloutRecord, plugins: dict[str, str], mask: Mask) -> Json:
    """One rollout, with the digests of the plugins that it was made with where there were any."""
    from reconciler.model.codec import encode

    known = encode(record)
    if plugins and isinstance(known, dict):
        known = {**known, "plugins": dict(plugins)}
    return mask.json(known)
