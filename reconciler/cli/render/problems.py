"""Problems of manifests and errors of commands, for a terminal.

All problems at once, each with its place, the line it is in and a caret under the column.
"""

from __future__ import annotations

from reconciler.cli.render.characters import Palette, cells, several, visible
from reconciler.model.errors import LoadError, Problem, ReconcileError
from reconciler.model.mask import Mask

_WIDEST = 110  # columns of an excerpt; a longer line is shown around its caret
_MASK = Mask("excerpt")
_TAB = "    "


def problems_text(error: LoadError, colour: bool = False) -> str:
    """Every problem, sorted by place, and their count."""
    palette = Palette(colour)
    blocks = [_problem(problem, palette) for problem in error.problems]
    files = len({problem.file for problem in error.problems})
    count = several(len(error.problems), "problem")
    end = f"{count} in {several(files, 'file')}: nothing was planned and nothing was changed."
    return "\n\n".join([*blocks, palette.paint("alarm", end)]) + "\n"


def error_text(error: ReconcileError, colour: bool = False) -> str:
    """`cannot …`, where, and what to do next."""
    if isinstance(error, LoadError):
        return problems_text(error, colour)
    palette = Palette(colour)
    lines = [f"{palette.paint('alarm', 'error:')} {_indented(error.message, '  ')}"]
    if error.where:
        lines.append(f"  where: {_indented(error.where, '    ')}")
    if error.hint:
        lines.append(f"  what to do: {_indented(error.hint, '    ')}")
    return "\n".join(lines) + "\n"


def _problem(problem: Problem, palette: Palette) -> str:
    lines = [f"{palette.paint('bold', visible(problem.place))}: {visible(problem.message)}"]
    if problem.excerpt is not None and problem.line:
        gutter = f"{problem.line:>5} | "
        shown, caret = excerpt(problem.excerpt, problem.column)
        lines.append(palette.paint("dim", gutter) + shown)
        if caret is not None:
            lines.append(palette.paint("dim", "      | ") + " " * caret + palette.paint("alarm", "^"))
    if problem.hint:
        lines.append(f"      = {_indented(problem.hint, '        ')}")
    return "\n".join(lines)


def excerpt(line: str, column: int) -> tuple[str, int | None]:
    """The line as it can be shown, and the terminal column under which the caret belongs."""
    before, after = line[: column - 1] if column else "", line[column - 1 :] if column else line
    head, tail = _shown(_MASK.text(before)), _shown(_MASK.text(after))
    hidden = _MASK.text(line)
    if hidden != line and head + tail == _shown(line):  # a secret on both sides of the caret
        head, tail, column = "", _shown(hidden), 0
    if cells(head) + cells(tail) > _WIDEST:
        head, tail = _last(head, _WIDEST // 2), _first(tail, _WIDEST // 2)
    return head + tail, cells(head) if column else None


def _shown(text: str) -> str:
    return visible(text.replace("\t", _TAB))


def _first(text: str, width: int) -> str:
    return (
        text
        if cells(text) <= width
        else text[: width // 2] + "…"
        if cells(text[:width]) > width
        else text[:width] + "…"
    )


def _last(text: str, width: int) -> str:
    return (
        text
        if cells(text) <= width
        else "…" + (text[-(width // 2) :] if cells(text[-width:]) > width else text[-width:])
    )


def _indented(text: str, indent: str) -> str:
    """Text of several lines (the output of a program, say), each safe and the later ones indented."""
    return f"\n{indent}".join(visible(line) for line in text.rstrip("\n").split("\n"))
