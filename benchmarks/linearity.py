"""What one job costs at each size, and what one more costs: linear is where the second stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from benchmarks.measure import Row

Line = tuple[str, ...]


def lines(measured: Sequence[Row], left_out: Sequence[str]) -> list[Line]:
    """A table with its heads, in microseconds, from the rows of `cron`; empty without them."""
    series: dict[tuple[str, str], dict[int, float]] = {}
    for row in measured:
        if row.sample and row.floor and row.who not in left_out:
            size = int(row.group.removeprefix("cron "))
            series.setdefault((row.case, row.who), {})[size] = row.sample.middle
    sizes = sorted({size for points in series.values() for size in points})
    if not sizes:
        return []
    steps = list(pairwise(sizes))
    heads = ("us per job", "who", *map(str, sizes), *(f"one more, {low} to {high}" for low, high in steps))
    return [heads, *((*who, *_cells(points, sizes, steps)) for who, points in series.items())]


def _cells(points: dict[int, float], sizes: Sequence[int], steps: Sequence[tuple[int, int]]) -> Line:
    each = [f"{points[size] / size * 1e6:.0f}" if size in points else "" for size in sizes]
    more = [
        f"{(points[high] - points[low]) / (high - low) * 1e6:.0f}" if low in points and high in points else ""
        for low, high in steps
    ]
    return (*each, *more)
