"""Whose change it is, and what a lost mark means: the words of a difference. Pure."""

from __future__ import annotations

from reconciler.model.address import ResourceId
from reconciler.model.change import Cause
from reconciler.model.plan import Veto
from reconciler.model.state import Observed, State


def explain(desired: State, observed: State, applied: State | None) -> tuple[Cause, str]:
    """Whose change it is: ours (pending), somebody else's (drift), or both."""
    if applied is None:
        return Cause.PENDING, "carries our mark, but differs from the manifest"
    if applied == desired:
        return Cause.DRIFT, "somebody changed it on the host: it is put back as the manifest says"
    if applied == observed:
        return Cause.PENDING, "the manifest changed"
    return Cause.PENDING, "the manifest changed, and somebody changed it on the host as well"


def mark_lost(id_: ResourceId, foreign: Observed) -> Veto:
    return Veto(
        guard="ownership",
        message=f"{foreign.where} runs what {id_} runs, but no longer carries our mark: it may be yours now",
        id=id_,
        hint=f"`reconcile adopt {id_}` takes it over again; or remove that entry, or the manifest",
    )
