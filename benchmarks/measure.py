"""Samples and rows: repeated runs reduced to minimum, median and maximum, and set against a floor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

MEBI = 1024 * 1024
OURS = "reconcile, warm"


class Measured(Protocol):
    """What one run says of itself."""

    @property
    def seconds(self) -> float: ...
    @property
    def peak(self) -> int: ...


@dataclass(slots=True)
class Sample:
    """Runs of one case."""

    seconds: list[float] = field(default_factory=list)
    peak: int = 0

    def add(self, run: Measured) -> None:
        self.seconds.append(run.seconds)
        self.peak = max(self.peak, run.peak)

    @property
    def middle(self) -> float:
        return median(self.seconds)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `aim` is the project's hope for a quiet machine: to read, never to fail on."""

    group: str
    case: str
    who: str
    sample: Sample | None = None
    floor: Sample | None = None
    aim: float | None = None
    note: str = ""


@dataclass(slots=True)
class Rounds:
    """Cases measured in turns, so that a busy minute of the machine falls on all of them alike."""

    samples: defaultdict[tuple[str, str], Sample] = field(default_factory=lambda: defaultdict(Sample))
    others: set[str] = field(default_factory=set)  # names of other tools among them

    def take(self, case: str, who: str, run: Measured) -> None:
        self.samples[case, who].add(run)

    def rows(self, group: str, floor: str, aims: dict[tuple[str, str], float] | None = None) -> list[Row]:
        """One row per case and competitor, each against the floor of the same case."""
        aims = aims or {}
        return [
            Row(
                group,
                case,
                who,
                sample,
                self.samples.get((case, floor)),
                aims.get((case, who)),
                self._note(case, who),
            )
            for (case, who), sample in self.samples.items()
        ]

    def _note(self, case: str, who: str) -> str:
        """How many times as long as ours another tool took."""
        ours = self.samples.get((case, OURS))
        if ours is None or who not in self.others:
            return ""
        return f"{self.samples[case, who].middle / ours.middle:.1f} x {OURS}"


Say = Callable[[str], None]
