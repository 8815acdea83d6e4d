"""What the embedded provider refuses, what it says of health, and what it does when its file or supervisor is odd."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.engine.intents import PREFERENCE
from reconciler.host.fake import FACTS, FakeHost
from reconciler.host.protocol import Response
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict, ObserveError, UnsupportedSpec
from reconciler.model.ills import NotYet
from reconciler.model.state import State
from reconciler.provider import Supported, Unsupported, Wanted
from reconciler.providers.embedded.control import digest
from reconciler.providers.embedded.provider import Embedded
from reconciler.providers.embedded.table import spell
from reconciler.testing.builders import change
from tests.conformance.test_embedded import automation, service

FOLDER = "/var/state/supervisor"
WEB = ResourceId("Service", "web")
STATE = State({"command": ["serve"]})
CONTENT = spell({WEB: STATE}) or b""


def host(status: dict[str, Any] | None = None, content: bytes | None = CONTENT) -> FakeHost:
    """One whose supervisor answers this; None: none runs."""
    from dataclasses import replace

    files = {} if content is None else {f"{FOLDER}/definitions.json": content}
    found = FakeHost(files=files, facts=replace(FACTS, state="/var/state"))
    if status is not None:
        body = json.dumps({"digest": digest(content), "refused": "", "services": {}, **status}).encode()
        found.services[f"{FOLDER}/socket"] = lambda _method, _target, _body: Response(200, {}, body)
    return found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user", "www"),
        ("scope", "system"),
        ("requires", ["keychain"]),
        ("runner", "off"),
        ("schedule", {"at": "login"}),
        ("command", ["a\0b"]),
        ("workingDirectory", "here"),
    ],
)
def test_what_it_cannot_do_is_refused_by_field(field: str, value: Json) -> None:
    with pytest.raises(UnsupportedSpec) as refusal:
        Embedded().canonical(automation("a", **{field: value}))
    assert refusal.value.field == field


@pytest.mark.parametrize(("field", "value"), [("image", "app:1"), ("volumes", ["a:/a"]), ("pull", "always")])
def test_containers_are_refused_by_field(field: str, value: Json) -> None:
    with pytest.raises(UnsupportedSpec) as refusal:
        Embedded().canonical(service("a", **{field: value}))
    assert refusal.value.field == field


def test_a_zone_and_making_up_need_a_schedule_that_has_them() -> None:
    for schedule, more in (({"every": 60}, {"timezone": "Europe/Berlin"}), ({"at": "boot"}, {"missed": "all"})):
        with pytest.raises(UnsupportedSpec):
            Embedded().canonical(automation("a", schedule=schedule, **more))


def test_it_comes_last_and_works_on_linux_and_macos() -> None:
    assert {order[-1] for order in PREFERENCE.values()} == {"embedded"}
    from dataclasses import replace

    assert isinstance(Embedded().probe(FakeHost()), Supported)
    assert isinstance(Embedded().probe(FakeHost(facts=replace(FACTS, platform="plan9"))), Unsupported)


def test_health_names_what_was_given_up_with_its_last_lines() -> None:
    lost = {"state": "fatal", "reason": "given up after 2", "output": ["one", "two", "", "three", "four"]}
    why = Embedded().health(host({"services": {"Service/web": lost}}), [WEB])
    assert why == {WEB: "it is fatal: given up after 2; its last output: two | three | four"}
    fine = {"state": "running", "reason": ""}
    assert Embedded().health(host({"services": {"Service/web": fine}}), [WEB]) is None
    assert Embedded().health(host({"services": {}}), [WEB]) == {WEB: "it is not known to the supervisor"}


def test_a_service_that_is_not_ready_yet_is_left_to_its_probes() -> None:
    """They may take as long as the manifest says; the first look may not decide."""
    early = {"state": "starting", "reason": "it is not ready yet"}
    assert Embedded().health(host({"services": {"Service/web": early}}), [WEB]) is None


def test_what_waits_or_is_stopped_passes_by_itself_unless_nothing_can_help_it() -> None:
    def why(**service: object) -> str:
        ills = Embedded().health(host({"services": {"Service/web": service}}), [WEB])
        assert isinstance(ills, dict)
        return ills[WEB]

    waits = {"state": "waiting", "reason": "it waits for Service/db, which is starting"}
    assert isinstance(why(**waits), NotYet)
    assert why(state="stopping") == "it is stopping"
    assert isinstance(why(state="stopping"), NotYet)
    assert not isinstance(why(**waits, stuck=True), NotYet)
    for state in ("fatal", "backoff"):
        assert not isinstance(why(state=state), NotYet)


def test_health_says_that_nobody_follows_the_file() -> None:
    assert Embedded().health(host(), [WEB]) == "the embedded supervisor does not run"
    assert Embedded().health(host({"digest": "1"}), [WEB]) == "the embedded supervisor runs by older definitions"
    assert "cannot use it" in (Embedded().health(host({"refused": "cannot use it"}), [WEB]) or "")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"v":2,"entries":[]}', CONTENT[:-9], CONTENT.replace(b"Serv", b"X")]
)
def test_a_damaged_file_is_never_taken_for_an_empty_one_and_never_overwritten(content: bytes) -> None:
    odd = host({}, content)
    with pytest.raises(ObserveError, match="cannot use"):
        Embedded().observe(odd, [])
    with pytest.raises(Conflict):
        Embedded().apply(odd, [change("Service/new", None, STATE)])
    assert odd.files[f"{FOLDER}/definitions.json"] == content


def test_what_was_applied_and_runs_no_more_is_drift() -> None:
    def seen(found: FakeHost, wanted: Wanted) -> State:
        return Embedded().observe(found, [wanted]).found[0].state

    steady = Wanted(WEB, STATE, STATE)
    assert seen(host({}), steady) == STATE
    assert seen(host(), steady) == State({**STATE.attributes, "loaded": False})
    assert seen(host(), Wanted(WEB, STATE, None)) == STATE  # a crash before its start: not begun, not drift


def test_a_supervisor_that_refuses_or_does_not_follow_fails_the_apply() -> None:
    for answer, why in (
        ({"refused": "no"}, "refuses its definitions: no"),
        ({"digest": "other"}, "by other definitions"),
    ):
        with pytest.raises(ApplyError, match=why):
            Embedded().apply(host(answer), [change("Service/web", STATE, State({"command": ["other"]}))])
