"""Showing a rollout while it runs: a few lines that are redrawn in a terminal, one plain line per event elsewhere.

Whatever happens to the terminal, the rollout goes on. The cursor is never hidden and nothing has to be put back.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TextIO

from reconciler.model.event import Event, EventType, Listener

TICK = 1.0  # seconds between two redraws while nothing happens


def progress(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Listener:
    """A listener that shows events on this stream: live where a terminal can, else in plain lines."""
    return Live(stream).listen if is_live(stream, environ) else plain(stream)


def is_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether lines may be redrawn here. What asks for no colour, or runs in CI, wants no cursor movement either."""
    if environ.get("NO_COLOR") or environ.get("CI"):
        return False
    return stream.isatty() and environ.get("TERM", "dumb") != "dumb"


def plain(stream: TextIO, now: Callable[[], float] = time.monotonic) -> Listener:
    """One line per event, with the time since the rollout began."""
    began = now()

    def listen(event: Event) -> None:
        from reconciler.cli.render.progress import line

        nonlocal began
        if event.type is EventType.ROLLOUT_STARTED:
            began = now()
        text = line(event, now() - began)
        if text is not None:
            with suppress(OSError, ValueError):  # nobody reads any more
                stream.write(text + "\n")
                stream.flush()

    return listen


class Live:
    """Lines that stay, and below them a block that says what is under way; it is gone when nothing is."""

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        from reconciler.cli.render.progress import UnderWay

        self._stream = stream
        self._now = now
        self._state = UnderWay(now())
        self._drawn: list[str] = []
        self._lock = threading.Lock()
        self._ticker: threading.Thread | None = None

    def listen(self, event: Event) -> None:
        from reconciler.cli.render.progress import line

        with self._lock:
            now = self._now()
            if event.type is EventType.ROLLOUT_STARTED:
                self._state.began = now
            self._state.hear(event, now)
            self._draw(line(event, now - self._state.began, live=True))
            if self._state.items and self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()

    def _tick(self) -> None:
        while True:
            time.sleep(TICK)
            with self._lock:
                if not self._state.items:
                    self._ticker = None
                    return
                self._draw(None)

    def _draw(self, stays: str | None) -> None:
        """Replace the block, with a line that stays above it. One write, so that no half of it is ever seen."""
        from reconciler.cli.render.progress import rows

        width, height = self._size()
        back = f"\x1b[{rows(self._drawn, width)}A\r\x1b[J" if self._drawn else ""
        self._drawn = self._state.lines(self._now(), width, height - 1)
        lines = [*([] if stays is None else [stays]), *self._drawn]
        with suppress(OSError, ValueError):  # the terminal has gone
            self._stream.write(back + "".join(f"{text}\n" for text in lines))
            self._stream.flush()

    def _size(self) -> tuple[int, int]:
        try:
            found = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        return found.columns or 80, found.lines or 24
