"""Other tools on the same jobs: installed into the throw-away folder, measured while that is bearable.

Runs as the caller, on the crontab of the throw-away account, since some of these tools insist on root for that.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.manifests import Job, changed
from benchmarks.measure import Rounds, Say
from benchmarks.place import Failed, Place

RUNS = 3
ENOUGH = 60.0  # seconds of one tool at one size after which it is not run again


class Unavailable(Exception):
    """A tool cannot be had here, with the reason."""


class Peer(Protocol):
    """One tool."""

    name: str
    pending: bytes  # stands in its plan once for each job that would change

    def install(self, place: Place) -> None:
        """Make it runnable. Raises Unavailable."""

    def remove(self) -> None:
        """Take away what `install` put outside of the place."""

    def describe(self, folder: Path, jobs: Sequence[Job], user: str) -> None:
        """Write what the tool reads into an empty folder."""

    def command(self, folder: Path, *, plan: bool) -> list[str | Path]:
        """The command line for a plan or an apply."""


@dataclass(slots=True)
class Contest:
    """The tools that could be installed, and why the others could not."""

    peers: list[Peer] = field(default_factory=list)
    absent: list[tuple[str, str]] = field(default_factory=list)
    limit: float = 120.0  # seconds that one run may be expected to take
    _known: dict[str, dict[int, float]] = field(default_factory=dict)  # seconds of an apply, by tool and size

    def run(self, place: Place, jobs: Sequence[Job], rounds: Rounds, say: Say) -> list[tuple[str, str]]:
        """Measure each tool; returns who was left out, and why."""
        refusals = list(self.absent)
        for peer in self.peers:
            known = self._known.setdefault(peer.name, {})
            expected = _expected(known, len(jobs))
            if expected > self.limit:
                refusals.append((peer.name, f"left out: an apply would take about {expected:.0f} s"))
                continue
            say(f"  {peer.name}")
            try:
                known[len(jobs)] = self._one(peer, place, jobs, rounds)
            except Failed as error:
                refusals.append((peer.name, f"left out: {error}".replace("\n", " ")[:200]))
        return refusals

    def _one(self, peer: Peer, place: Place, jobs: Sequence[Job], rounds: Rounds) -> float:
        """Apply from empty, a plan with nothing to do, a plan with 1 % changed. Returns the seconds of the apply."""
        base, other = place.fresh("peer") / "base", place.root / "peer" / "other"
        user = place.user or place.env["USER"]
        editions = {job.number: job for job in changed(jobs, 1)}
        for folder, wanted in ((base, jobs), (other, [editions.get(job.number, job) for job in jobs])):
            folder.mkdir()
            peer.describe(folder, wanted, user)
        spent = 0.0
        seconds = 0.0
        for number in range(RUNS):
            place.empty_table()
            applied = place.run(peer.command(base, plan=False), as_self=True)
            if place.table().count(b"/bin/true --queue") != len(jobs):
                raise Failed(f"{peer.name} did not install every job: {applied.out[-300:]!r}")
            same = place.run(peer.command(base, plan=True), as_self=True)
            few = place.run(peer.command(other, plan=True), as_self=True)
            for run, count in ((same, 0), (few, len(editions))):
                if (run.out + run.err).count(peer.pending) != count:
                    raise Failed(f"{peer.name} does not plan {count} changes: {run.out[-300:]!r}")
            for case, run in (("apply from empty", applied), ("no-op plan", same), ("plan, 1 % changed", few)):
                rounds.take(case, peer.name, run)
                rounds.others.add(peer.name)
                spent += run.seconds
            seconds = applied.seconds
            if spent * (number + 2) / (number + 1) > ENOUGH:
                break
        return seconds


def _expected(known: Mapping[int, float], size: int) -> float:
    """Seconds, from the growth between the two sizes before; at least in proportion, as some grow faster."""
    if not known:
        return 0.0
    *before, (last, seconds) = sorted(known.items())
    power = 1.0
    if before:
        power = max(power, math.log(seconds / before[-1][1]) / math.log(last / before[-1][0]))
    return float(seconds * (size / last) ** power)


@contextlib.contextmanager
def contest(place: Place, wanted: bool, limit: float, say: Say) -> Iterator[Contest]:
    """The tools, installed; taken away again afterwards."""
    from benchmarks.peers.python import Ansible, Pyinfra, Salt
    from benchmarks.peers.ruby import Puppet

    field = Contest(limit=limit)
    peers: list[Peer] = [Ansible(), Pyinfra(), Salt(), Puppet()] if wanted else []
    try:
        for peer in peers:
            say(f"installing {peer.name}")
            try:
                peer.install(place)
                field.peers.append(peer)
            except Unavailable as error:
                field.absent.append((peer.name, f"cannot be installed: {error}".replace("\n", " ")[:200]))
        yield field
    finally:
        for peer in peers:
            peer.remove()
