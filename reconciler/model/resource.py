"""A validated resource, the revision that it came from, and the whole desired set.

`spec` is plain data: validated once by the kind's model, with defaults filled, so that a cached
resource needs no validation library to be used again.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.frozen import dataclass


class DriftPolicy(StrEnum):
    """What to do when somebody else changed a resource that we own."""

    REVERT = "revert"
    REPORT = "report"
    IGNORE = "ignore"


class Protect(StrEnum):
    """What must not happen to a resource. Remembered in the inventory."""

    DELETE = "delete"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a resource is written: file relative to the desired tree, line from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Probe:
    """One health question: `type` names the prober (exec, http, tcp, file), `options` its spec."""

    type: str
    options: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class VerifyPolicy:
    """When a change counts as good: every probe passes `within` seconds and stays so `stable_for` seconds."""

    within: float = 60.0
    stable_for: float = 0.0
    probes: tuple[Probe, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """Which hosts a resource belongs to: all that is given must hold. Labels read "key=value"."""

    hosts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One manifest, validated and resolved. `spec` holds the kind's own fields in camelCase, defaults filled."""

    id: ResourceId
    spec: Mapping[str, Json]
    source: Source
    description: str = ""
    labels: Mapping[str, str] | None = None
    depends_on: tuple[ResourceId, ...] = ()
    verify: VerifyPolicy = VerifyPolicy()
    protect: Protect | None = None
    drift: DriftPolicy = DriftPolicy.REVERT
    ignore: tuple[str, ...] = ()  # dotted paths of state attributes that another party may change
    suspend: bool = False
    placement: Placement | None = None  # None: everywhere


@dataclass(frozen=True, slots=True)
class Revision:
    """What the desired set came from. `digest` is its identity; the commit is how people call it."""

    digest: str
    commit: str | None = None  # full git object name of HEAD, where the tree is in a git checkout
    branch: str | None = None
    dirty: bool = False  # the tree differs from that commit

    @property
    def label(self) -> str:
        if self.commit is None:
            return f"tree {self.digest[:8]}"
        return f"{self.commit[:8]}{' with uncommitted changes' if self.dirty else ''}"


@dataclass(frozen=True, slots=True)
class Desired:
    """Every resource of one revision, sorted by address; `path` is how the user named the tree."""

    path: str
    revision: Revision
    resources: tuple[Resource, ...]
