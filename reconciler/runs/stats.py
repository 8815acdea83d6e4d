"""What many runs of one automation say: how often it succeeds, how long it takes, where that is going. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import combinations, pairwise
from math import ceil

from reconciler.model.frozen import dataclass
from reconciler.model.run import UNFINISHED, Run, Verdict

_FEW = 6  # runs below which nothing is said about a trend
_MOST = 200  # newest runs that a trend is made of: every pair of them is compared
_RISING = 0.5  # growth over all of them, as a share of the median
_FLAKY = 0.2  # share of neighbouring runs of which one succeeded and the other did not


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures about the ended runs of one automation. Durations in seconds; None where nothing was measured."""

    runs: int
    succeeded: int
    failed: int
    skipped: int  # or ended for a newer run
    p50: float | None
    p95: float | None
    longest: float | None
    trend: float | None  # growth of the duration from the first run to the last, as a share of the median
    flakiness: float | None  # share of changes between success and failure, from one run to the next
    last: Run | None
    last_success: datetime | None

    @property
    def rate(self) -> float | None:
        """Share of successes among the runs that were not skipped."""
        counted = self.succeeded + self.failed
        return self.succeeded / counted if counted else None

    @property
    def rising(self) -> bool:
        return self.trend is not None and self.trend >= _RISING

    @property
    def flaky(self) -> bool:
        return self.flakiness is not None and self.flakiness >= _FLAKY


def stats(runs: Sequence[Run]) -> Stats:
    """Figures about these runs, of one automation, in any order. Runs that are not done do not count."""
    ended = sorted((run for run in runs if run.verdict not in UNFINISHED), key=lambda run: run.started)
    real = [run for run in ended if run.verdict is not Verdict.SKIPPED and not run.replaced]
    good = [run for run in real if run.good]
    durations = [run.duration for run in good if run.duration is not None]
    return Stats(
        runs=len(ended),
        succeeded=len(good),
        failed=len(real) - len(good),
        skipped=len(ended) - len(real),
        p50=quantile(durations, 0.5),
        p95=quantile(durations, 0.95),
        longest=max(durations, default=None),
        trend=_trend(durations),
        flakiness=_flakiness(real),
        last=ended[-1] if ended else None,
        last_success=good[-1].started if good else None,
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * share) - 1)]


def _trend(durations: Sequence[float]) -> float | None:
    """The median of the slopes between all pairs (Theil and Sen): single slow runs do not move it."""
    if len(durations) < _FEW:
        return None
    newest = durations[-_MOST:]
    slopes = [(b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(newest), 2)]
    slope, typical = quantile(slopes, 0.5), quantile(newest, 0.5)
    return slope * (len(newest) - 1) / typical if slope is not None and typical else None


def _flakiness(runs: Sequence[Run]) -> float | None:
    if len(runs) < _FEW:
        return None
    changes = sum(one.good != other.good for one, other in pairwise(runs))
    return changes / (len(runs) - 1)
