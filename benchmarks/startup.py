"""Small commands as whole processes, against a bare start of the same Python."""

from __future__ import annotations

import sys

from benchmarks.manifests import jobs, write
from benchmarks.measure import Rounds, Row, Say
from benchmarks.place import Place

AIMS = {("--help", "reconcile"): 0.060, ("plan of 10", "reconcile"): 0.10}


def measure(place: Place, runs: int, say: Say) -> list[Row]:
    """`--help`, `status` and a plan of ten applied jobs."""
    say("startup")
    tree = write(place.fresh("startup") / "tree", jobs(10))
    place.empty_table()
    place.fresh("state")
    place.reconcile("apply", tree, "--yes", "--accept", "missed-run")
    commands = {"--help": ("--help",), "status": ("status", tree), "plan of 10": ("plan", tree)}
    rounds = Rounds()
    for number in range(runs + 1):
        for case, words in commands.items():
            bare, ours = place.run([sys.executable, "-c", "pass"]), place.reconcile(*words)
            if number:  # the first round compiles and caches
                rounds.take(case, "bare Python", bare)
                rounds.take(case, "reconcile", ours)
    place.empty_table()
    return rounds.rows("startup", "bare Python", AIMS)
