"""Which steps of a walk may start, given which are done. Pure bookkeeping: nothing is started here."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.plan import ApplyStep, Step

_EARLIER = 0  # stands for every step that removals wait for; steps are numbered from 1


class Order:
    """`ready` holds the steps that nothing stands in front of, by number; `left` counts those that are not done.

    The cost of a whole walk is the number of steps and of their needs, however many times it is asked.
    """

    def __init__(self, steps: Sequence[Step], finished: frozenset[int]) -> None:
        pending = sorted((step for step in steps if step.number not in finished), key=lambda step: step.number)
        removals = [s.number for s in steps if isinstance(s, ApplyStep) and s.after_all]
        first_removal = min(removals, default=0)
        self._earlier = {step.number for step in pending if step.number < first_removal}
        self._front: dict[int, int] = {}  # how many stand in front of one
        self._behind: dict[int, list[Step]] = {}
        self.ready: dict[int, Step] = {}
        self.left = len(pending)
        for step in pending:
            needs = {need for need in step.needs if need not in finished}
            if self._earlier and isinstance(step, ApplyStep) and step.after_all:
                needs.add(_EARLIER)
            for need in needs:
                self._behind.setdefault(need, []).append(step)
            self._front[step.number] = len(needs)
            if not needs:
                self.ready[step.number] = step

    def take(self, steps: Sequence[Step]) -> None:
        """These are being started."""
        for step in steps:
            del self.ready[step.number]

    def done(self, number: int) -> None:
        """This one is done: what waited only for it is ready."""
        self.left -= 1
        self._release(number)
        if number in self._earlier:
            self._earlier.discard(number)
            if not self._earlier:
                self._release(_EARLIER)

    def _release(self, number: int) -> None:
        for step in self._behind.pop(number, ()):
            self._front[step.number] -= 1
            if self._front[step.number] == 0:
                self.ready[step.number] = step
