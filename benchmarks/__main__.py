"""`python -m benchmarks [NAMES] [--quick] [--peers] [--write]`: measures, prints a table, cleans up."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from types import FrameType

from benchmarks import containers, cron, linearity, load, records, runner, startup, supervisor, timers, watch
from benchmarks.measure import Row
from benchmarks.peers import Contest, contest
from benchmarks.place import HERE, Failed, Place, place
from benchmarks.table import aligned, machine, report, table

RESULTS = HERE / "results"
NAMES = ("cron", "startup", "watch", "load", "runner", "supervisor", "records", "containers", "timers", "linearity")


def main() -> int:
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    names = options.names or list(NAMES)
    measured: dict[str, list[Row]] = {}
    failures: dict[str, str] = {}
    with place() as here:
        crontab = f"crontab: {here.note}"
        _say(crontab)
        with contest(
            here, options.peers and not {"cron", "linearity"}.isdisjoint(names), options.peer_limit, _say
        ) as peers:
            for name in NAMES:
                try:
                    for row in _group(name, names, here, peers, quick=options.quick):
                        measured.setdefault(name, []).append(row)  # what was measured before a failure stays
                except Failed as error:
                    failures[name] = f"not measured to the end: {error}"
                    _say(f"FAILED {name}: {error}")
    costs = linearity.lines(measured.get("cron", []), (cron.EVICTED, cron.IN_GIT))
    notes = [machine(), crontab]
    print("\n" + "\n".join([*notes, *(f"{name}: {why}" for name, why in failures.items())]))
    for name in NAMES:
        rows = measured.get(name, [])
        tables = [table(rows)] if rows else []
        tables += [aligned(costs)] if name == "linearity" and name in names and costs else []
        if tables:
            print("\n" + "\n".join(tables), end="")
        if tables and options.write:
            said = [*notes, failures[name]] if name in failures else notes
            (RESULTS / f"{name}.md").write_text(report(name, tables, said, _command()))
    return 1 if failures else 0


def _group(name: str, names: Sequence[str], here: Place, peers: Contest, *, quick: bool) -> Iterable[Row]:
    """The rows of one group; none where it was not asked for."""
    if name == "cron" and not {"cron", "linearity"}.isdisjoint(names):
        sizes = cron.SIZES[:2] if quick else cron.SIZES
        return cron.measure(here, sizes, lambda count: 3 if quick else 7 if count < 1_000 else 5, peers, _say)
    groups: dict[str, Callable[[], Iterable[Row]]] = {
        "startup": lambda: startup.measure(here, 5 if quick else 15, _say),
        "runner": lambda: runner.measure(here, 20 if quick else 60, _say),
        "records": lambda: records.measure(here, 10_000, 10_000 if quick else 100_000, 3 if quick else 7, _say),
        "supervisor": lambda: supervisor.measure(here, 10.0 if quick else 60.0, 100 if quick else 1_000, _say),
        "watch": lambda: watch.measure(here, (10,) if quick else (10, 1_000), 5 if quick else 15, _say),
        "load": lambda: load.measure(
            here, (1_000,) if quick else (10_000, 100_000), lambda count: 3 if count < 100_000 else 1, _say
        ),
        "containers": lambda: containers.measure(
            here, containers.SIZES[:2] if quick else containers.SIZES, 3 if quick else 5, _say
        ),
        "timers": lambda: timers.measure(here, timers.SIZES[:2] if quick else timers.SIZES, 3 if quick else 5, _say),
    }
    return groups[name]() if name in names and name in groups else ()  # linearity is made of the rows of cron


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*NAMES, []], metavar="NAMES", help=f"which of {', '.join(NAMES)}"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes and few runs, about a minute")
    parser.add_argument(
        "--peers", action="store_true", help="install Ansible, pyinfra, Salt and Puppet, and run them too"
    )
    parser.add_argument(
        "--peer-limit", type=float, default=120.0, metavar="SECONDS",
        help="leave a peer out where one run would take longer (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/NAME.md too")
    return parser.parse_args()


def _end(number: int, _frame: FrameType | None) -> None:
    """Leaves through every `finally`, so that the account and the crontab go."""
    raise SystemExit(128 + number)


def _command() -> str:
    return " ".join(["python -m benchmarks", *sys.argv[1:]])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
