"""A plan that moves a service with its port from one backend to another, as the engine makes it."""

from __future__ import annotations

from dataclasses import replace

from reconciler.engine.reconcile import decide
from reconciler.model.data import Json
from reconciler.model.intent import Intent, Request
from reconciler.model.plan import Plan
from reconciler.model.resource import Desired, VerifyPolicy
from reconciler.model.state import Observed, Owned, Ownership, Snapshot
from reconciler.provider import Provider
from reconciler.providers.container.provider import Container
from reconciler.providers.systemd.provider import Systemd
from reconciler.testing.builders import resource
from tests.render.build import ATLAS, COMMIT, TAKEN


def moved() -> Plan:
    providers: dict[str, Provider] = {"container": Container({}), "systemd": Systemd()}
    common: dict[str, Json] = {
        "restart": {"policy": "always"},
        "stop": {"signal": "SIGTERM", "grace": 10},
        "ports": [{"host": 8080, "target": 8080, "address": "127.0.0.1", "protocol": "tcp"}],
    }
    old = providers["container"].canonical(resource("Service/web", image="web:1", **common))
    new = resource("Service/web", "desired/web.yaml", command=["/usr/bin/web"], supervisor="systemd", **common)
    new = replace(new, verify=VerifyPolicy(within=30.0, stable_for=0.0, probes=()))
    document = providers["container"].document(new.id, old)
    stands = Observed(new.id, "container", old, Ownership.OURS, "container web", document)
    snapshot = Snapshot(
        taken=TAKEN,
        host=ATLAS,
        found=(stands,),
        facts={"container": {}, "systemd": {}},
        unsupported={},
        inventory=(Owned(new.id, "container", old),),
        inventory_lost=False,
        quarantine=(),
        notices=(),
        mask_key="golden",
    )
    intent = Intent(new, "systemd", providers["systemd"].canonical(new))
    return decide(Desired("desired", COMMIT, (new,)), (intent,), snapshot, Request(), providers).plan
