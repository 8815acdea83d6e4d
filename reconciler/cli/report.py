"""`reconcile report`: a review of the runs of some days, for a mail, a browser or a program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import DEFAULT_PATH, application, open_records, since, since_option, write_output

if TYPE_CHECKING:
    from reconciler.cli.render.review import Review


@click.command
@click.option("--format", "format_", type=click.Choice(("md", "html", "json")), default="md", show_default=True)
@since_option("7d")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file, not to standard output.")
def command(format_: str, since_: str, out: Path | None) -> int:
    """Review the runs since a week ago: rising runtimes, intermittent failures, scheduled times without a run.

    The HTML is one file that loads nothing and runs no script, with a plot for each automation.
    Changes nothing on the host.

    \b
    Exit codes: 0 done, whatever it says; 1 error.
    """
    from reconciler.cli.render.review import Review

    app = application(Path(DEFAULT_PATH))
    facts = app.host.facts()
    with open_records(app) as (found, mask):
        start = since(since_, found.now, facts.timezone)
        review = Review(facts.name, facts.timezone, start, found.now, found.summaries(start), mask)
    text = _text(review, format_)
    if out is None:
        sys.stdout.write(text)
    else:
        write_output(out, text)
    return 0


def _text(review: Review, format_: str) -> str:
    if format_ == "html":
        from reconciler.cli.render.page import review_html

        return review_html(review)
    if format_ == "json":
        from reconciler.cli.render.json import json_text
        from reconciler.cli.render.review import review_json

        return json_text(review_json(review))
    from reconciler.cli.render.review import review_markdown

    return review_markdown(review)
