"""What a host has: the canonical state of one resource, one observation, and the snapshot of a pass.

A state is comparable with `==`; whatever must not take part in comparison stays outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from reconciler.model.address import Place, ResourceId
from reconciler.model.data import Json, digest
from reconciler.model.frozen import dataclass
from reconciler.model.resource import Protect, Resource, Revision


@dataclass(frozen=True, slots=True)
class State:
    """Canonical attributes of one resource: plain JSON, no `None` values, no absent-by-default keys."""

    attributes: Mapping[str, Json]

    @property
    def digest(self) -> str:
        return digest(self.attributes)


class Ownership(StrEnum):
    """Whose an observed thing is. FOREIGN is reported only where it stands in a wanted resource's way."""

    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Observed:
    """One thing as found. `restore` is what the provider needs to put it back exactly; never compared, never shown.

    FOREIGN means: carries no mark of ours, and runs the same as the wanted resource `id` would.
    `trouble` is set where the thing is ours but cannot be trusted to be changed (two copies, for example).
    """

    id: ResourceId
    provider: str
    state: State
    ownership: Ownership
    where: str  # for people: "crontab of root, line 3"
    document: str  # the thing as its backend spells it, for the raw diff
    restore: Json = None
    trouble: str | None = None
    idle: str = ""  # why it does not run as it stands, where that is nobody's edit

    @property
    def place(self) -> Place:
        return Place(self.provider, self.id)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one provider saw in one look. `facts` are about the backend as a whole, for `review`.

    Where a backend could be another one tomorrow (DOCKER_HOST), the fact `keeper` says which one was looked at.
    `notices` are sentences that the reader of a plan must know first.
    """

    found: tuple[Observed, ...]
    facts: Mapping[str, Json] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Owned:
    """One inventory entry: what we last applied, so that drift can be told from our own edits."""

    id: ResourceId
    provider: str
    state: State
    protect: Protect | None = None
    revision: str = ""  # Revision.digest
    depends_on: tuple[ResourceId, ...] = ()  # kept, so that removals know their order without a manifest
    keeper: str = ""  # which of several that its backend could talk to keeps it: "the engine at /run/docker.sock"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A revision that failed; it is not applied again until it changes or a person releases it."""

    revision: Revision
    reason: str
    rollout: int


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The host as the settings and the operating system describe it."""

    name: str
    platform: str  # "linux" | "darwin"
    user: str
    timezone: str  # IANA name, or "" where the host does not say
    labels: tuple[str, ...] = ()  # "key=value", sorted, from the settings
    runner: str = ""  # the program that runs of automations go through; "" where they go through none
    state: str = ""  # the folder that the runner keeps records in, where it is not the usual one
    shared: bool = False  # whether other users may start that program and what it needs


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a plan may depend on besides the manifests, at one instant. Serialisable."""

    taken: datetime  # aware, UTC
    host: HostFacts
    found: tuple[Observed, ...]
    facts: Mapping[str, Mapping[str, Json]]  # provider name -> facts of its observation
    unsupported: Mapping[str, str]  # provider name -> why it cannot be used here
    inventory: tuple[Owned, ...]
    inventory_lost: bool  # rebuilt from markers in this pass: nothing may be pruned
    quarantine: tuple[Quarantined, ...]
    notices: tuple[str, ...]  # what the reader must know first: an interrupted rollout, a journal set aside
    mask_key: str  # key of the digests that stand for masked values
    jobs: Mapping[str, Json] = field(default_factory=dict)  # settings of runs as they are, by digest
    durations: Mapping[str, float] = field(default_factory=dict)  # seconds: p95 of an automation's runs, by name
    own: tuple[Resource, ...] = ()  # what `reconcile self` installed here: wanted, whatever a tree says

    def keeper(self, provider: str) -> str:
        """Which one of its kind a backend talked to, where it says so."""
        return str(self.facts.get(provider, {}).get("keeper", ""))

    def left_with(self, entry: Owned) -> str | None:
        """Who kept an entry when it was applied, where that is not who was looked at now."""
        now = self.keeper(entry.provider)
        return entry.keeper if now and entry.keeper not in ("", now) else None


def without_ignored(desired: State, observed: State, ignore: Sequence[str]) -> State:
    """`desired` with the ignored attributes as they were found: another party may set those."""
    if not ignore:
        return desired
    attributes: Json = dict(desired.attributes)
    for path in ignore:
        attributes = _copied(attributes, observed.attributes, path.split("."))
    return State(attributes if isinstance(attributes, dict) else {})


def _copied(target: Json, source: Json, path: Sequence[str]) -> Json:
    """`target` with the value at `path` taken from `source`, absent where `source` has none."""
    target_map = dict(target) if isinstance(target, Mapping) else {}
    source_map = source if isinstance(source, Mapping) else {}
    head, rest = path[0], path[1:]
    if rest and (head in target_map or head in source_map):
        inner = _copied(target_map.get(head, {}), source_map.get(head, {}), rest)
        if inner:
            target_map[head] = inner
        else:
            target_map.pop(head, None)
    elif head in source_map:
        target_map[head] = source_map[head]
    else:
        target_map.pop(head, None)
    return target_map
