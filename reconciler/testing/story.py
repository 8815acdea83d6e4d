"""Stories of one host, invented by Hypothesis: people edit, tamper and roll back, processes die, writes fail.

Subclass `RolloutStory`, set `harness`, and let pytest run its `TestCase`; `laws` judges every pass.
"""

# ruff: noqa: S101 - this is a test library

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from reconciler.app import Planned
from reconciler.journal.journal import Journal
from reconciler.model.address import Place, parse_address
from reconciler.model.change import Action, Cause, Change
from reconciler.model.errors import ExitCode, Refused
from reconciler.model.intent import PrunePolicy, Request
from reconciler.model.resource import Desired, DriftPolicy, Resource, Revision
from reconciler.model.state import Observed, Ownership
from reconciler.provider import Wanted
from reconciler.testing import laws
from reconciler.testing.harness import Harness
from reconciler.testing.laws import Half
from reconciler.testing.stage import ILL, MEMOS, WELL, Maker, Pass, Sort, Stage, Trouble, probed

ACCEPT = frozenset({"prune", "double-run", "missed-run", "downtime", "data-loss"})
REQUEST = Request(accept=ACCEPT, prune=PrunePolicy())
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - where there is one, a journal costs no waiting for a disk

_any = st.integers(0, 11)
_troubles = st.one_of(
    st.none(),
    st.none(),
    st.builds(Trouble, st.sampled_from(Sort), st.integers(1, 20)),
    st.builds(Trouble, st.just(Sort.LOOK), st.integers(1, 6)),
)


