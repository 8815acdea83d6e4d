"""The table at the end of a run: what the conformance suite did, provider by level, made from what really ran.

Each of its tests carries row, level and what was thinned as a property, which comes back from every worker.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pytest

from reconciler.testing.conformance import ProviderConformance
from reconciler.testing.levels import LEVELS, level_of

PROPERTY = "conformance"
REAL_LAUNCHD = "launchd (a real Mac)"
WORDS = {"passed": "{}", "skipped": "{} skipped", "failed": "{} FAILED"}


def note(item: pytest.Item) -> None:
    """Put the place in the table on a test, where it is one of the suite's."""
    suite = getattr(item, "cls", None)
    level = level_of(getattr(item, "originalname", ""))
    if level is None or suite is None or not issubclass(suite, ProviderConformance):
        return
    thinned: Mapping[str, str] = getattr(suite, "thinned", {})
    item.user_properties.append((PROPERTY, [row_of(suite), level, thinned.get(level, "")]))


def row_of(suite: type[ProviderConformance]) -> str:
    row = getattr(suite, "row", None)
    return str(row) if row else f"{suite.harness.provider().name} (in memory)"


def table(reports: Mapping[str, Iterable[pytest.TestReport]]) -> list[str]:
    """`reports` by outcome. Nothing where the suite did not run."""
    cells: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    reasons: Counter[tuple[str, str, str]] = Counter()
    thinned: set[tuple[str, str, str]] = set()
    for outcome, report, (row, level, thin) in _places(reports):
        cells[row, level][outcome] += 1
        if outcome == "skipped":
            reasons[row, level, _reason(report)] += 1
        elif thin:
            thinned.add((row, level, thin))
    if not cells:
        return []
    rows = sorted({row for row, _ in cells})
    lines = _aligned([["", *LEVELS], *([row, *(_cell(cells[row, level]) for level in LEVELS)] for row in rows)])
    lines += [f"thinned: {row}, {level}: {why}" for row, level, why in sorted(thinned)]
    lines += [f"skipped: {row}, {level}: {count} x {why}" for (row, level, why), count in sorted(reasons.items())]
    if any(row.startswith("launchd") for row in rows):
        ran = any(cells[REAL_LAUNCHD, level]["passed"] for level in LEVELS)
        lines.append("launchd ran on a real Mac" if ran else "launchd ran against a stand-in only, not on a Mac")
    return lines


def _places(
    reports: Mapping[str, Iterable[pytest.TestReport]],
) -> Iterator[tuple[str, pytest.TestReport, tuple[str, str, str]]]:
    for outcome, found in reports.items():
        for report in found:
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY:
                    yield ("failed" if outcome == "error" else outcome), report, tuple(value)


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def _cell(counts: Counter[str]) -> str:
    said = [word.format(counts[outcome]) for outcome, word in WORDS.items() if counts[outcome]]
    return ", ".join(said) or "-"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
