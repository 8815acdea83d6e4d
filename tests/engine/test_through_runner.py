"""How the command of an automation reaches a scheduler: through the runner, or as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.engine.intents import through_runner
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.job import unwrapped
from reconciler.model.resource import Resource, Source
from reconciler.model.state import HostFacts, State

HOST = HostFacts("atlas", "linux", "ada", "UTC", runner="/opt/bin/reconcile")


def automation(**spec: Json) -> Resource:
    plain: dict[str, Json] = {"schedule": "@daily", "command": ["a", "b"], "workingDirectory": None, "runner": "on"}
    return Resource(ResourceId("Automation", "brief"), plain | spec, Source("x.yaml", 1))


def command(resource: Resource, host: HostFacts = HOST) -> Json:
    return through_runner(resource, host)[0].spec["command"]


def test_the_command_stays_visible_behind_the_runner() -> None:
    assert command(automation()) == ["/opt/bin/reconcile", "exec", "brief", "--", "a", "b"]
    assert command(automation(command="a | b"))[-3:] == ["/bin/sh", "-c", "a | b"]  # type: ignore[index]


def test_its_folder_is_the_business_of_the_runner() -> None:
    resource, _ = through_runner(automation(workingDirectory="~/atlas"), HOST)
    assert resource.spec["workingDirectory"] is None
    assert resource.spec["command"] == ["/opt/bin/reconcile", "exec", "brief", "--in", "~/atlas", "--", "a", "b"]


def test_what_the_runner_is_told_is_named_by_its_digest() -> None:
    resource, job = through_runner(automation(job={"timeout": 5}), HOST)
    assert job is not None
    assert resource.spec["command"][2] == f"brief@{job.digest}"  # type: ignore[index]
    assert dict(job.settings) == {"timeout": 5}


def test_an_unusual_state_folder_stands_in_the_line() -> None:
    host = replace(HOST, state="/srv/state")
    assert command(automation(), host) == [
        "/opt/bin/reconcile",
        "exec",
        "brief",
        "--state",
        "/srv/state",
        "--",
        "a",
        "b",
    ]


def test_another_user_goes_through_it_only_where_he_can_reach_it() -> None:
    """A program that cannot be started would keep the job from running."""
    shared = replace(HOST, shared=True)
    assert command(automation(user="bob"), shared)[1] == "exec"  # type: ignore[index]
    for host in (HOST, replace(shared, state="/srv/state")):
        assert command(automation(user="bob"), host) == ["a", "b"]
        with pytest.raises(UnsupportedSpec, match="bob cannot reach the runner") as caught:
            through_runner(automation(user="bob", job={"timeout": 5, "limits": {"nice": 5}}), host)
        assert [limit.field for limit in caught.value.limits] == ["limits", "timeout"]
    assert command(automation(user="ada"), replace(HOST, state="/srv"))[3:5] == ["--state", "/srv"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("resource", "host"),
    [(automation(runner="off"), HOST), (automation(), replace(HOST, runner=""))],
)
def test_without_the_runner_nothing_changes(resource: Resource, host: HostFacts) -> None:
    assert through_runner(resource, host) == (resource, None)


def test_a_service_does_not_go_through_it() -> None:
    service = Resource(ResourceId("Service", "web"), {"command": ["web"]}, Source("x.yaml", 1))
    assert through_runner(service, HOST) == (service, None)


@pytest.mark.parametrize("spec", [{}, {"command": "a > b"}, {"workingDirectory": "/srv"}, {"command": ["--", "-c"]}])
def test_unwrapping_gives_back_what_was_written(spec: dict[str, Json]) -> None:
    resource = automation(**spec)
    directory = {"directory": resource.spec["workingDirectory"]} if resource.spec["workingDirectory"] else {}
    wrapped = State({"command": command(resource)})
    assert unwrapped(wrapped) == State({"command": resource.spec["command"], **directory})
