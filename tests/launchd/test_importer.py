"""Foreign plists as manifests: what is carried over runs the same, and what is not says why."""

from __future__ import annotations

import plistlib
from typing import Any

import pytest

from reconciler.kinds.automation import Automation
from reconciler.kinds.service import Service
from reconciler.model.address import ResourceId
from reconciler.model.errors import ObserveError
from reconciler.model.resource import Resource, Source
from reconciler.provider import Imported, Wanted
from reconciler.providers.launchd.provider import Launchd
from reconciler.testing.mac import AGENTS, MacHost

BASE: dict[str, Any] = {"Label": "com.example.job", "ProgramArguments": ["/bin/job", "x"]}


def imported(**keys: Any) -> tuple[MacHost, Imported]:
    mac = MacHost()
    mac.put(f"{AGENTS}/com.example.job.plist", plistlib.dumps({**BASE, **keys}))
    (found,) = Launchd().foreign(mac, None)
    return mac, found


@pytest.mark.parametrize(
    ("keys", "kind", "expected"),
    [
        ({"StartInterval": 420}, "Automation", {"schedule": {"every": "420s"}}),
        ({"StartCalendarInterval": {"Hour": 6, "Minute": 0}}, "Automation", {"schedule": "0 6 * * *"}),
        ({"StartCalendarInterval": {}}, "Automation", {"schedule": "* * * * *"}),
        (
            {"StartCalendarInterval": [{"Hour": 6, "Minute": 0, "Weekday": day} for day in (1, 2, 3, 7)]},
            "Automation",
            {"schedule": "0 6 * * 0-3"},
        ),
        ({"RunAtLoad": True}, "Automation", {"schedule": {"at": "login"}}),
        ({"KeepAlive": True, "RunAtLoad": True}, "Service", {"restart": {"policy": "always"}}),
        ({"KeepAlive": {"SuccessfulExit": False}}, "Service", {"restart": {"policy": "on-failure"}}),
    ],
)
def test_a_plist_becomes_a_manifest_that_sees_it_again(
    keys: dict[str, Any], kind: str, expected: dict[str, Any]
) -> None:
    mac, found = imported(**keys)
    manifest = found.manifest
    assert manifest is not None, found.why
    spec: Any = manifest["spec"]
    assert manifest["kind"] == kind
    assert {name: spec[name] for name in expected} == expected
    id_ = ResourceId(kind, "job")
    full = (Service if kind == "Service" else Automation).spec_data(spec)
    state = Launchd().canonical(Resource(id_, full, Source("", 0)))
    (twin,) = Launchd().observe(mac, [Wanted(id_, state, None)]).found
    assert twin.where == f"{AGENTS}/com.example.job.plist"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"RunAtLoad": True, "ExitTimeout": 5}, "the key is ExitTimeOut"),
        ({"RunAtLoad": True, "runatload": True}, "the key is RunAtLoad"),
        ({"RunAtLoad": True, "Sockets": {}}, "uses Sockets"),
        ({"RunAtLoad": True, "StartInterval": 60}, "one schedule"),
        ({"StartCalendarInterval": {"Day": 1, "Weekday": 1}}, "no single schedule"),
        ({"KeepAlive": {"NetworkState": True}}, "conditions"),
        ({"RunAtLoad": True, "Disabled": True}, "disabled"),
        ({}, "nothing ever starts it"),
        ({"RunAtLoad": True, "Program": "/bin/other"}, "another one"),
        ({"RunAtLoad": True, "EnvironmentVariables": {"API_TOKEN": "x"}}, "secret"),
    ],
)
def test_what_cannot_be_carried_over_says_why(keys: dict[str, Any], why: str) -> None:
    _, found = imported(**keys)
    assert found.manifest is None
    assert why in (found.why or "")


def test_bytes_that_are_no_plist_say_so() -> None:
    mac = MacHost()
    mac.put(f"{AGENTS}/x.plist", b"\xff\xfe")
    (found,) = Launchd().foreign(mac, None)
    assert found.why == "it is not a property list"


def test_nobody_elses_plists_are_imported() -> None:
    with pytest.raises(ObserveError, match="as oneself"):
        Launchd().foreign(MacHost(), "somebody")
