"""A small world for rollouts: a host in memory, the reference provider on two files, a real journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from reconciler.engine import reconcile, rollout
from reconciler.engine.intents import intents
from reconciler.engine.observe import Memory, Supports, observe
from reconciler.engine.reconcile import Decision
from reconciler.engine.rollout import Engine
from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Completed
from reconciler.journal.journal import Journal
from reconciler.model.address import ResourceId
from reconciler.model.data import digest
from reconciler.model.event import ignore
from reconciler.model.intent import Request
from reconciler.model.mask import Mask
from reconciler.model.resource import Desired, Probe, Resource, Revision, Source, VerifyPolicy
from reconciler.model.rollout import Outcome
from reconciler.provider import Provider
from reconciler.testing.memory import MemoryProvider

NOTES, MEMOS = "/memory/notes.jsonl", "/memory/memos.jsonl"
MINE = b'{"mine": 1}\nnot even json \xff\n'


class Memos(MemoryProvider):
    """The same provider for a second kind, file and lock."""

    name: ClassVar[str] = "memos"
    kinds: ClassVar[frozenset[str]] = frozenset({"Memo"})
    lock: ClassVar[str | None] = "memos"


def healthy(_argv: object, _stdin: bytes) -> Completed:
    return Completed(0, b"", b"")


def sick(_argv: object, _stdin: bytes) -> Completed:
    return Completed(1, b"it is broken\n", b"")


def want(name: str, text: str, *needs: str, probe: bool = False) -> Resource:
    """`Note/a` or `Memo/a` with a text; with a probe that runs the program `check`."""
    kind, _, short = name.partition("/")
    probes = (Probe("exec", {"command": ["check"], "exitCode": 0, "timeout": 1}),) if probe else ()
    return Resource(
        id=ResourceId(kind, short),
        spec={"text": text},
        source=Source("notes.yaml", 1),
        depends_on=tuple(ResourceId(*need.split("/")) for need in needs),
        verify=VerifyPolicy(within=2.0, stable_for=0.0, probes=probes),
    )


@dataclass
class World:
    """Everything a pass needs. `signals` is how many stop signals have come."""

    folder: Path
    host: FakeHost = field(
        default_factory=lambda: FakeHost(files={NOTES: MINE, MEMOS: MINE}, programs={"check": healthy})
    )
    signals: int = 0
    providers: Mapping[str, Provider] = field(
        default_factory=lambda: {"memory": MemoryProvider(Path(NOTES)), "memos": Memos(Path(MEMOS))}
    )

    def journal(self) -> Journal:
        return Journal.open(self.folder, clock=self.host.clock)

    def engine(self, journal: Journal) -> Engine:
        return Engine(self.host, self.providers, journal, ignore, self.stopping, Mask("k"))

    def stopping(self, count: int) -> str | None:
        return "SIGTERM" if self.signals >= count else None

    def decide(self, journal: Journal, *resources: Resource, request: Request = Request()) -> Decision:
        content = digest([[str(r.id), dict(r.spec), len(r.verify.probes)] for r in resources])
        desired = Desired("notes", Revision(content), tuple(sorted(resources, key=lambda r: r.id)))
        memory = Memory(
            journal.inventory(),
            journal.rebuilt_needed,
            journal.quarantine(),
            (),
            journal.mask_key(),
            journal.several(),
        )
        support = Supports(self.host, self.providers)
        wanted = intents(desired.resources, self.providers, self.host.facts(), memory.inventory, support)
        snapshot = observe(self.host, self.providers, wanted, memory, support)
        return reconcile.decide(desired, wanted, snapshot, request, self.providers)

    def apply(self, *resources: Resource, journal: Journal | None = None) -> Outcome:
        """Recover, plan and roll out, as the command does."""
        with journal or self.journal() as opened:
            self.recover(opened)
            decision = self.decide(opened, *resources)
            assert decision.plan.vetoes == (), decision.plan.vetoes
            outcome = reconcile.roll_out(self.engine(opened), decision.plan, "apply")
            opened.remember(decision.remember, decision.forget)
            opened.confirm_inventory()
            return outcome

    def recover(self, journal: Journal) -> Outcome | None:
        record = journal.interrupted()
        return None if record is None else rollout.recover(self.engine(journal), record)

    def settled(self, *resources: Resource) -> bool:
        """Whether a fresh plan for these resources would do nothing."""
        with self.journal() as journal:
            return self.decide(journal, *resources).plan.steps == ()

    def files(self) -> dict[str, bytes]:
        return dict(self.host.files)


def cut(world: World, journal: Journal, after: int) -> Journal:
    """The same journal, whose process dies right before its `after`-th write from now."""
    from reconciler.host.fake import Crash

    left = [after]

    def dying(method: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise Crash("before a write of the journal")
            return method(*arguments, **named)

        return call

    for name in (
        "begin",
        "steps_started",
        "steps_done",
        "steps_failed",
        "steps_undone",
        "undoing",
        "finish",
        "quarantine_add",
    ):
        object.__setattr__(journal, name, dying(getattr(journal, name)))
    return journal
