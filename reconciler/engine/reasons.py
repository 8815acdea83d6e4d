"""Whose change it is, and what a lost mark means: the words of a difference. Pure."""

from __future__ import annotations

from reconciler.model.address import ResourceId
from reconciler.model.change import Cause
from reconciler.model.plan import Veto
from reconciler.model.state import Observed, Owned, Snapshot, State

EDITED = "somebody changed it on the host"


def explain(desired: State, observed: Observed, applied: State | None) -> tuple[Cause, str]:
    """Whose change it is: ours (pending), somebody else's or a mishap (drift), or both."""
    if applied is None:
        return Cause.PENDING, "carries our mark, but differs from the manifest"
    if applied == desired:
        return Cause.DRIFT, f"{observed.idle or EDITED}: it is put back as the manifest says"
    if applied == observed.state:
        return Cause.PENDING, "the manifest changed"
    return Cause.PENDING, f"the manifest changed, and {observed.idle or f'{EDITED} as well'}"


def absent(entry: Owned, snapshot: Snapshot) -> tuple[Cause, str]:
    """Why something that was applied is not there: somebody removed it, or another backend of its kind is asked."""
    before = snapshot.left_with(entry)
    if before is None:
        return Cause.DRIFT, "somebody removed it from the host"
    return Cause.PENDING, f"it was applied on {before}, and now {snapshot.keeper(entry.provider)} is asked"


def mark_lost(id_: ResourceId, foreign: Observed) -> Veto:
    return Veto(
        guard="ownership",
        message=f"{foreign.where} runs what {id_} runs, but no longer carries our mark: it may be yours now",
        id=id_,
        hint=f"`reconcile adopt {id_}` takes it over again; or remove that entry, or the manifest",
    )
