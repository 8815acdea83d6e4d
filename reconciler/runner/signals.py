"""Signals as bytes in a pipe that a poll can wait for. The only place that sets handlers.

A signal that our caller ignores (nohup) stays ignored, for the job as well.
"""

from __future__ import annotations

import _signal
import os
import select

STOPS = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP)


class Signals:
    """What was asked of us since the start."""

    def __init__(self) -> None:
        self.stop = 0  # the number of the first signal that asks for an end
        self.descriptor, writing = os.pipe()
        for end in (self.descriptor, writing):
            os.set_blocking(end, False)
        _signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in STOPS:
            if _signal.getsignal(number) != _signal.SIG_IGN:
                _signal.signal(number, self._note)
        _signal.signal(_signal.SIGCHLD, lambda _number, _frame: None)

    def _note(self, number: int, _frame: object) -> None:
        self.stop = self.stop or number

    def drain(self) -> None:
        """Forget the bytes; what they meant is in `stop`, or found by asking for ended children."""
        try:
            while os.read(self.descriptor, 4096):
                pass
        except BlockingIOError:
            return

    def wait(self, seconds: float) -> None:
        """Sleep, but not over a signal."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.poll(max(0, seconds) * 1000)
        self.drain()


def name(number: int) -> str:
    """`SIGTERM` for 15."""
    found = [
        word for word in dir(_signal)
        if word.startswith("SIG") and "_" not in word and getattr(_signal, word) == number
    ]  # fmt: skip
    return found[0] if found else f"signal {number}"
