"""`reconcile show`: one rollout, step by step; or one run of an automation."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import (
    DEFAULT_PATH,
    application,
    open_records,
    output_option,
    print_json,
    wants_colour,
)

if TYPE_CHECKING:
    from reconciler.cli.render.rollout import StepLine
    from reconciler.journal.journal import Journal
    from reconciler.journal.steps import StepRecord


@click.command
@click.argument("what", metavar="ROLLOUT | NAME[/ID]")
@output_option("text", "json")
def command(what: str, output: str) -> int:
    """Show the rollout with that number: what it set out to do, and what became of each step.

    With the NAME of an automation, show its last run; with NAME/ID, that run: when, how long, why it ended
    as it did, and the end of its output. Changes nothing.

    \b
    Exit codes: 0 done, whatever became of it; 1 error, for example an unknown NAME.
    """
    if what.isascii() and what.isdecimal():
        return _rollout(int(what), output)
    return _run(what, output)


def _run(name: str, output: str) -> int:
    from reconciler.cli.render.records import run_text
    from reconciler.cli.render.records_json import run_json

    app = application(Path(DEFAULT_PATH))
    with open_records(app) as (found, mask):
        run = found.run(name)
    if output == "json":
        print_json(mask.json(run_json(run, whole=True)))
        return 0
    colour = wants_colour(sys.stdout, os.environ)
    sys.stdout.write(run_text(run, timezone=app.host.facts().timezone, mask=mask, colour=colour))
    return 0


def _rollout(rollout: int, output: str) -> int:
    from reconciler.model.mask import Mask
    from reconciler.past import plugins

    app = application(Path(DEFAULT_PATH))
    with app.journal() as journal:
        _require(journal, rollout)
        record, steps = journal.rollout(rollout), journal.steps(rollout)
        mask, made_with = Mask(journal.mask_key()), plugins(journal, rollout)
    lines = tuple(map(_line, steps))
    if output == "json":
        from dataclasses import asdict

        from reconciler.model.codec import encode

        told = [{**asdict(line), "at": encode(step.at)} for line, step in zip(lines, steps, strict=True)]
        print_json(mask.json({"rollout": encode(record), "plugins": dict(made_with), "steps": told}))
        return 0
    from reconciler.cli.render.rollout import rollout_text

    colour = wants_colour(sys.stdout, os.environ)
    zone = app.host.facts().timezone
    sys.stdout.write(rollout_text(record, lines, made_with, timezone=zone, mask=mask, colour=colour))
    return 0


def _require(journal: Journal, rollout: int) -> None:
    """Raises ReconcileError, naming the known numbers, where there is no such rollout."""
    from reconciler.model.errors import ReconcileError

    known = [record.number for record in journal.rollouts(limit=sys.maxsize)]
    if rollout in known:
        return
    if journal.set_aside is not None:
        raise ReconcileError(f"cannot show rollout {rollout}: {journal.set_aside}", hint="run `reconcile doctor`")
    hint = "`reconcile history` lists them" if known else "nothing has been applied on this host yet"
    span = f"the journal knows {min(known)} to {max(known)}" if known else "the journal is empty"
    raise ReconcileError(f"cannot show rollout {rollout}: {span}", hint=hint)


def _line(record: StepRecord) -> StepLine:
    from reconciler.cli.render.rollout import StepLine
    from reconciler.model.plan import ApplyStep

    step = record.step
    if isinstance(step, ApplyStep):
        what, note = f"{step.change.action} {step.change.id}", step.change.reason
    else:
        what, note = f"verify {step.id}", ""
    return StepLine(step.number, what, record.status, record.message or note)
