"""Large trees: validated, and planned against a snapshot that holds every resource already. No host is read.

One crontab ends at 10,000 lines, so the resources are spread over the crontabs of as many users as they need.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks.manifests import PER_USER, jobs, write
from benchmarks.measure import Rounds, Row, Say
from benchmarks.place import HERE, Place

AIMS = {
    (10_000, "validate", "reconcile, cold"): 1.5,
    (10_000, "validate", "reconcile, cached"): 0.3,
}


def measure(place: Place, sizes: Sequence[int], runs: Callable[[int], int], say: Say) -> Iterator[Row]:
    """Cold: without the cache folder. Cached: right after an unmeasured run."""
    for count in sizes:
        say(f"load: {count} manifests over {-(-count // PER_USER)} users")
        folder = place.fresh(f"load-{count}")
        tree, snapshot = write(folder / "tree", jobs(count, spread=True)), folder / "snapshot.json"
        place.give(folder)
        place.fresh("cache")
        place.run([sys.executable, HERE / "synthesise.py", tree, snapshot])
        rounds = Rounds()
        for _ in range(runs(count)):
            for case, words in (
                ("validate", ("validate", tree)),
                ("plan --against", ("plan", tree, "--against", snapshot, "--detailed-exitcode")),
            ):
                rounds.take(case, "floor", place.run([sys.executable, "-I", HERE / "floor_read.py", tree]))
                place.fresh("cache")
                rounds.take(case, "reconcile, cold", place.reconcile(*words))
                rounds.take(case, "reconcile, cached", place.reconcile(*words))
        aims = {(case, who): aim for (size, case, who), aim in AIMS.items() if size == count}
        yield from rounds.rows(f"load {count}", "floor", aims)
        shutil.rmtree(folder)
