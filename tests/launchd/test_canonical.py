"""What launchd can express and what it refuses, and that every canonical state is the one that its plist reads as."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kinds.automation import Automation
from reconciler.kinds.service import Service
from reconciler.model.address import ResourceId
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.resource import Resource, Source
from reconciler.providers.launchd.canonical import canonical
from reconciler.providers.launchd.definition import DIGEST, ID, Form, dump, load, parse, render

AUTO = {"schedule": "0 6 * * *", "command": ["true"]}
SERVE = {"command": ["/usr/bin/serve"]}


def made(kind: str, **spec: Any) -> Resource:
    model = Service if kind == "Service" else Automation
    return Resource(ResourceId(kind, "job"), model.spec_data(spec), Source("", 0))


def plist(kind: str, **spec: Any) -> dict[str, Any]:
    resource = made(kind, **spec)
    return render(resource.id, canonical(resource), Form("/Users/me"))


@pytest.mark.parametrize(
    ("kind", "spec", "field", "hint"),
    [
        ("Automation", {**AUTO, "timezone": "Asia/Tokyo"}, "timezone", "systemd"),
        ("Automation", {**AUTO, "missed": "skip"}, "missed", "crontab"),
        ("Automation", {**AUTO, "schedule": {"every": "7m"}, "missed": "latest"}, "missed", "embedded"),
        ("Automation", {**AUTO, "schedule": {"every": "1500ms"}}, "schedule", "systemd"),
        ("Automation", {**AUTO, "schedule": {"every": "5s"}}, "schedule", "systemd"),
        ("Automation", {**AUTO, "schedule": "0-30 9-17 * * 1-5"}, "schedule", "crontab"),
        ("Automation", {**AUTO, "schedule": {"at": "login"}, "scope": "system"}, "schedule", "scope: user"),
        ("Automation", {**AUTO, "requires": ["gui"], "scope": "system"}, "requires", "scope: user"),
        ("Automation", {**AUTO, "user": "www", "scope": "user"}, "user", "scope: system"),
        ("Automation", {**AUTO, "user": "www"}, "workingDirectory", "absolute"),
        ("Automation", {**AUTO, "command": ["~/bin/x"]}, "command", "absolute"),
        ("Automation", {**AUTO, "command": ["A=1", "x"]}, "command", "absolute"),
        ("Automation", {**AUTO, "command": ["x", "\x1b[31m"]}, "command", "script"),
        ("Automation", {**AUTO, "environment": {"RECONCILER_ID": "x"}}, "environment.RECONCILER_ID", None),
        ("Service", {"image": "redis:7"}, "image", "container"),
        ("Service", {**SERVE, "image": "redis:7"}, "image", "container"),
        ("Service", {**SERVE, "volumes": ["data:/data"]}, "volumes", "container"),
        ("Service", {**SERVE, "networks": ["net"]}, "networks", "container"),
        ("Service", {**SERVE, "hostname": "h"}, "hostname", "container"),
        ("Service", {**SERVE, "ports": [{"host": 1, "target": 2}]}, "ports", "container"),
        ("Service", {**SERVE, "stop": {"signal": "SIGINT"}}, "stop.signal", "systemd"),
        ("Service", {**SERVE, "stop": {"grace": "1500ms"}}, "stop.grace", "systemd"),
    ],
)
def test_what_launchd_cannot_express_is_refused_by_field(
    kind: str, spec: dict[str, Any], field: str, hint: str | None
) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        canonical(made(kind, **spec))
    assert caught.value.field == field
    assert hint is None or hint in (caught.value.hint or "")


def test_an_automation_becomes_an_agent_with_absolute_paths_and_our_mark() -> None:
    found = plist("Automation", **AUTO, workingDirectory="~/atlas", environment={"A": "1"})
    assert found["Label"] == "reconciler.automation.job"
    assert found["ProgramArguments"] == ["/usr/bin/env", "true"]
    assert found["StartCalendarInterval"] == {"Minute": 0, "Hour": 6}
    assert found["WorkingDirectory"] == "/Users/me/atlas"
    assert found["StandardOutPath"] == "/Users/me/Library/Logs/reconciler/automation.job.log"
    assert found["EnvironmentVariables"]["A"] == "1"
    assert found["EnvironmentVariables"][ID] == "Automation/job"
    assert len(found["EnvironmentVariables"][DIGEST]) == 32
    assert "RunAtLoad" not in found


@pytest.mark.parametrize(
    ("policy", "expected"), [("always", True), ("on-failure", {"SuccessfulExit": False}), ("no", None)]
)
def test_a_service_is_kept_alive_by_its_restart_policy(policy: str, expected: object) -> None:
    found = plist("Service", **SERVE, restart={"policy": policy}, stop={"grace": "30s"})
    assert found.get("KeepAlive") == expected
    assert (found["RunAtLoad"], found["ExitTimeOut"]) == (True, 30)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"every": "5m"}, "StartCalendarInterval"),
        ({"every": "7m"}, "StartInterval"),
        ({"every": "30s"}, "StartInterval"),
        ({"at": "login"}, "RunAtLoad"),
        ("@reboot", "RunAtLoad"),
    ],
)
def test_an_interval_that_divides_follows_the_clock_and_others_count(schedule: Any, expected: str) -> None:
    found = plist("Automation", **{**AUTO, "schedule": schedule})
    assert {"StartCalendarInterval", "StartInterval", "RunAtLoad"} & found.keys() == {expected}


def test_a_daemon_names_its_user_and_logs_where_the_machine_does() -> None:
    found = plist("Service", **SERVE, user="www", scope="system")
    assert found["UserName"] == "www"
    assert found["StandardErrorPath"] == "/Library/Logs/reconciler/service.job.log"


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1).filter(
    lambda text: text.strip() and "\n" not in text
)


ARGV = st.lists(TEXTS, min_size=1).map(lambda argv: ["/bin/" + argv[0], *argv[1:]])
SPECIAL = st.sampled_from([["/bin/sh", "-c", "x"], ["/usr/bin/env", "x"], ["/usr/bin/env", "A=1", "x"], ["./x", "y"]])
SCHEDULES = ["@daily", "1,2 3 4 5 6", {"every": "7m"}, {"every": "1h"}, {"at": "boot"}, {"at": "login"}]


@given(
    command=TEXTS | ARGV | SPECIAL,
    environment=st.dictionaries(st.sampled_from(["A", "B"]), TEXTS),
    schedule=st.sampled_from(SCHEDULES),
    directory=st.sampled_from([None, "~", "~/x y", "/srv"]),
)
def test_a_canonical_state_is_what_its_plist_reads_as(
    command: Any, environment: dict[str, str], schedule: Any, directory: str | None
) -> None:
    spec = {"command": command, "environment": environment, "schedule": schedule}
    resource = made("Automation", **spec, **({"workingDirectory": directory} if directory else {}))
    state = canonical(resource)
    for form in (Form("/Users/me"), Form("/Users/me", background=True), Form()):
        content = dump(render(resource.id, state, form))
        assert parse(resource.id, load(content) or {}, form) == state
