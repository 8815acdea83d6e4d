"""Problems of manifests as a pull-request comment: a marker line, their number, each with its place and what to do.

Takes its words from `markdown`, and keeps the same limit.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.render.characters import several
from reconciler.cli.render.markdown import code, inline, prose, size
from reconciler.model.errors import Problem

_LIMIT = 59_000  # bytes of all problems together; the rest of 60,000 is for what stands around them


def problems_markdown(problems: Sequence[Problem]) -> str:
    """The comment. Its first line is always the same, so that an older one can be replaced."""
    count = several(len(problems), "problem")
    files = several(len({problem.file for problem in problems}), "file")
    head = f"<!-- reconciler problems -->\n### {count} in {files}: nothing was planned and nothing was changed"
    rows: list[str] = []
    left = _LIMIT
    for problem in problems:
        row = _row(problem)
        left -= size(row) + 1
        if left < 0:
            break
        rows.append(row)
    missing = len(problems) - len(rows)
    more = f"\n\n**{several(missing, 'more problem')}; `reconcile validate` shows everything.**" if missing else ""
    return f"{head}\n\n" + "\n".join(rows) + f"{more}\n"


def _row(problem: Problem) -> str:
    row = f"- {code(problem.place)}: {inline(problem.message)}"
    return f"{row}<br>What to do: {prose(problem.hint)}" if problem.hint else row
