"""Snapshots that may leave the host: secret-looking values masked, restore data taken out; and back again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.model.codec import decode, encode
from reconciler.model.data import Json
from reconciler.model.errors import ReconcileError
from reconciler.model.intent import Intent
from reconciler.model.mask import Mask
from reconciler.model.resource import Resource
from reconciler.model.state import Observed, Snapshot, State

FORMAT = 1


def masked_intents(intents: Sequence[Intent], snapshot: Snapshot) -> tuple[Intent, ...]:
    """Intents in the same disguise as a masked snapshot, so that equal values still compare equal."""
    mask = Mask(snapshot.mask_key)
    return tuple(replace(intent, state=masked_state(intent.state, mask)) for intent in intents)


def masked_state(state: State, mask: Mask) -> State:
    attributes = mask.json(state.attributes)
    return State(attributes if isinstance(attributes, dict) else {})


def masked_snapshot(snapshot: Snapshot) -> Snapshot:
    """The snapshot without anything that a reader of a plan may not see."""
    mask = Mask(snapshot.mask_key)
    return replace(
        snapshot,
        found=tuple(_masked(item, mask) for item in snapshot.found),
        inventory=tuple(replace(o, state=masked_state(o.state, mask)) for o in snapshot.inventory),
        own=tuple(decode(Resource, mask.json(encode(resource))) for resource in snapshot.own),
    )


def _masked(item: Observed, mask: Mask) -> Observed:
    return replace(item, state=masked_state(item.state, mask), document=mask.text(item.document), restore=None)


def snapshot_json(snapshot: Snapshot) -> Json:
    """A masked snapshot as the content of a file."""
    return {"format": FORMAT, "snapshot": encode(masked_snapshot(snapshot))}


def read_snapshot(path: Path) -> Snapshot:
    """A snapshot written by `reconcile snapshot --out`. Raises ReconcileError on anything else."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise ReconcileError(f"cannot read the snapshot {path}: {error.strerror}") from error
    except ValueError as error:
        raise ReconcileError(f"cannot read the snapshot {path}: not JSON ({error})") from error
    hint = "make one with `reconcile snapshot --out FILE` on the host"
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ReconcileError(f"cannot read the snapshot {path}: not a snapshot of format {FORMAT}", hint=hint)
    try:
        return decode(Snapshot, data["snapshot"])
    except (KeyError, ValueError) as error:
        raise ReconcileError(f"cannot read the snapshot {path}: {error}", hint=hint) from error
