"""An error as the user reads it, in the format that the command was asked for."""

from __future__ import annotations

import json
import os
import sys

from reconciler.cli.render.problems import error_text, problems_text
from reconciler.model.codec import encode
from reconciler.model.errors import LoadError, ReconcileError


def show(error: ReconcileError) -> int:
    """Print an error to standard error and answer its exit code."""
    from reconciler.cli.session import wants_colour

    sys.stderr.write(text(error, wants_colour(sys.stderr, os.environ)).rstrip("\n") + "\n")
    return int(error.exit_code)


def text(error: ReconcileError, colour: bool) -> str:
    """An error as text: with all its problems where it has some."""
    return problems_text(error, colour) if isinstance(error, LoadError) else error_text(error, colour)


def error_json(error: ReconcileError) -> str:
    """The same error for programs: one JSON object."""
    data: dict[str, object] = {"error": error.message, "where": error.where, "hint": error.hint}
    data["exitCode"] = int(error.exit_code)
    if isinstance(error, LoadError):
        data["problems"] = encode(error.problems)
    return json.dumps(data, indent=2, ensure_ascii=False)
