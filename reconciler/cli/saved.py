"""Saved plans: the desired set and the fingerprint that apply must meet again, with the plan to read."""

from __future__ import annotations

import json
from pathlib import Path

from reconciler.app import Planned
from reconciler.cli.render.json import plan_json
from reconciler.model.address import ResourceId, parse_address
from reconciler.model.codec import decode, encode
from reconciler.model.data import Json
from reconciler.model.errors import ReconcileError
from reconciler.model.frozen import dataclass
from reconciler.model.intent import Request
from reconciler.model.mask import Mask
from reconciler.model.resource import Desired

FORMAT = 1
MARK = "reconcilerPlan"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What is needed to make the same plan again, and to know that it is the same."""

    desired: Desired
    request: Request
    fingerprint: str
    mask_key: str  # the fingerprint is of masked values, so they must be masked alike again


def saved_json(planned: Planned) -> Json:
    """A plan as the content of a file for `reconcile apply FILE`."""
    mask = Mask(planned.snapshot.mask_key)
    return {
        MARK: FORMAT,
        "fingerprint": planned.plan.fingerprint,
        "maskKey": planned.snapshot.mask_key,
        "plan": plan_json(planned.plan, taken=planned.snapshot.taken, mask=mask),
        "desired": encode(planned.desired),
        "request": encode(_sorted(planned.request)),
    }


def _sorted(request: Request) -> dict[str, object]:
    return {
        "targets": sorted(map(str, request.targets)),
        "accept": sorted(request.accept),
        "adopt": sorted(map(str, request.adopt)),
        "whole_tree": request.whole_tree,
        "prune": request.prune,
    }


def is_saved(path: Path) -> bool:
    """Whether a path is a saved plan rather than manifests."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return MARK.encode() in file.read(64)
    except OSError:
        return False


def read_saved(path: Path) -> SavedPlan:
    """A saved plan. Raises ReconcileError where the file is damaged or of another format."""
    hint = "make it again with `reconcile plan --out FILE`"
    try:
        data = json.loads(path.read_bytes())
        if data.get(MARK) != FORMAT:
            raise ReconcileError(
                f"cannot read the plan {path}: its format is {data.get(MARK)}, this version reads {FORMAT}", hint=hint
            )
        request = data["request"]
        return SavedPlan(
            desired=decode(Desired, data["desired"]),
            request=Request(
                targets=_addresses(request["targets"]),
                accept=frozenset(request["accept"]),
                adopt=_addresses(request["adopt"]),
                whole_tree=request["whole_tree"],
                prune=decode(type(Request().prune), request["prune"]),
            ),
            fingerprint=data["fingerprint"],
            mask_key=str(data["maskKey"]),
        )
    except OSError as error:
        raise ReconcileError(f"cannot read the plan {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReconcileError(f"cannot read the plan {path}: it is damaged ({error})", hint=hint) from error


def _addresses(texts: list[str]) -> frozenset[ResourceId]:
    return frozenset(parse_address(text) for text in texts)
