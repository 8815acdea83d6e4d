"""What one walk over the steps of a plan needs from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from reconciler.engine.work import Start
from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.event import Listener
from reconciler.model.frozen import dataclass
from reconciler.model.plan import VerifyStep
from reconciler.model.state import Owned
from reconciler.provider import Provider

Stopping: TypeAlias = Callable[[], "str | None"]
Verdicts: TypeAlias = "Mapping[int, str | None]"  # by number: None where the gate passed, else why not
Gate: TypeAlias = Callable[[Sequence[VerifyStep], Stopping], Iterator[Verdicts]]


class StepJournal(Protocol):
    """What the executor writes down. Every call is durable before it returns."""

    def steps_started(self, rollout: int, numbers: Sequence[int]) -> None: ...
    def steps_done(
        self, rollout: int, numbers: Sequence[int], owned: Sequence[Owned], disowned: Sequence[ResourceId]
    ) -> None: ...
    def steps_refused(self, rollout: int, numbers: Sequence[int], why: str) -> None: ...
    def steps_failed(self, rollout: int, numbers: Sequence[int], why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Walk:
    """What one walk needs: the host, the backends, the journal, the gate, and who listens.

    `mask` hides what a backend was told in confidence and now says aloud; `undoing` only changes the words.
    """

    host: Host
    providers: Mapping[str, Provider]
    journal: StepJournal
    rollout: int
    gate: Gate
    listener: Listener
    stopping: Stopping  # the reason to stop (a signal), or None
    start: Start
    locks: Mapping[str, AbstractContextManager[object]]  # by provider, held while it writes
    mask: Callable[[str], str]
    undoing: bool = False
