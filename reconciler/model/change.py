"""A change to one resource, with its reason, its dangers and its exact inverse."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from reconciler.model.address import Place, ResourceId
from reconciler.model.data import Json
from reconciler.model.frozen import dataclass
from reconciler.model.state import State


class Action(StrEnum):
    """The verb of a change."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    ADOPT = "adopt"
    RELEASE = "release"
    NONE = "none"


class Cause(StrEnum):
    """Why a change is there, for programs; `Change.reason` says the same to people."""

    NEW = "new"  # in the manifests, not on the host, never applied by us
    PENDING = "pending"  # we changed the manifest
    DRIFT = "drift"  # somebody else changed the host
    REMOVED = "removed"  # we own it, and no manifest wants it
    REQUESTED = "requested"  # a person asked: adopt, release, rollback
    UNDO = "undo"  # inverse of a change that must not stay


class Danger(StrEnum):
    """The kinds of hazard."""

    DOWNTIME = "downtime"
    DATA_LOSS = "data-loss"
    MISSED_RUN = "missed-run"
    DOUBLE_RUN = "double-run"


@dataclass(frozen=True, slots=True)
class Hazard:
    """A typed danger. A `blocking` one refuses the plan until it is accepted by name (`--accept double-run`)."""

    danger: Danger
    message: str
    hint: str | None = None
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One attribute that differs. `None` stands for absent: a canonical state holds no `None`."""

    path: tuple[str, ...]
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource. `before`/`after` are None where it does not exist.

    `restore` is the provider's own note of how `before` stood (from `Observed.restore`). An inverse change
    carries that note as `exact`, and the provider then puts back exactly that.
    For ADOPT `before` is the foreign thing; for RELEASE `after` is what stays without our mark.
    """

    id: ResourceId
    provider: str
    action: Action
    before: State | None
    after: State | None
    cause: Cause
    reason: str
    hazards: tuple[Hazard, ...] = ()
    where: str = ""
    document_before: str | None = None
    document_after: str | None = None
    restore: Json = None
    exact: Json = None
    job_before: Json = None  # what the runner is told, of an automation that runs through it
    job_after: Json = None

    @property
    def place(self) -> Place:
        return Place(self.provider, self.id)

    def inverse(self) -> Change:
        """The change that takes this one back, through the same `apply`."""
        return replace(
            self,
            action=_INVERSE[self.action],
            before=self.after,
            after=self.before,
            cause=Cause.UNDO,
            reason=f"undo {self.action}",
            hazards=(),
            document_before=self.document_after,
            document_after=self.document_before,
            restore=self.exact,
            exact=self.restore,
            job_before=self.job_after,
            job_after=self.job_before,
        )


_INVERSE = {
    Action.CREATE: Action.DELETE,
    Action.UPDATE: Action.UPDATE,
    Action.REPLACE: Action.REPLACE,
    Action.DELETE: Action.CREATE,
    Action.ADOPT: Action.RELEASE,
    Action.RELEASE: Action.ADOPT,
    Action.NONE: Action.NONE,
}


def field_diffs(before: State | None, after: State | None) -> tuple[FieldDiff, ...]:
    """The attributes that differ, by path, sorted. Lists are compared whole: an argv is one value."""
    return tuple(_differences((), before.attributes if before else {}, after.attributes if after else {}))


def _differences(path: tuple[str, ...], before: Json, after: Json) -> list[FieldDiff]:
    if isinstance(before, dict) and isinstance(after, dict):
        found: list[FieldDiff] = []
        for key in sorted(before.keys() | after.keys()):
            found += _differences((*path, key), before.get(key), after.get(key))
        return found
    return [] if before == after else [FieldDiff(path, before, after)]
