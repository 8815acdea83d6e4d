"""A plan that puts back units and a container that somebody stopped, disabled, paused and edited."""

from __future__ import annotations

from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.plan import Plan
from reconciler.model.resource import Resource
from reconciler.model.state import State
from reconciler.provider import Provider
from reconciler.providers.container.provider import Container
from reconciler.providers.systemd.provider import Systemd
from reconciler.testing.builders import resource
from tests.render.build import plan_of

REASON = "somebody changed it on the host: it is put back as the manifest says"


def drift_units() -> Plan:
    stop: Json = {"signal": "SIGTERM", "grace": 10}
    worker = resource("Service/worker", command=["/usr/bin/worker"], restart={"policy": "always"}, stop=stop)
    disk = resource("Automation/disk", schedule="@hourly", command=["/usr/bin/disk"], environment={"LIMIT": "95"})
    lost = resource(
        "Automation/lost", schedule="@daily", command=["/opt/reconcile", "exec", "lost", "--", "/usr/bin/lost"]
    )
    web = resource("Service/web", image="web:1", restart={"policy": "always"}, stop=stop)
    down = {"activity": "stopped", "stale": True, "enabled": False}
    text = Systemd().document(disk.id, Systemd().canonical(disk)).replace("LIMIT=95", "LIMIT=99")
    return plan_of(
        [
            _meddled(Systemd(), worker, down),
            _meddled(Systemd(), disk, {"scope": "", "text": text, "activity": "failed"}, text),
            _meddled(Systemd(), lost, {"scope": "", "text": "only its service is left"}, "only its service is left"),
            _meddled(Container({}), web, {"status": "paused"}),
        ],
        unchanged=4,
    )


def _meddled(provider: Provider, wanted: Resource, found: dict[str, Json], text: str | None = None) -> Change:
    """An update that mends what was `found`; with a `text`, nothing else is known of the thing."""
    after = provider.canonical(wanted)
    document = provider.document(wanted.id, after)
    return Change(
        id=wanted.id,
        provider=provider.name,
        action=Action.UPDATE,
        before=State(found if text else {**after.attributes, **found}),
        after=after,
        cause=Cause.DRIFT,
        reason=REASON,
        where=f"/etc/systemd/system/{wanted.id.name}",
        document_before=text or document,
        document_after=document,
    )
