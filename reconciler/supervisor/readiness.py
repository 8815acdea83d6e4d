"""Whether a service that was started can be used: its probes, asked one after the other until all say yes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping

from reconciler.runner.text import why
from reconciler.supervisor.definitions import Service
from reconciler.supervisor.probe import ask, limit_of
from reconciler.supervisor.server import Loop

SOON, LONGEST = 0.1, 5.0  # seconds between two rounds


class Readiness:
    """`answered` is told "" once, and before that what is still wrong."""

    def __init__(
        self, service: Service, environment: Mapping[str, str], loop: Loop, answered: Callable[[str], None]
    ) -> None:
        self._probes = [
            (type_, {**options, "directory": options.get("directory") or service.program.folder})
            for type_, options in service.ready
        ]
        self._environment = {**environment, **service.program.environment}
        self._loop, self._answered = loop, answered
        self._number, self._pause = 0, SOON
        self._pid, self._reading = 0, -1
        self._over = False

    def ask(self) -> None:
        if self._over:
            return
        type_, options = self._probes[self._number]
        try:
            self._pid, self._reading = ask(type_, options, self._environment)
        except OSError as error:
            self._judge(f"it cannot be asked: {why(error)}")
            return
        self._loop.watch(self._reading, self._heard)
        asked = self._pid
        self._loop.after(limit_of(type_, options) + 1.0, lambda: self._late(asked))

    def _late(self, asked: int) -> None:
        if not self._over and self._pid == asked:
            self._hang_up()
            self._judge("no answer in time")

    def _heard(self) -> None:
        said = os.read(self._reading, 1024).decode("utf-8", "replace")
        self._hang_up()
        self._judge(said.strip() if said else "no answer")

    def _judge(self, trouble: str) -> None:
        if not trouble and self._number + 1 < len(self._probes):
            self._number += 1
            self.ask()
            return
        if trouble:
            self._number = 0
            self._loop.after(self._pause, self.ask)
            self._pause = min(self._pause * 1.5, LONGEST)
        else:
            self._over = True
        self._answered(trouble)

    def _hang_up(self) -> None:
        """The asking process is ours to reap, like all others."""
        if self._pid:
            self._loop.unwatch(self._reading)
            os.close(self._reading)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, 9)
            self._pid = 0

    def cancel(self) -> None:
        self._over = True
        self._hang_up()
