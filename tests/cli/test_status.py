"""`reconcile status` where a backend cannot be looked at: the others are shown all the same."""

from __future__ import annotations

import json

import pytest

from reconciler.model.address import ResourceId
from tests.cli import rollouts
from tests.cli.workplace import Workplace

SERVICE = """\
apiVersion: reconciler/v1
kind: Service
metadata: {name: web}
spec: {image: "web:1"}
---
apiVersion: reconciler/v1
kind: Port
metadata: {name: web-http}
spec: {port: 3999, owner: Service/web}
"""


@pytest.fixture
def halved(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """One automation that was applied, and a container on an engine that is not there."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{workplace.folder}/none.sock")
    workplace.manifest("backup")
    applied = workplace.run("apply", "--yes")
    assert applied.code == 0, applied.err
    workplace.write("desired/web.yaml", SERVICE)
    return workplace


def test_the_others_are_shown_and_the_one_is_named(halved: Workplace) -> None:
    halved.manifest("another")
    ran = halved.run("status")
    assert ran.code == 1
    assert "container could not be looked at; apart from that, " in ran.out.splitlines()[0]
    assert "  backend crontab    usable\n" in ran.out
    assert "none.sock: there is no such socket" in ran.out
    assert "what to do: start the container engine, or set DOCKER_HOST" in ran.out
    assert ran.out.endswith("Once container can be looked at: reconcile plan desired\n")
    data = json.loads(halved.run("status", "-o", "json").out)
    assert list(data["unseen"]) == ["container"]
    assert data["pending"] == 2  # the other automation, and the claim of the port
    assert halved.run("plan").code == 1


def test_all_is_well_again_once_it_can_be_looked_at(halved: Workplace) -> None:
    (halved.folder / "desired" / "web.yaml").unlink()
    ran = halved.run("status")
    assert ran.code == 0
    assert "everything is as the manifests ask" in ran.out


def test_what_carries_our_mark_and_is_in_no_inventory_is_named(workplace: Workplace) -> None:
    workplace.manifest("backup")
    workplace.manifest("forgotten")
    assert workplace.run("apply", "--yes").code == 0
    with rollouts.journal(workplace.state) as journal:
        journal.remember((), [ResourceId("Automation", "forgotten")])
    (workplace.folder / "desired/forgotten.yaml").unlink()
    said = "Automation/forgotten carries our mark but is not in the inventory"
    assert said in workplace.run("status").out
    workplace.manifest("forgotten")
    assert workplace.run("apply", "--yes").code == 0
    assert said not in workplace.run("status").out