class RolloutStory(RuleBasedStateMachine):
    """One story: manifests and host change under each other, and the engine is to keep its promises throughout."""

    harness: ClassVar[Harness]
    tally: ClassVar[Counter[str]]
    """How often each way to end a pass was met, over all stories: what never happened was not tested."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.tally = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None)
        self.stage = Stage(self.harness, Path(self.folder.name))
        self.known = self.stage.resources()
        self.wanted: dict[str, Resource] = {}
        self.halves: dict[int, Half] = {}
        self.twins: set[str] = set()
        self.applied = False  # whether anything ever was

    def teardown(self) -> None:
        self.folder.cleanup()

    def name(self, which: int) -> str:
        names = sorted(self.known)
        return names[which % len(names)]

    def desired(self) -> Desired:
        """The tree; each resource needs those before it that it was given, as far as they are still there."""
        return self.stage.desired(
            [
                replace(one, depends_on=tuple(need for need in one.depends_on if str(need) in self.wanted))
                for one in self.wanted.values()
            ]
        )

    @initialize(which=st.sets(_any, min_size=1, max_size=5))
    def begin(self, which: set[int]) -> None:
        """A tree with something in it, since an empty one never does anything."""
        self.wanted = {name: self.known[name][0] for name in map(self.name, sorted(which))}

    # People edit the manifests

    @rule(
        which=_any,
        version=st.sampled_from((0, 1)),
        probe=st.sampled_from((None, None, None, WELL, ILL)),
        needs=st.lists(_any, max_size=2),
        suspend=st.sampled_from((False, False, False, True)),
        drift=st.sampled_from(DriftPolicy),
    )
    def want(
        self, which: int, version: int, probe: str | None, needs: list[int], suspend: bool, drift: DriftPolicy
    ) -> None:
        name = self.name(which)
        before = sorted({self.name(need) for need in needs if self.name(need) < name})
        self.wanted[name] = replace(
            probed(self.known[name][version], probe),
            depends_on=tuple(parse_address(need) for need in before),
            suspend=suspend,
            drift=drift,
        )

    @rule(which=_any)
    def want_no_more(self, which: int) -> None:
        self.wanted.pop(self.name(which), None)

    @rule()
    def repair(self) -> None:
        """Whatever could not pass its verification can now."""
        self.wanted = {name: probed(one, None) for name, one in self.wanted.items()}

    # People touch the host

    @rule(which=_any)
    def tamper(self, which: int) -> None:
        standing = self._standing()
        if not standing:
            return
        place = standing[which % len(standing)].place
        if place.provider == self.stage.provider.name:
            self.harness.tamper(self.stage.host, place.id)
        else:
            files = self.stage.host.files
            mark, lines = f'"{place.id}"'.encode(), files[MEMOS].split(b"\n")
            files[MEMOS] = b"\n".join(
                b'{"reconciler": ' + mark + b', "state": {"by": "hand"}}' if mark in line else line for line in lines
            )
        self._touched()

    @rule(which=_any)
    def remove(self, which: int) -> None:
        standing = self._standing()
        if not standing:
            return
        found = standing[which % len(standing)]
        change = Change(
            found.id, found.provider, Action.DELETE, found.state, None, Cause.DRIFT, "somebody", restore=found.restore
        )
        self.stage.providers[found.provider].apply(self.stage.host, [change])
        self._touched()

    @rule()
    def write_something_of_ones_own(self) -> None:
        self.stage.host.files[MEMOS] += b'{"mine": "too"}\n'
        self._touched()

    @precondition(lambda self: not self.halves)
    @rule(which=_any)
    def write_a_twin(self, which: int) -> None:
        """Something without our mark that does what a manifest asks for."""
        name = self.name(which)
        at = Place(self.stage.provider.name, parse_address(name))
        if name in self.twins or name.startswith("Memo/") or at in self.stage.ours():
            return
        if self.harness.add_twin(self.stage.host, self.known[name][0]):
            self.twins.add(name)
            self._touched()

    def _standing(self) -> list[Observed]:
        """What is ours on the host and stands as it should be found."""
        with self.stage.app.journal() as journal:
            wanted = [Wanted(entry.id, None, entry.state) for entry in journal.inventory()]
        found = [item for one in self.stage.providers.values() for item in one.observe(self.stage.host, wanted).found]
        ours = [item for item in found if item.ownership is Ownership.OURS and item.trouble is None]
        return sorted(ours, key=lambda item: item.place)

    def _touched(self) -> None:
        self.halves.update({number: replace(half, touched=True) for number, half in self.halves.items()})

    # Passes

    @rule(trouble=_troubles)
    def apply(self, trouble: Trouble | None) -> None:
        desired = self.desired()
        expected = None
        if trouble is not None and trouble.sort is Sort.LOOK:
            expected = self._plan_in_peace(desired)
        result = self._pass("apply", lambda j: self.stage.app.plan(REQUEST, desired=desired, journal=j), trouble)
        if expected is not None and result.planned is not None and result.recovered is None:
            told = result.planned.plan
            assert told.vetoes or told.fingerprint == expected, (
                "a look that failed changed the plan, instead of being an error"
            )

    @precondition(lambda self: self.applied)
    @rule(trouble=_troubles, back=st.none() | _any)
    def roll_back(self, trouble: Trouble | None, back: int | None) -> None:
        def make(journal: Journal) -> Planned:
            numbers = [0, *sorted(r.number for r in journal.rollouts(limit=1000) if r.status.value == "stable")]
            number = None if back is None else numbers[back % len(numbers)]
            return self.stage.app.plan_rollback(number, journal, accept=ACCEPT)

        self._pass("rollback", make, trouble)

    @precondition(lambda self: self.twins)
    @rule(trouble=_troubles, which=_any)
    def adopt(self, trouble: Trouble | None, which: int) -> None:
        twins = sorted(self.twins)
        id_ = parse_address(twins[which % len(twins)])
        if str(id_) not in self.wanted:
            return
        request = replace(REQUEST, targets=frozenset({id_}), adopt=frozenset({id_}))
        desired = self.desired()
        self._pass("adopt", lambda j: self.stage.app.plan(request, desired=desired, journal=j), trouble)

    @precondition(lambda self: self.applied)
    @rule(trouble=_troubles, which=_any)
    def release(self, trouble: Trouble | None, which: int) -> None:
        standing = self._standing()
        if not standing:
            return
        id_ = standing[which % len(standing)].id
        request = replace(REQUEST, targets=frozenset({id_}), release=frozenset({id_}))

        def make(journal: Journal) -> Planned:
            stable = journal.stable()
            desired = Desired(".", stable[1] if stable else Revision("none"), ())
            return self.stage.app.plan(request, desired=desired, journal=journal)

        self._pass("release", make, trouble)

    @rule()
    def resume(self) -> None:
        """Bring to an end whatever was left half-way, a failed rollback included."""
        self.stage.host.heal()
        app = self.stage.app
        with app.writing("resume") as journal:
            outcome = app.resume(journal)
        if outcome is not None:
            laws.came_to_an_end(outcome, self.stage.sight(), self.halves, struck=False)
            self.tally[f"resumed: {outcome.code.name}"] += 1
        laws.readable(self.stage)

    @rule()
    def free(self) -> None:
        """Let every quarantined revision try again."""
        with self.stage.app.writing("release") as journal:
            journal.quarantine_release(None)

    def _plan_in_peace(self, desired: Desired) -> str | None:
        """The fingerprint of the plan that a pass would make with nothing in its way."""
        with self.stage.app.journal() as journal:
            if journal.interrupted() is not None:
                return None
        return self.stage.app.plan(REQUEST, desired=desired).plan.fingerprint

    def _pass(self, verb: str, make: Maker, trouble: Trouble | None) -> Pass:
        result = self.stage.play(verb, make, trouble)
        self.tally[_kind(verb, result)] += 1
        self.applied = self.applied or bool(result.writes)
        laws.judge(self.stage, verb, result, self.halves)
        return result


def _kind(verb: str, result: Pass) -> str:
    if result.recovered is not None:
        return f"recovered: {result.recovered.code.name}"
    if result.crashed:
        return f"{verb}: crashed"
    if isinstance(result.error, Refused):
        return f"{verb}: refused"
    if result.error is not None or result.outcome is None:
        return f"{verb}: error"
    nothing = result.outcome.code is ExitCode.DONE and not result.outcome.rollout
    return f"{verb}: {'nothing to do' if nothing else result.outcome.code.name}"
