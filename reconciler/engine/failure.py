"""Why a rollout stopped, in words for the person who has to act on it. Nothing secret gets into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.model.address import ResourceId
from reconciler.model.errors import ApplyError, Conflict, Hindered, ReconcileError
from reconciler.model.frozen import dataclass
from reconciler.model.plan import ApplyStep, Step


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a rollout stopped. `guilty`: the revision is to blame; `stale`: somebody changed the host meanwhile.

    `where` and `hint` are for the person who reads the message, as those of an error.
    """

    message: str
    ids: tuple[ResourceId, ...]
    guilty: bool
    stale: bool = False
    where: str | None = None
    hint: str | None = None


def of_batch(batch: Sequence[ApplyStep], error: ReconcileError, mask: Callable[[str], str]) -> Failure:
    """What a backend raised, with the resource and its place, whatever the backend said of them."""
    place = error.where or batch[0].change.where
    return Failure(
        message=mask(error.message),
        ids=ids_of(batch),
        guilty=isinstance(error, ApplyError) and not isinstance(error, Hindered),
        stale=isinstance(error, Conflict),
        where=f"{named(batch)}, {mask(place)}" if place else named(batch),
        hint=mask(error.hint) if error.hint else None,
    )


def of_gates(gates: Sequence[Step], error: ReconcileError, mask: Callable[[str], str]) -> Failure:
    """Why gates could not be looked at: no fault of the revision."""
    return Failure(
        mask(error.message), ids_of(gates), guilty=False, where=error.where or named(gates), hint=error.hint
    )


def ids_of(steps: Sequence[Step]) -> tuple[ResourceId, ...]:
    return tuple(step.change.id if isinstance(step, ApplyStep) else step.id for step in steps)


def named(steps: Sequence[Step]) -> str:
    """One resource by its name, several by their number."""
    ids = ids_of(steps)
    return str(ids[0]) if len(ids) == 1 else f"{len(ids)} resources"
