"""What a story is played on: one host, the provider under test with a neighbour beside it, a real journal.

Passes are made as the commands make them, and may be given trouble. Nothing here judges: `laws` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, TypeAlias

from reconciler.app import App, Planned
from reconciler.host.fake import Call, Crash, FakeHost
from reconciler.host.protocol import Completed
from reconciler.host.readonly import ReadOnlyHost
from reconciler.journal.journal import Journal
from reconciler.kinds.catalogue import KindCatalogue
from reconciler.model.address import Place
from reconciler.model.change import Action, Change
from reconciler.model.data import digest
from reconciler.model.errors import ExitCode, HostError, JournalError, ReconcileError
from reconciler.model.plan import ApplyStep
from reconciler.model.resource import Desired, Probe, Resource, Revision, VerifyPolicy
from reconciler.model.rollout import Outcome, RolloutStatus
from reconciler.model.state import Ownership, State
from reconciler.provider import Provider, Wanted
from reconciler.registry import Registry
from reconciler.settings import Folders, Settings
from reconciler.testing.builders import resource
from reconciler.testing.harness import Harness
from reconciler.testing.memory import MemoryProvider

MEMOS = "/memory/memos.jsonl"
THEIRS = b'{"mine": 1}\nnot even json \xff\n'
WELL, ILL = "story-well", "story-ill"  # programs that a manifest's probe may run
Maker: TypeAlias = Callable[[Journal], Planned]
_JOURNAL_WRITES = (
    "begin", "steps_started", "steps_done", "steps_refused", "steps_failed", "steps_undone", "undoing", "finish",
    "quarantine_add", "quarantine_release", "remember", "confirm_inventory", "prune_history",
)  # fmt: skip


class Neighbour(MemoryProvider):
    """A second backend on the same host, so that every rollout may cross from one to the other."""

    name: ClassVar[str] = "memos"
    kinds: ClassVar[frozenset[str]] = frozenset({"Memo"})
    lock: ClassVar[str | None] = "memos"


class Sort(StrEnum):
    """What may go wrong in a pass, at its n-th write, or its n-th call of any sort for `LOOK`."""

    CRASH = "crash"  # the process dies right before the write, of the host or of the journal
    DISK_FULL = "disk full"  # the journal takes nothing from that write on
    REFUSED = "refused"  # the host refuses the write
    LATE = "late"  # the host does it and reports an error
    LOOK = "look"  # any call of the host fails, most often one that only looks


@dataclass(frozen=True, slots=True)
class Trouble:
    """One misfortune of one pass."""

    sort: Sort
    at: int


@dataclass(frozen=True, slots=True)
class Sight:
    """The host at one moment: all bytes, those of others, what is ours, and every plain file."""

    content: bytes
    foreign: bytes
    ours: Mapping[Place, State]
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Pass:
    """What became of one pass. `start` is the host once whatever was left half-way had been brought to an end."""

    start: Sight
    recovered: Outcome | None = None
    planned: Planned | None = None
    outcome: Outcome | None = None
    error: ReconcileError | None = None
    crashed: bool = False
    struck: bool = False  # the trouble really came
    writes: tuple[Call, ...] = ()  # of the host, after `start`


@dataclass(slots=True)
class _Fate:
    """Counts what a pass writes, and lets the trouble come when it is due."""

    host: FakeHost
    trouble: Trouble | None
    writes: int = 0
    calls: int = 0
    struck: bool = False
    dead: bool = False

    def arm(self) -> None:
        self.host.heal()
        self.calls = 0
        if self.trouble is not None and self.trouble.sort is Sort.LOOK:
            self.host.fail_at(self.trouble.at)
        self.host.on_call(self._called)

    def _called(self, call: Call) -> None:
        if self.dead:
            raise Crash("the process is dead already")
        self.calls += 1
        self.struck = self.struck or self.trouble == Trouble(Sort.LOOK, self.calls)
        if call.writes and self._is_due():
            if self.trouble is not None and self.trouble.sort is Sort.CRASH:
                self._die()
            before = self.trouble is not None and self.trouble.sort is Sort.REFUSED
            if self.trouble is not None and self.trouble.sort in (Sort.REFUSED, Sort.LATE):
                self.host.fail_at(0, HostError("cannot reach the host: a fault of the story"), before=before)

    def _is_due(self) -> bool:
        self.writes += 1
        due = self.trouble is not None and self.writes == self.trouble.at and self.trouble.sort is not Sort.LOOK
        self.struck = self.struck or due
        return due

    def _die(self) -> None:
        self.dead = True
        raise Crash("right before a write")

    def watch(self, journal: Journal) -> Journal:
        """The same journal, which this fate may cut off."""
        for name in _JOURNAL_WRITES:
            object.__setattr__(journal, name, self._doomed(getattr(journal, name)))
        return journal

    def _doomed(self, method: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            due = self._is_due()
            sort = self.trouble.sort if self.trouble is not None else None
            if self.dead or (due and sort is Sort.CRASH):
                self._die()
            if self.struck and sort is Sort.DISK_FULL:
                raise JournalError("cannot write the journal: no space left on device")
            return method(*arguments, **named)

        return call


def program(code: int) -> Callable[[Sequence[str], bytes], Completed]:
    """A program that only ends, with this exit status."""
    return lambda _argv, _stdin: Completed(code, b"", b"")


@dataclass(slots=True)
class Stage:
    """The application on a host in memory. Each pass opens the journal anew, as a new process would."""

    harness: Harness
    folder: Path
    host: FakeHost = field(init=False)
    providers: dict[str, Provider] = field(init=False)

    def __post_init__(self) -> None:
        self.host = self.harness.host()
        self.harness.add_foreign(self.host)
        self.host.files[MEMOS] = THEIRS
        self.host.programs.update({WELL: program(0), ILL: program(1)})
        provider = self.harness.provider()
        self.providers = {provider.name: provider, Neighbour.name: Neighbour(Path(MEMOS))}

    @property
    def provider(self) -> Provider:
        """The one under test."""
        return next(iter(self.providers.values()))

    @property
    def app(self) -> App:
        registry = Registry(KindCatalogue({}), self.providers)
        return App(self.folder, Settings(), Folders(self.folder, self.folder, self.folder), registry, self.host)

    def resources(self) -> dict[str, tuple[Resource, Resource]]:
        """What manifests may ask for, by address, each in two versions."""
        memos = (
            (resource("Memo/m", text="one"), resource("Memo/m", text="two")),
            (resource("Memo/z", text="one", tags=["x"]), resource("Memo/z", text="two")),
        )
        return {str(old.id): (old, new) for old, new in (*self.harness.pairs(), *memos)}

    def sight(self) -> Sight:
        self.host.heal()
        files = {path: bytes(content) for path, content in self.host.files.items()}
        return Sight(self.content(), self.foreign(), self.ours(), files)

    def content(self) -> bytes:
        return self.harness.content(self.host) + b"\0" + self.host.files.get(MEMOS, b"")

    def foreign(self) -> bytes:
        lines = self.host.files.get(MEMOS, b"").split(b"\n")
        others = b"\n".join(line for line in lines if not line.startswith(b'{"reconciler": "Memo/'))
        return self.harness.foreign_bytes(self.host) + b"\0" + others

    def ours(self) -> dict[Place, State]:
        """What stands on the host and is ours, as each provider says; a look that writes is an error."""
        found: dict[Place, State] = {}
        with self.app.journal() as journal:
            wanted = _remembered(journal)
        for name, provider in self.providers.items():
            seen = provider.observe(ReadOnlyHost(self.host), wanted.get(name, ())).found
            found |= {item.place: self.lasting(item.state) for item in seen if item.ownership is Ownership.OURS}
        return found

    def target(self, ours: Mapping[Place, State], changes: Sequence[Change]) -> dict[Place, State]:
        """What is ours once these changes are made, and nothing else is."""
        after = dict(ours)
        for change in changes:
            if change.after is None or change.action is Action.RELEASE:
                after.pop(change.place, None)
            else:
                after[change.place] = self.lasting(change.after)
        return after

    def lasting(self, state: State) -> State:
        return State({name: value for name, value in state.attributes.items() if name not in self.harness.passing})

    def is_part(self, path: str, old: bytes | None) -> bool:
        """Whether a file is part of a backend: with its old content, the backend holds something else."""
        files, before = self.host.files, self.content()
        new = files.get(path)
        try:
            _put(files, path, old)
            return self.content() != before
        finally:
            _put(files, path, new)

    def play(self, verb: str, make: Maker, trouble: Trouble | None = None) -> Pass:
        """One command: recover, plan, carry out. A crash, a refusal and an error are part of what became of it."""
        result, app = Pass(self.sight()), self.app
        fate = _Fate(self.host, trouble)
        fate.arm()
        since = self.host.calls
        try:
            with app.writing(verb) as journal:
                fate.watch(journal)
                anew = journal.interrupted() is not None
                if (recovered := app.resume(journal)) is not None:
                    fate.host.heal()
                    result = replace(result, recovered=recovered, start=self.sight())
                    since = self.host.calls
                    fate.arm()
                    if recovered.code is ExitCode.ROLLBACK_FAILED and anew:
                        return replace(result, struck=fate.struck)
                result = replace(result, planned=(planned := make(journal)))
                result = replace(result, outcome=app.carry_out(planned, journal, verb))
        except Crash:
            result = replace(result, crashed=True)
        except ReconcileError as error:
            result = replace(result, error=error)
        writes = tuple(call for call in self.host.log[since:] if call.writes)
        self.host.heal()
        return replace(result, struck=fate.struck, writes=writes)

    def desired(self, resources: Sequence[Resource]) -> Desired:
        ordered = tuple(sorted(resources, key=lambda one: one.id))
        identity = digest(
            [[str(one.id), one.spec, repr((one.verify, one.depends_on, one.suspend, one.drift))] for one in ordered]
        )
        return Desired(str(self.folder), Revision(identity), ordered)


def _put(files: dict[str, bytes], path: str, content: bytes | None) -> None:
    if content is None:
        files.pop(path, None)
    else:
        files[path] = content


def probed(one: Resource, probe: str | None) -> Resource:
    """The resource, verified by running a program."""
    probes = (Probe("exec", {"command": [probe], "exitCode": 0, "timeout": 1}),) if probe else ()
    return replace(one, verify=VerifyPolicy(within=1.0, stable_for=0.0, probes=probes))


def _remembered(journal: Journal) -> dict[str, list[Wanted]]:
    """What a backend without marks knows its own by: the inventory, and what a rollout may have written."""
    known = {Place(entry.provider, entry.id): entry.state for entry in journal.inventory()}
    unfinished = (RolloutStatus.RUNNING, RolloutStatus.UNDOING, RolloutStatus.ROLLBACK_FAILED)
    for record in journal.rollouts(1):
        if record.status in unfinished:
            for step in (one.step for one in journal.steps(record.number)):
                if isinstance(step, ApplyStep) and (state := step.change.before or step.change.after) is not None:
                    known[step.change.place] = state
    wanted: dict[str, list[Wanted]] = {}
    for place, state in sorted(known.items()):
        wanted.setdefault(place.provider, []).append(Wanted(place.id, None, state))
    return wanted
