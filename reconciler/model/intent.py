"""What passes between the deciding stages: intents, the request of a pass, and the difference.

Types only; the stages that fill them are in `engine`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from reconciler.model.address import Place, ResourceId
from reconciler.model.change import Change
from reconciler.model.frozen import dataclass
from reconciler.model.job import Job
from reconciler.model.plan import Skip, Veto
from reconciler.model.resource import Resource
from reconciler.model.state import Owned, State


@dataclass(frozen=True, slots=True)
class Intent:
    """A desired resource with the provider that will hold it and the state that it asks for there."""

    resource: Resource
    provider: str
    state: State
    why: str = ""  # why this backend, where there was a choice
    job: Job | None = None  # what the runner is told, where it is told anything

    @property
    def id(self) -> ResourceId:
        return self.resource.id

    @property
    def place(self) -> Place:
        return Place(self.provider, self.resource.id)


@dataclass(frozen=True, slots=True)
class PrunePolicy:
    """When removing things is refused: more than `count` resources and more than `percent` of the inventory."""

    enabled: bool = True
    percent: int = 30
    count: int = 3


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked of this pass. The defaults are the safe choice."""

    targets: frozenset[ResourceId] = frozenset()  # empty: everything
    accept: frozenset[str] = frozenset()  # guards and dangers that the user overrules by name
    adopt: frozenset[ResourceId] = frozenset()
    release: frozenset[ResourceId] = frozenset()
    whole_tree: bool = True  # False: a single file, which never prunes
    prune: PrunePolicy = PrunePolicy()
    adopted: Mapping[ResourceId, Change] = field(default_factory=dict)  # how what is released was taken over once


@dataclass(frozen=True, slots=True)
class Difference:
    """Desired against observed. `remember` and `forget` are upkeep of the inventory and touch no host."""

    changes: tuple[Change, ...]
    skipped: tuple[Skip, ...]
    vetoes: tuple[Veto, ...]
    unchanged: int
    remember: tuple[Owned, ...]
    forget: tuple[ResourceId, ...]
    owned: Mapping[ResourceId, Owned]  # entry of each changed resource once its change is done
    untouched: int = 0  # wanted resources that are no target of this pass
    made_room: frozenset[ResourceId] = frozenset()  # on a way back: what left its port first when it moved
