"""Passes as `reconcile watch` makes them, in one process that is warm. Usage: inside.py TREE RUNS

Prints JSON: seconds of each pass that finds nothing to do, seconds of its look at the host, and what it asked.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reconciler.app import wire
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Completed, Response
from reconciler.model.errors import ExitCode
from reconciler.provider import Wanted
from reconciler.settings import folders


class Counting(LocalHost):
    """This machine, with every request and every program noted."""

    def __init__(self) -> None:
        places = folders(os.environ, root=True)
        super().__init__(
            runner=str(places.launcher.absolute()), state="" if places.usual else str(places.state.absolute())
        )
        self.asked: list[str] = []

    def request(self, socket: Path, method: str, target: str, **more: Any) -> Response:
        self.asked.append(f"{method} {target.partition('?')[0]}")
        return super().request(socket, method, target, **more)

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        words = [word for word in argv if not word.startswith(("-", "/"))]
        self.asked.append(" ".join(words[:2] if argv[0] == "systemctl" else words[:1]))
        return super().execute(argv, timeout=timeout, stdin=stdin)


def main(tree: Path, runs: int) -> None:
    host = Counting()
    app = wire(tree, os.environ, root=True, host=host)
    passes, looks = [], []
    for _ in range(runs + 2):
        desired = app.load()
        host.asked.clear()
        started = time.perf_counter()
        with app.writing("watch") as journal:
            planned = app.plan(app.request(accept=frozenset({"missed-run"})), desired=desired, journal=journal)
            outcome = app.carry_out(planned, journal, "apply")
        passes.append(time.perf_counter() - started)
        if outcome.rollout or outcome.code is not ExitCode.DONE:
            sys.exit(f"the pass found something to do: {outcome.code}")
        asked = sorted(host.asked)
        owned = planned.snapshot.inventory
        wanted = [Wanted(item.id, item.state, item.state) for item in owned]
        provider = app.registry.providers[owned[0].provider]
        started = time.perf_counter()
        provider.observe(host, wanted)
        looks.append(time.perf_counter() - started)
    print(json.dumps({"passes": passes[2:], "looks": looks[2:], "asked": asked}))


main(Path(sys.argv[1]), int(sys.argv[2]))
