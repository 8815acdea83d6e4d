"""The table of results, for the terminal and for results/. Facts of the machine, without names or paths."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

from benchmarks.measure import MEBI, Row

HEADS = ("what", "case", "who", "median", "min", "max", "x floor", "peak MiB", "aim", "note")


def machine() -> str:
    """One line on what was measured on."""
    build = f"{platform.python_implementation()} {platform.python_version()}"
    kernel = f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}"
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores, {kernel}, {build}{load}"


def duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _cells(row: Row) -> tuple[str, ...]:
    sample = row.sample
    if sample is None or not sample.seconds:
        return row.group, row.case, row.who, "-", "", "", "", "", "", row.note
    ratio = f"{sample.middle / row.floor.middle:.1f}" if row.floor and row.floor.seconds else ""
    return (
        row.group,
        row.case,
        row.who,
        duration(sample.middle),
        duration(min(sample.seconds)),
        duration(max(sample.seconds)),
        ratio,
        f"{sample.peak / MEBI:.0f}" if sample.peak else "",
        duration(row.aim) if row.aim else "",
        row.note,
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as a table."""
    return aligned([HEADS, *(_cells(row) for row in rows)]) if rows else "nothing was measured\n"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Markdown that also reads well as text. The first line is the heads; empty columns are left out."""
    kept = [column for column in range(len(lines[0])) if any(line[column] for line in lines[1:])]
    widths = {column: max(len(line[column]) for line in lines) for column in kept}
    texts = ["| " + " | ".join(line[column].ljust(widths[column]) for column in kept) + " |" for line in lines]
    rule = "|" + "|".join("-" * (widths[column] + 2) for column in kept) + "|"
    return "\n".join([texts[0], rule, *texts[1:]]) + "\n"


def report(name: str, tables: Sequence[str], notes: Sequence[str], command: str) -> str:
    """The whole of results/NAME.md."""
    rest = "\n".join(tables)
    told = "\n".join(f"- {note}" for note in notes)
    return f"""\
# Results: {name}

What `{command}` printed. Ratios are what to read: they compare runs of the same minutes on the same machine.
What each row means stands in [README.md](../README.md). The aims are those of the project for a quiet machine of
two cores; nothing fails by them.

{told}

{rest}"""
