"""`python -m benchmarks [NAMES] [--quick] [--peers] [--write]`: measures, prints a table, cleans up."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterable, Sequence
from types import FrameType

from benchmarks import cron, linearity, load, runner, startup, supervisor, watch
from benchmarks.measure import Row
from benchmarks.peers import Contest, contest
from benchmarks.place import HERE, Failed, Place, place
from benchmarks.table import aligned, machine, report, table

NAMES = ("cron", "startup", "watch", "load", "runner", "supervisor", "linearity")


def main() -> int:
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    names = options.names or list(NAMES)
    rows: list[Row] = []
    failures: list[str] = []
    with place() as here:
        notes = [f"crontab: {here.note}"]
        _say(notes[0])
        with contest(
            here, options.peers and not {"cron", "linearity"}.isdisjoint(names), options.peer_limit, _say
        ) as peers:
            for name in NAMES:
                try:
                    for row in _group(name, names, here, peers, quick=options.quick):
                        rows.append(row)  # noqa: PERF402  what was measured before a failure stays
                except Failed as error:
                    failures.append(f"{name}: {error}")
                    _say(f"FAILED {failures[-1]}")
    notes.insert(0, machine())
    notes += [f"not measured: {failure}" for failure in failures]
    costs = linearity.lines([row for row in rows if row.group.startswith("cron ")], (cron.EVICTED, cron.IN_GIT))
    tables = [table(rows), *([aligned(costs)] if costs and "linearity" in names else [])]
    print("\n" + "\n".join([*notes, "", *tables]))
    if options.write:
        (HERE / "RESULTS.md").write_text(report(tables, notes, _command()))
    return 1 if failures else 0


def _group(name: str, names: Sequence[str], here: Place, peers: Contest, *, quick: bool) -> Iterable[Row]:
    """The rows of one group; none where it was not asked for."""
    if name == "cron" and not {"cron", "linearity"}.isdisjoint(names):
        sizes = cron.SIZES[:2] if quick else cron.SIZES
        return cron.measure(here, sizes, lambda count: 3 if quick else 7 if count < 1_000 else 5, peers, _say)
    if name not in names:
        return ()
    if name == "startup":
        return startup.measure(here, 5 if quick else 15, _say)
    if name == "runner":
        return runner.measure(here, 20 if quick else 60, _say)
    if name == "supervisor":
        return supervisor.measure(here, 10.0 if quick else 60.0, 100 if quick else 1_000, _say)
    if name == "watch":
        return watch.measure(here, (10,) if quick else (10, 1_000), 5 if quick else 15, _say)
    if name == "load":
        return load.measure(
            here, (1_000,) if quick else (10_000, 100_000), lambda count: 3 if count < 100_000 else 1, _say
        )
    return ()  # linearity is made of the rows of cron


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
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md too")
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
