"""How one piece of work is run: at once, in the caller's thread, or beside others in a thread of its own.

At once is for hosts in memory: one order of calls, one fake clock. A thread never keeps the process alive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeAlias

Start: TypeAlias = Callable[[Callable[[], None], Callable[[BaseException], None]], None]
"""Work, and who is told what it raised, where it does not run in the caller's thread."""


def at_once(work: Callable[[], None], _crashed: Callable[[BaseException], None]) -> None:
    """Runs the work now; what it raises goes to the caller."""
    work()


def in_thread(work: Callable[[], None], crashed: Callable[[BaseException], None]) -> None:
    """Returns while the work runs."""

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed over, and raised again in the caller's thread
            crashed(error)

    threading.Thread(target=run, daemon=True).start()
