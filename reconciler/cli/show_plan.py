"""A plan in the format that was asked for, and the same for its outcome."""

from __future__ import annotations

import os
import shlex
from typing import TextIO

from reconciler.app import Planned
from reconciler.cli.session import wants_colour
from reconciler.model.mask import Mask


def show_plan(planned: Planned, output: str, stream: TextIO, *, apply_with: str = "") -> str:
    """The plan as text, JSON, Markdown or GitHub annotations, ending in a newline.

    `apply_with` is the command that would carry it out, where the reader has yet to give it.
    """
    plan, mask, taken = planned.plan, Mask(planned.snapshot.mask_key), planned.snapshot.taken
    if output == "json":
        from reconciler.cli.render.json import json_text, plan_json

        return json_text(plan_json(plan, taken=taken, mask=mask))
    if output == "markdown":
        from reconciler.cli.render.markdown import plan_markdown

        return plan_markdown(plan, taken=taken, mask=mask)
    if output == "github":
        from reconciler.cli.render.github import plan_annotations

        return plan_annotations(plan, mask=mask)
    from reconciler.cli.render.text import plan_text

    return plan_text(plan, taken=taken, mask=mask, colour=wants_colour(stream, os.environ), apply_with=apply_with)


def apply_command(planned: Planned) -> str:
    """The command line that carries this plan out."""
    request = planned.request
    words = ["reconcile", "apply", planned.desired.path]
    words += [f"--target={target}" for target in sorted(map(str, request.targets))]
    words += [f"--accept={guard}" for guard in sorted(request.accept)]
    return shlex.join(words)
