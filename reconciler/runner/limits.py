"""What a running job uses: memory of its whole tree by samples, and a share of the processor by pauses.

No rlimits: RLIMIT_AS and RLIMIT_DATA count what a program reserves, which kills Java, Go and sanitizers for nothing.
"""

from __future__ import annotations

import _signal

from reconciler.runner.text import size
from reconciler.runner.tree import Family, below, signal_each

CLOSE, WIDE = 0.1, 5.0  # seconds between samples with a limit; without one at most
PERIOD = 0.1  # seconds over which the share of the processor is kept


class Watch:
    """Looks at one job's tree now and then."""

    def __init__(self, pid: int, born: str, now: float, memory: float | None, cpu: float | None) -> None:
        self.family: Family = {pid: born}  # everybody seen and alive, so that those who move away stay known
        self.peak = 0
        self.due = now + CLOSE
        self.paused = False
        self._memory, self._share = memory, cpu / 100 if cpu else 0.0
        self._limited = bool(memory or cpu)
        self._gap = CLOSE
        self._job, self._seconds = {pid: born}, 0.0
        self._at, self._budget = now, 0.0

    def look(self, now: float) -> str:
        """One sample. The reason to end the job, or an empty text."""
        living = below(self.family)
        self.family = {**self._job, **{one.pid: one.created for one in living}}
        resident = sum(one.resident for one in living)
        self.peak = max(self.peak, resident)
        self._gap = CLOSE if self._limited else min(self._gap * 2, WIDE)
        self.due = now + self._gap
        if self._share:
            total = sum(one.seconds for one in living)
            self._pace(now, max(0.0, total - self._seconds))
            self._seconds = total
        if self._memory and resident > self._memory:
            return f"used {size(resident)} of memory, more than limits.memory {size(self._memory)}"
        return ""

    def _pace(self, now: float, used: float) -> None:
        """A bucket that fills with the share allowed; empty means a pause until the debt is paid."""
        most = self._share * PERIOD
        self._budget = min(self._budget + (now - self._at) * self._share - used, most)
        self._at = now
        if self._budget < 0:
            if not self.paused:
                signal_each(self.family, _signal.SIGSTOP)
                self.paused = True
            self.due = now + min(max(-self._budget / self._share, 0.01), WIDE)
        elif self.paused:
            self.go_on()

    def go_on(self) -> None:
        if self.paused:
            signal_each(self.family, _signal.SIGCONT)
            self.paused = False
