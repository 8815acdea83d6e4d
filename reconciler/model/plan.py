"""The plan: an ordered graph of steps, what was left out and why, and what refuses it.

Steps are numbered from 1 in an order that satisfies `needs`. A plan holds no instant and nothing random.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from reconciler.model.address import Place, ResourceId
from reconciler.model.change import Action, Change
from reconciler.model.frozen import dataclass
from reconciler.model.resource import Probe, Revision
from reconciler.model.state import HostFacts, Owned


@dataclass(frozen=True, slots=True)
class ApplyStep:
    """Carry out one change. Steps with one `batch` key (unique per provider) are applied together."""

    number: int
    needs: tuple[int, ...]
    change: Change
    batch: str | None
    owned: Owned | None = None  # the inventory entry once this step is done; None: no longer owned
    previous: Owned | None = None  # the inventory entry before, put back by an undo
    after_all: bool = False  # waits for every step with a lower number: pruning comes last


@dataclass(frozen=True, slots=True)
class VerifyStep:
    """Wait until `id` is as planned and healthy: within `within` seconds, and so for `stable_for` seconds."""

    number: int
    needs: tuple[int, ...]
    id: ResourceId
    provider: str
    within: float
    stable_for: float
    probes: tuple[Probe, ...]
    backend: bool = True  # also ask the provider whether the backend will run it

    @property
    def place(self) -> Place:
        return Place(self.provider, self.id)


Step: TypeAlias = ApplyStep | VerifyStep


@dataclass(frozen=True, slots=True)
class Skip:
    """A resource that this plan leaves alone although it is not as wanted, and why."""

    id: ResourceId
    reason: str
    drift: bool = False  # left alone because its drift policy says so


@dataclass(frozen=True, slots=True)
class Veto:
    """A guard's refusal. `accept` names what the user may pass to overrule it, where that is allowed."""

    guard: str
    message: str
    id: ResourceId | None = None
    hint: str | None = None
    accept: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What apply will do: these steps and nothing else. With any veto, nothing at all."""

    path: str
    host: HostFacts
    revision: Revision
    steps: tuple[Step, ...]
    skipped: tuple[Skip, ...]
    vetoes: tuple[Veto, ...]
    notices: tuple[str, ...]
    unchanged: int
    sources: Mapping[ResourceId, str]  # manifest place of each changed resource, "file:line"
    fingerprint: str = ""

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(step.change for step in self.steps if isinstance(step, ApplyStep))

    def count(self, action: Action) -> int:
        return sum(change.action is action for change in self.changes)
