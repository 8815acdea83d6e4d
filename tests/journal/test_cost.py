"""What a rollout costs in the journal. The limits are wide for slow machines; the measured figures are printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.model.rollout import RolloutStatus
from tests.journal.story import begin, creating


def cost(folder: Path, count: int) -> tuple[float, float]:
    """Seconds that a rollout of `count` steps spends in the journal, and those of opening it and reading all."""
    steps = [creating(number, f"n{number}") for number in range(1, count + 1)]
    numbers, owned = [step.number for step in steps], [step.owned for step in steps if step.owned]
    with Journal.open(folder, clock=FakeClock()) as journal:
        start = perf_counter()
        rollout = begin(journal, *steps)
        journal.steps_started(rollout, numbers)
        journal.steps_done(rollout, numbers, owned, [])
        journal.finish(rollout, RolloutStatus.STABLE, "")
        writing = perf_counter() - start
    start = perf_counter()
    with Journal.open(folder, clock=FakeClock(), read_only=True) as journal:
        assert len(journal.inventory()) == count
    return writing, perf_counter() - start


def best(tmp_path: Path, count: int) -> tuple[float, float]:
    runs = [cost(tmp_path / f"{count}-{run}", count) for run in range(3)]
    return min(one for one, _ in runs), min(two for _, two in runs)


def test_a_thousand_steps_cost_little_and_three_thousand_three_times_that(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    writing, reading = best(tmp_path, 1000)
    more_writing, more_reading = best(tmp_path, 3000)
    record_property(
        "summary",
        f"journal: 1,000 steps begun to stable in {writing * 1e3:.0f} ms, listed in {reading * 1e3:.1f} ms;"
        f" 3,000 in {more_writing * 1e3:.0f} and {more_reading * 1e3:.1f} ms",
    )
    assert more_writing < 8 * writing
    assert more_reading < 8 * reading


def test_a_batch_is_one_transaction(folder: Path) -> None:
    """Statements that begin a transaction, so waits for the disk, do not grow with the number of steps."""
    begun: list[str] = []
    with Journal.open(folder, clock=FakeClock()) as journal:
        journal._read(lambda connection: connection.set_trace_callback(begun.append))
        steps = [creating(number, f"n{number}") for number in range(1, 301)]
        rollout = begin(journal, *steps)
        numbers = [step.number for step in steps]
        journal.steps_started(rollout, numbers)
        journal.steps_done(rollout, numbers, [step.owned for step in steps if step.owned], [])
        journal.finish(rollout, RolloutStatus.STABLE, "")
    assert sum(one.startswith("BEGIN") for one in begun) == 4
    assert sum(one.startswith("COMMIT") for one in begun) == 4
