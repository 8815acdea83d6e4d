"""Sums of many masks of minutes as bit planes: adding one costs a few operations on long integers. Pure."""

from __future__ import annotations

from collections.abc import Sequence


class Tally:
    """Sums of masks, minute by minute: plane k holds bit k of every sum."""

    def __init__(self, planes: Sequence[int] = ()) -> None:
        self.planes = list(planes)

    def add(self, mask: int, weight: int = 1) -> None:
        level = 0
        while weight and mask:
            if weight & 1:
                self._carry(mask, level)
            weight >>= 1
            level += 1

    def _carry(self, carry: int, level: int) -> None:
        while carry:
            while len(self.planes) <= level:
                self.planes.append(0)
            plane = self.planes[level]
            self.planes[level], carry = plane ^ carry, plane & carry
            level += 1

    def at(self, bit: int) -> int:
        """The sum at one minute."""
        return sum((plane >> bit & 1) << level for level, plane in enumerate(self.planes))

    def total(self, first: int, count: int) -> int:
        """The sum over minutes."""
        cut = (1 << count) - 1
        return sum((plane >> first & cut).bit_count() << level for level, plane in enumerate(self.planes))

    def highest(self, within: int) -> tuple[int, int]:
        """The largest sum among the minutes of `within`, and the minutes that have it."""
        found, value = within, 0
        for level in reversed(range(len(self.planes))):
            if kept := found & self.planes[level]:
                found, value = kept, value | 1 << level
        return value, found

    def at_least(self, number: int) -> int:
        """The minutes whose sum is that number or more."""
        more, same = 0, -1
        for level in reversed(range(max(len(self.planes), number.bit_length()))):
            plane = self.planes[level] if level < len(self.planes) else 0
            if number >> level & 1:
                same &= plane
            else:
                more |= same & plane
                same &= ~plane
        return more | same

    def above(self, other: Tally) -> int:
        """The minutes whose sum is larger here than there."""
        more, same = 0, -1
        for level in reversed(range(max(len(self.planes), len(other.planes)))):
            here = self.planes[level] if level < len(self.planes) else 0
            there = other.planes[level] if level < len(other.planes) else 0
            more |= same & here & ~there
            same &= ~(here ^ there)
        return more
