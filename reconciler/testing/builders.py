"""Short ways to make model values in tests: every argument that a test does not care about has a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from reconciler.model.address import ResourceId, parse_address
from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json, digest
from reconciler.model.plan import ApplyStep, Plan, Step, VerifyStep
from reconciler.model.resource import Desired, Probe, Protect, Resource, Revision, Source
from reconciler.model.state import HostFacts, Observed, Owned, Ownership, Quarantined, Snapshot, State

TAKEN = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
HOST = HostFacts(name="fake", platform="linux", user="tester", timezone="Europe/Berlin")
REVISION = Revision(digest="0" * 32)


def address(text: str) -> ResourceId:
    """`Note/a`, or just `a` for a Note."""
    return parse_address(text if "/" in text else f"Note/{text}")


def resource(name: str, /, source: str = "notes.yaml", line: int = 1, **spec: Json) -> Resource:
    """A resource with the given spec: `resource("a", text="hello")`, `resource("Automation/a", …)`."""
    return Resource(id=address(name), spec=spec, source=Source(source, line))


def state(**attributes: Json) -> State:
    return State(attributes)


def observed(
    name: str,
    found: State,
    *,
    provider: str = "memory",
    ownership: Ownership = Ownership.OURS,
    where: str = "notes.jsonl, line 1",
    document: str = "",
    restore: Json = None,
    trouble: str | None = None,
) -> Observed:
    return Observed(address(name), provider, found, ownership, where, document, restore, trouble)


def owned(name: str, applied: State, *, provider: str = "memory", protect: Protect | None = None) -> Owned:
    return Owned(address(name), provider, applied, protect)


def desired(*resources: Resource, path: str = "desired/", revision: Revision | None = None) -> Desired:
    """The whole desired set, sorted; its revision is the digest of the specs unless given."""
    ordered = tuple(sorted(resources, key=lambda one: one.id))
    identity = digest([[str(one.id), one.spec] for one in ordered])
    return Desired(path, revision or Revision(identity), ordered)


def snapshot(
    *found: Observed,
    inventory: Sequence[Owned] = (),
    inventory_lost: bool = False,
    facts: Mapping[str, Mapping[str, Json]] | None = None,
    unsupported: Mapping[str, str] | None = None,
    quarantine: Sequence[Quarantined] = (),
    notices: Sequence[str] = (),
    host: HostFacts = HOST,
) -> Snapshot:
    return Snapshot(
        taken=TAKEN,
        host=host,
        found=tuple(sorted(found, key=lambda one: (one.id, one.where))),
        facts=facts or {},
        unsupported=unsupported or {},
        inventory=tuple(inventory),
        inventory_lost=inventory_lost,
        quarantine=tuple(quarantine),
        notices=tuple(notices),
        mask_key="0" * 32,
    )


def change(
    name: str,
    before: State | None = None,
    after: State | None = None,
    *,
    action: Action | None = None,
    provider: str = "memory",
    cause: Cause = Cause.PENDING,
    reason: str = "a test asks for it",
    restore: Json = None,
) -> Change:
    """A change whose action follows from `before` and `after` unless it is given."""
    return Change(
        id=address(name),
        provider=provider,
        action=action or action_between(before, after),
        before=before,
        after=after,
        cause=cause,
        reason=reason,
        restore=restore,
    )


def action_between(before: State | None, after: State | None) -> Action:
    """The plain verb that leads from one state to another."""
    if before == after:
        return Action.NONE
    if before is None:
        return Action.CREATE
    return Action.DELETE if after is None else Action.UPDATE


def apply_step(number: int, what: Change, *, needs: Sequence[int] = (), batch: str | None = "notes") -> ApplyStep:
    return ApplyStep(number, tuple(needs), what, batch)


def verify_step(
    number: int,
    name: str,
    *,
    needs: Sequence[int] = (),
    provider: str = "memory",
    within: float = 60.0,
    stable_for: float = 0.0,
    probes: Sequence[Probe] = (),
) -> VerifyStep:
    return VerifyStep(number, tuple(needs), address(name), provider, within, stable_for, tuple(probes))


def plan(*steps: Step, path: str = "desired/", unchanged: int = 0, fingerprint: str = "") -> Plan:
    """A plan of these steps that nothing refuses."""
    ids = [step.change.id for step in steps if isinstance(step, ApplyStep)]
    return Plan(
        path=path,
        host=HOST,
        revision=REVISION,
        steps=steps,
        skipped=(),
        vetoes=(),
        notices=(),
        unchanged=unchanged,
        sources=dict.fromkeys(ids, "notes.yaml:1"),
        fingerprint=fingerprint,
    )
