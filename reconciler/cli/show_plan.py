"""A plan in the format that was asked for, and the same for its outcome."""

from __future__ import annotations

import json
import os
from typing import TextIO

from reconciler.app import Planned
from reconciler.cli.session import wants_colour
from reconciler.model.mask import Mask


def show_plan(planned: Planned, output: str, stream: TextIO) -> str:
    """The plan as text, JSON, Markdown or GitHub annotations, ending in a newline."""
    plan, mask, taken = planned.plan, Mask(planned.snapshot.mask_key), planned.snapshot.taken
    if output == "json":
        from reconciler.cli.render.json import plan_json

        return json.dumps(plan_json(plan, taken=taken, mask=mask), indent=2, ensure_ascii=False) + "\n"
    if output == "markdown":
        from reconciler.cli.render.markdown import plan_markdown

        return plan_markdown(plan, taken=taken, mask=mask)
    if output == "github":
        from reconciler.cli.render.github import plan_annotations

        return plan_annotations(plan, mask=mask)
    from reconciler.cli.render.text import plan_text

    return plan_text(plan, taken=taken, mask=mask, colour=wants_colour(stream, os.environ))
