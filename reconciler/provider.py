"""The Provider protocol: how the engine talks to one backend, and the optional capabilities.

A provider translates. It never retries, logs, journals, verifies, diffs or decides: the engine does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Change, Hazard
from reconciler.model.data import Json
from reconciler.model.frozen import dataclass
from reconciler.model.resource import Resource
from reconciler.model.state import Observation, State


@dataclass(frozen=True, slots=True)
class Supported:
    """The backend can be used on this host."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """The backend cannot be used here; `why` is a sentence for people, `hint` what would help."""

    why: str
    hint: str | None = None


Support: TypeAlias = Supported | Unsupported


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the engine looks for: desired states, last applied states, or both, of one address."""

    id: ResourceId
    desired: State | None
    applied: State | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a review of the whole backend turned up: a refusal, or a hazard for the changes in `ids`."""

    message: str
    ids: tuple[ResourceId, ...] = ()
    hint: str | None = None
    hazard: Hazard | None = None  # None: a refusal that nothing can overrule


class Provider(Protocol):
    """One backend. Stateless: everything it knows it reads from the host it is given."""

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]]
    lock: ClassVar[str | None]  # steps that share a lock never overlap

    def probe(self, host: Host) -> Support:
        """Whether the backend can be used here. Reads only; a missing tool is an answer."""
        ...

    def canonical(self, resource: Resource) -> State:
        """The state that this resource asks for. Pure and total, or UnsupportedSpec."""
        ...

    def document(self, id: ResourceId, state: State) -> str:
        """The resource as the backend would spell it in that state, for the raw diff. Pure."""
        ...

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        """Everything that carries our mark, and foreign things that stand in a wanted one's way. Bulk, read-only.

        "Could not look" raises ObserveError and is never reported as absent.
        """
        ...

    def batch(self, change: Change) -> str | None:
        """Changes with one key, next to each other in order, are applied together. Pure."""
        ...

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        """Carry out one batch, all or nothing. Re-runnable: what already stands as `after` is left.

        A `before` that no longer stands raises Conflict with nothing written; a refused write raises ApplyError.
        """
        ...


@runtime_checkable
class HasReview(Protocol):
    """Looks at the outcome as a whole, before anything is planned."""

    def review(
        self, facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
    ) -> tuple[Finding, ...]:
        """Limits that the outcome would break and dangers of the backend. Pure: `facts` came from `observe`."""
        ...


@runtime_checkable
class HasSources(Protocol):
    """Holds resources whose content may stand in another file of the tree than their manifest."""

    def source_digest(self, resource: Resource, state: State) -> str | None:
        """Digest of that content, from the canonical state; None where the manifest says everything. Pure."""
        ...


Ills: TypeAlias = "str | Mapping[ResourceId, str] | None"
"""Why a backend will not run what it holds: all of it, or some by address. None where it will run everything.

A reason that is a `NotYet` fails no gate before its time is over.
"""


def told(ills: Ills) -> str:
    """The same in one sentence; empty where it will run everything."""
    return "; ".join(f"{id_}: {why}" for id_, why in ills.items()) if isinstance(ills, Mapping) else ills or ""


@runtime_checkable
class HasMark(Protocol):
    """Writes our mark into the things themselves, where their documents show it."""

    def unmarked(self, id: ResourceId, state: State, document: str) -> str:
        """The document of what a release leaves of this thing. Pure."""
        ...


@runtime_checkable
class HasHealth(Protocol):
    """Knows whether the backend will really run what it holds."""

    def health(self, host: Host, ids: Sequence[ResourceId]) -> Ills:
        """Why it will not, in sentences, or None where it will. Without ids: the backend as such. Reads only."""
        ...


@runtime_checkable
class HasRemains(Protocol):
    """Sets aside what it replaces or removes, so that an undo can bring that very thing back."""

    def sweep(self, host: Host, changes: Sequence[Change]) -> None:
        """These belong to a rollout that is stable now: remove what no undo of it needs any more.

        Re-runnable; nothing of somebody else. Trouble raises ApplyError: the rollout stays as it is.
        """
        ...

    def keeps(self, host: Host, change: Change) -> bool:
        """Whether what this change set aside is still there, and can come back as it was. Reads only."""
        ...

    def remains(self, host: Host) -> tuple[str, ...]:
        """What stands aside, in sentences for people: whose it was, and what removes it. Reads only."""
        ...


@runtime_checkable
class HasAdvice(Protocol):
    """Knows what a person should hear about the backend on this host before relying on it."""

    def advice(self, host: Host) -> tuple[Finding, ...]:
        """For `reconcile doctor`: limits of a backend that can be used. Reads only."""
        ...


@runtime_checkable
class HasWatchPaths(Protocol):
    """Knows which files change when the backend does."""

    def watch_paths(self, host: Host) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Imported:
    """A foreign entry as a manifest document, or why it cannot be one (`manifest` is None)."""

    where: str
    text: str
    manifest: Mapping[str, Json] | None
    why: str | None = None
    notes: tuple[str, ...] = ()  # what a person should look at: inherited environment, mail


@runtime_checkable
class HasImport(Protocol):
    """Can describe foreign entries as manifests."""

    def foreign(self, host: Host, user: str | None) -> tuple[Imported, ...]: ...


@dataclass(frozen=True, slots=True)
class Described:
    """A file of another tool, already parsed. `place` says where a part of it stands, for people."""

    path: Path  # absolute
    content: Json
    place: Callable[[Sequence[str | int]], str]


@runtime_checkable
class HasFileImport(Protocol):
    """Can describe what a file of another tool asks for as manifests."""

    def described(self, host: Host, file: Described) -> tuple[Imported, ...]:
        """Reads only: the file's neighbours, such as files of variables. Never the backend."""
        ...
