"""An error as the user reads it."""

from __future__ import annotations

import os
import sys

from reconciler.cli.render.problems import error_text, problems_text
from reconciler.model.errors import LoadError, ReconcileError


def show(error: ReconcileError) -> int:
    """Print an error to standard error and answer its exit code."""
    from reconciler.cli.session import wants_colour

    sys.stderr.write(text(error, wants_colour(sys.stderr, os.environ)).rstrip("\n") + "\n")
    return int(error.exit_code)


def text(error: ReconcileError, colour: bool) -> str:
    """An error as text: with all its problems where it has some."""
    return problems_text(error, colour) if isinstance(error, LoadError) else error_text(error, colour)


def document(error: LoadError, output: str) -> str:
    """All problems of the manifests in a format for programs; nothing for one that people read."""
    match output:
        case "json":
            from reconciler.cli.render.json import json_text, problems_json

            return json_text(problems_json(error.problems))
        case "markdown":
            from reconciler.cli.render.problems_markdown import problems_markdown

            return problems_markdown(error.problems)
        case "github":
            from reconciler.cli.render.github import problems_annotations

            return problems_annotations(error.problems)
        case _:
            return ""


def show_bug(error: Exception) -> int:
    """An error that no user can cause: say so, with what a report needs."""
    import traceback

    sys.stderr.write("".join(traceback.format_exception(error)))
    sys.stderr.write(
        f"\nerror: this is a bug in reconciler, not in what you did ({type(error).__name__})\n"
        "  what to do: report it with the lines above; `reconcile status` says how the host stands\n"
    )
    return int(ReconcileError.exit_code)
