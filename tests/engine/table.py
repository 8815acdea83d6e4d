"""A provider that keeps everything in one dictionary, and short ways to say desired and observed.

For tables of decisions; the executor and the journal have tests of their own on real files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

from reconciler.engine import reconcile
from reconciler.model.address import ResourceId, parse_address
from reconciler.model.change import Change
from reconciler.model.intent import Intent, Request
from reconciler.model.plan import ApplyStep, Plan
from reconciler.model.resource import Desired, DriftPolicy, Protect, Resource, Revision, Source, VerifyPolicy
from reconciler.model.state import (
    HostFacts,
    Observation,
    Observed,
    Owned,
    Ownership,
    Quarantined,
    Snapshot,
    State,
)
from reconciler.provider import Finding, Support, Supported, Wanted

HOST = HostFacts("atlas", "linux", "ada", "Europe/Berlin")
REVISION = Revision("d" * 32)
TAKEN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Table:
    """A provider whose review answers whatever a test scripts."""

    name: ClassVar[str] = "table"
    kinds: ClassVar[frozenset[str]] = frozenset({"Automation"})
    lock: ClassVar[str | None] = "table"

    def __init__(self, findings: Sequence[Finding] = ()) -> None:
        self.findings = tuple(findings)

    def probe(self, _host: object) -> Support:
        return Supported()

    def canonical(self, resource: Resource) -> State:
        return State(dict(resource.spec))

    def document(self, id: ResourceId, state: State) -> str:
        return f"{id} {dict(state.attributes)}"

    def observe(self, _host: object, _wanted: Sequence[Wanted]) -> Observation:
        return Observation(())

    def batch(self, _change: Change) -> str | None:
        return "all"

    def apply(self, _host: object, _changes: Sequence[Change]) -> None:
        raise AssertionError("deciding must not act")

    def health(self, _host: object, _ids: Sequence[ResourceId]) -> str | None:
        return None

    def review(
        self, facts: Mapping[str, object], after: Mapping[ResourceId, State], changes: Sequence[Change]
    ) -> tuple[Finding, ...]:
        return self.findings


def wanted(
    name: str,
    value: object = 1,
    *,
    needs: Sequence[str] = (),
    drift: DriftPolicy = DriftPolicy.REVERT,
    protect: Protect | None = None,
    suspend: bool = False,
    ignore: Sequence[str] = (),
    verify: VerifyPolicy = VerifyPolicy(),
    **more: object,
) -> Intent:
    spec = {"value": value, **more}
    resource = Resource(
        id=address(name),
        spec=spec,
        source=Source("desired/x.yaml", 1),
        depends_on=tuple(address(need) for need in needs),
        drift=drift,
        protect=protect,
        suspend=suspend,
        ignore=tuple(ignore),
        verify=verify,
    )
    return Intent(resource, "table", State(spec))


def address(name: str) -> ResourceId:
    return parse_address(f"Automation/{name}")


def ours(name: str, value: object = 1, *, trouble: str | None = None, **more: object) -> Observed:
    return Observed(
        address(name),
        "table",
        State({"value": value, **more}),
        Ownership.OURS,
        f"row {name}",
        f"<{name}>",
        {"at": name},
        trouble,
    )


def foreign(name: str, value: object = 1) -> Observed:
    return replace(ours(name, value), ownership=Ownership.FOREIGN, where=f"your row {name}")


def owned(name: str, value: object = 1, protect: Protect | None = None, **more: object) -> Owned:
    return Owned(address(name), "table", State({"value": value, **more}), protect, REVISION.digest)


def snapshot(
    found: Sequence[Observed] = (),
    inventory: Sequence[Owned] = (),
    *,
    lost: bool = False,
    quarantine: Sequence[Quarantined] = (),
    unsupported: Mapping[str, str] | None = None,
    notices: Sequence[str] = (),
) -> Snapshot:
    return Snapshot(
        taken=TAKEN,
        host=HOST,
        found=tuple(found),
        facts={"table": {}},
        unsupported=unsupported or {},
        inventory=tuple(inventory),
        inventory_lost=lost,
        quarantine=tuple(quarantine),
        notices=tuple(notices),
        mask_key="k",
    )


def decide(
    intents: Sequence[Intent],
    snap: Snapshot,
    request: Request = Request(),
    findings: Sequence[Finding] = (),
) -> reconcile.Decision:
    desired = Desired("desired", REVISION, tuple(intent.resource for intent in intents))
    return reconcile.decide(desired, intents, snap, request, {"table": Table(findings)})


def text(plan: Plan) -> str:
    """One line per step, veto and skip: the form that the tables below compare."""
    lines = []
    for step in plan.steps:
        needs = f" after {','.join(map(str, step.needs))}" if step.needs else ""
        if isinstance(step, ApplyStep):
            last = " last" if step.after_all else ""
            change = step.change
            lines.append(f"{step.number} {change.action} {change.id.name} ({change.cause}){needs}{last}")
        else:
            lines.append(f"{step.number} verify {step.id.name}{needs}")
    lines += [f"veto {veto.guard}{f' {veto.id.name}' if veto.id else ''}" for veto in plan.vetoes]
    lines += [f"skip {skip.id.name}{' drift' if skip.drift else ''}" for skip in plan.skipped]
    return "\n".join(lines)
