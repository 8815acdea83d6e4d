"""What the provider does with the awkward facts of launchd, on the stand-in of both generations."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator

import pytest

from reconciler.host.fake import Crash
from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict, ObserveError
from reconciler.model.state import Observed, Ownership, State
from reconciler.provider import Wanted
from reconciler.providers.launchd.provider import Launchd
from reconciler.testing.builders import action_between, resource
from reconciler.testing.mac import AGENTS, MacHost

JOB = ResourceId("Automation", "job")
SERVE = ResourceId("Service", "web")
LABEL, WEB = "reconciler.automation.job", "reconciler.service.web"
PATH = f"{AGENTS}/{LABEL}.plist"


@pytest.fixture(params=["newer", "older"])
def mac(request: pytest.FixtureRequest) -> MacHost:
    return MacHost(newer=request.param == "newer")


def wanted(id_: ResourceId = JOB, **spec: Json) -> State:
    base: dict[str, Json] = {"command": ["/bin/job"]}
    if id_.kind == "Automation":
        base["schedule"] = "0 6 * * *"
    return Launchd().canonical(resource(str(id_), **{**base, **spec}))


def seen(mac: MacHost, *items: Wanted) -> list[Observed]:
    return list(Launchd().observe(mac, items).found)


def step(mac: MacHost, after: State | None, id_: ResourceId = JOB) -> Change:
    found = next((i for i in seen(mac) if i.id == id_ and i.ownership is Ownership.OURS), None)
    before = found.state if found else None
    return Change(
        id_, "launchd", action_between(before, after), before, after, Cause.NEW, "test",
        restore=found.restore if found else None,
    )  # fmt: skip


def apply(mac: MacHost, after: State | None, id_: ResourceId = JOB) -> Change:
    change = step(mac, after, id_)
    Launchd().apply(mac, [change])
    return change


def loaded(mac: MacHost, label: str = LABEL) -> dict[str, list[str]]:
    """Domain -> arguments of what launchd really holds."""
    return {
        domain: plistlib.loads(jobs[label]["plist"].encode())["ProgramArguments"]
        for domain, jobs in mac.launchctl.domains.items()
        if label in jobs
    }


def test_a_changed_plist_is_unloaded_before_it_is_written_and_really_loaded(mac: MacHost) -> None:
    apply(mac, wanted())
    start = mac.calls
    apply(mac, wanted(command=["/bin/other"]))
    writes = [
        f"{call.method} {call.target}".split("/")[0] + call.target[-4:] for call in mac.log[start:] if call.writes
    ]
    verbs = [
        call.target.split()[1] if call.method == "execute" else call.method for call in mac.log[start:] if call.writes
    ]
    assert [verb for verb in verbs if verb != "-p"] == ["bootout", "write", "enable", "bootstrap"], writes
    assert loaded(mac) == {"gui/501": ["/bin/other"]}


@pytest.mark.parametrize("drain", [0.3, 5.0, 29.0])
def test_a_label_that_drains_is_waited_for(mac: MacHost, drain: float) -> None:
    apply(mac, wanted())
    mac.launchctl.drain = drain
    apply(mac, wanted(command=["/bin/other"]))
    assert loaded(mac) == {"gui/501": ["/bin/other"]}


def test_a_label_that_never_goes_fails_in_time_and_what_stood_still_stands(mac: MacHost) -> None:
    apply(mac, wanted())
    content = mac.files[PATH]
    mac.launchctl.drain = 1e9
    with pytest.raises(ApplyError, match="still there after 30 s"):
        apply(mac, wanted(command=["/bin/other"]))
    assert mac.files[PATH] == content


@pytest.mark.parametrize("code", [5, 37])
def test_bootstrap_is_tried_again_while_launchd_is_busy(mac: MacHost, code: int) -> None:
    mac.launchctl.answer("bootstrap", code, "busy", times=4)
    apply(mac, wanted())
    assert loaded(mac) == {"gui/501": ["/bin/job"]}


@pytest.mark.parametrize("code", [5, 37, 64, 119])
def test_a_refused_bootstrap_brings_back_the_old_plist_and_loads_it(mac: MacHost, code: int) -> None:
    apply(mac, wanted())
    content = mac.files[PATH]
    refused = 0

    def refuse(call: object) -> None:  # while the new definition stands in the file
        nonlocal refused
        if "bootstrap" in str(call) and mac.files[PATH] != content:
            refused += 1
            mac.launchctl.answer("bootstrap", code, "no")

    mac.on_call(refuse)
    with pytest.raises(ApplyError, match=f"status {code}"):
        apply(mac, wanted(command=["/bin/other"]))
    assert refused
    assert mac.files[PATH] == content
    assert loaded(mac) == {"gui/501": ["/bin/job"]}


def test_a_label_that_somebody_loaded_meanwhile_does_not_keep_the_old_definition(mac: MacHost) -> None:
    apply(mac, wanted())
    old = mac.files[PATH]

    def login(call: object) -> None:  # between bootout and write, launchd loads the old file by itself
        if "method='write'" in str(call) and mac.files[PATH] == old:
            mac.launchctl(["launchctl", "bootstrap", "gui/501", PATH])

    mac.on_call(login)
    apply(mac, wanted(command=["/bin/other"]))
    assert loaded(mac) == {"gui/501": ["/bin/other"]}


def test_a_job_that_launchd_forgets_to_start_is_kickstarted(mac: MacHost) -> None:
    mac.launchctl.silent.append(WEB)
    apply(mac, wanted(SERVE), SERVE)
    assert mac.launchctl.domains["gui/501"][WEB]["pid"]
    assert Launchd().health(mac, [SERVE]) is None


def test_without_anybody_at_the_screen_it_goes_to_the_domain_of_the_user(mac: MacHost) -> None:
    mac.launchctl.log_out()
    apply(mac, wanted())
    assert loaded(mac) == {"user/501": ["/bin/job"]}
    assert [item.state for item in seen(mac)] == [wanted()]


def test_a_gui_domain_that_takes_nothing_over_ssh_is_not_the_end(mac: MacHost) -> None:
    mac.launchctl.answer("bootstrap", 125, "Domain does not support specified action")
    apply(mac, wanted())
    assert loaded(mac) == {"user/501": ["/bin/job"]}


def test_what_needs_the_keychain_never_goes_elsewhere(mac: MacHost) -> None:
    mac.launchctl.log_out()
    with pytest.raises(ApplyError, match="nobody is logged in at the screen"):
        apply(mac, wanted(requires=["keychain"]))
    assert PATH not in mac.files
    facts = Launchd().observe(mac, [Wanted(JOB, wanted(), None)]).facts
    (finding,) = Launchd().review(facts, {}, [step(mac, wanted(requires=["keychain"]))])
    assert "nobody is logged in" in finding.message


def test_an_agent_that_waits_for_a_login_is_as_it_should_be(mac: MacHost) -> None:
    apply(mac, wanted())
    mac.launchctl.log_out()
    assert [item.state for item in seen(mac, Wanted(JOB, wanted(), wanted()))] == [wanted()]
    mac.launchctl.log_in(AGENTS, [f"{LABEL}.plist"])
    assert [item.state for item in seen(mac, Wanted(JOB, wanted(), wanted()))] == [wanted()]


def test_a_job_that_somebody_unloaded_is_drift_and_comes_back(mac: MacHost) -> None:
    apply(mac, wanted())
    mac.launchctl(["launchctl", "bootout", f"gui/501/{LABEL}"])
    (item,) = seen(mac, Wanted(JOB, wanted(), wanted()))
    assert item.state.attributes["loaded"] is False
    apply(mac, wanted())
    assert loaded(mac) == {"gui/501": ["/bin/job"]}


def test_a_plist_that_somebody_deleted_is_put_back_over_what_still_runs(mac: MacHost) -> None:
    apply(mac, wanted())
    del mac.files[PATH]
    assert seen(mac, Wanted(JOB, wanted(), wanted())) == []
    (orphan,) = seen(mac, Wanted(JOB, None, wanted()))
    assert orphan.state.attributes["missing"] == ["plist"]
    apply(mac, wanted(command=["/bin/other"]))
    assert loaded(mac) == {"gui/501": ["/bin/other"]}


def test_a_definition_that_was_loaded_and_whose_file_was_put_back_is_drift(mac: MacHost) -> None:
    apply(mac, wanted())
    content = mac.files[PATH]
    edited = plistlib.loads(content) | {"ProgramArguments": ["/bin/evil"]}
    edited["EnvironmentVariables"].pop("RECONCILER_DIGEST")
    edited["EnvironmentVariables"]["RECONCILER_DIGEST"] = "0" * 32
    mac.put(PATH, plistlib.dumps(edited))
    mac.launchctl(["launchctl", "bootout", f"gui/501/{LABEL}"])
    mac.launchctl(["launchctl", "bootstrap", "gui/501", PATH])
    mac.put(PATH, content)
    (item,) = seen(mac, Wanted(JOB, wanted(), wanted()))
    assert item.state.attributes["loaded"] is False
    apply(mac, wanted())
    assert loaded(mac) == {"gui/501": ["/bin/job"]}
    assert [item.state for item in seen(mac, Wanted(JOB, wanted(), wanted()))] == [wanted()]


def test_a_label_that_somebody_disabled_before_it_was_ever_ours_is_enabled(mac: MacHost) -> None:
    mac.launchctl(["launchctl", "disable", f"gui/501/{LABEL}"])
    apply(mac, wanted())
    assert loaded(mac) == {"gui/501": ["/bin/job"]}
    assert not mac.launchctl.disabled["501"]


def test_when_what_stood_cannot_be_put_back_either_both_reasons_are_said_and_a_retry_repairs_it(mac: MacHost) -> None:
    apply(mac, wanted())
    change = step(mac, wanted(command=["/bin/other"]))
    mac.launchctl.answer("bootstrap", 78, "no", times=2)
    with pytest.raises(ApplyError, match=r"status 78.*what stood before could not be put back.*status 78") as caught:
        Launchd().apply(mac, [change])
    assert caught.value.where == PATH
    assert "launchctl error 78" in (caught.value.hint or "")
    assert loaded(mac) == {}
    Launchd().apply(mac, [change.inverse()])
    assert loaded(mac) == {"gui/501": ["/bin/job"]}


def test_trouble_names_owner_mode_override_and_wrong_domain(mac: MacHost) -> None:
    apply(mac, wanted())
    content = mac.files[PATH]
    for prepare, word in (
        (lambda: mac.put(PATH, content, uid=0), "belongs to the user with id 0"),
        (lambda: mac.put(PATH, content, mode=0o664), "can be written by others"),
        (lambda: mac.launchctl(["launchctl", "disable", f"gui/501/{LABEL}"]), "somebody disabled"),
    ):
        prepare()
        (item,) = seen(mac, Wanted(JOB, wanted(), wanted()))
        assert word in (item.trouble or "")
        mac.put(PATH, content)
    mac.launchctl(["launchctl", "enable", f"gui/501/{LABEL}"])
    mac.launchctl.domains["user/501"][LABEL] = mac.launchctl.domains["gui/501"].pop(LABEL)
    assert "loaded in user/501" in (seen(mac, Wanted(JOB, wanted(), wanted()))[0].trouble or "")


def test_a_foreign_plist_in_our_place_is_never_written_over(mac: MacHost) -> None:
    mac.put(PATH, plistlib.dumps({"Label": LABEL, "ProgramArguments": ["/bin/mine"]}))
    with pytest.raises(Conflict, match="without our mark"):
        apply(mac, wanted())
    facts = Launchd().observe(mac, [Wanted(JOB, wanted(), None)]).facts
    (finding,) = Launchd().review(facts, {}, [step(mac, wanted())])
    assert finding.hazard is None
    assert "does not carry our mark" in finding.message


def test_print_in_words_that_nobody_knows_yet_still_works(mac: MacHost) -> None:
    mac.launchctl.garbled = True
    apply(mac, wanted())
    assert [item.state for item in seen(mac, Wanted(JOB, wanted(), wanted()))] == [wanted()]
    apply(mac, wanted(command=["/bin/other"]))
    assert loaded(mac) == {"gui/501": ["/bin/other"]}
    apply(mac, None)
    assert (loaded(mac), PATH in mac.files) == ({}, False)


def test_launchctl_that_cannot_say_is_not_absence(mac: MacHost) -> None:
    apply(mac, wanted())
    mac.launchctl.answer("print", 1, "no")
    with pytest.raises(ObserveError):
        seen(mac)


def test_a_service_that_ends_at_once_is_not_healthy(mac: MacHost) -> None:
    mac.launchctl.exits[WEB] = 78
    apply(mac, wanted(SERVE), SERVE)
    assert "status 78" in str(Launchd().health(mac, [SERVE]))


def test_a_definition_that_launchd_holds_from_before_is_not_healthy(mac: MacHost) -> None:
    apply(mac, wanted())
    mac.files[PATH] = mac.files[PATH].replace(
        b"RECONCILER_DIGEST</key>\n\t\t<string>", b"RECONCILER_DIGEST</key>\n\t\t<string>0"
    )
    assert "older definition" in str(Launchd().health(mac, [JOB]))


def test_root_has_daemons_and_others_may_not(mac: MacHost) -> None:
    root = MacHost(uid=0)
    apply(root, wanted())
    assert loaded(root) == {"system": ["/bin/job"]}
    assert f"/Library/LaunchDaemons/{LABEL}.plist" in root.files
    change = step(mac, wanted(scope="system"))
    assert "only root" in Launchd().review({"uid": 501}, {}, [change])[0].message
    change = step(root, wanted(scope="user"))
    assert "root has none" in Launchd().review({"uid": 0}, {}, [change])[0].message


def test_what_runs_at_login_is_said_to_run_at_once() -> None:
    change = step(MacHost(), wanted(schedule={"at": "login"}))
    (finding,) = Launchd().review({"uid": 501, "domains": ["gui/501"]}, {}, [change])
    assert finding.hazard is not None
    assert "at once" in finding.message


def crashes(mac: MacHost) -> Iterator[tuple[int, str]]:
    for number in range(1, 40):
        for when in ("before", "after"):
            yield number, when


@pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE, Action.DELETE])
def test_killed_at_any_call_it_is_seen_as_before_or_after_and_never_in_between(action: Action) -> None:
    """As the engine looks after a crash: with what the journal knew before and what was wanted."""
    before = None if action is Action.CREATE else wanted()
    after = None if action is Action.DELETE else wanted(command=["/bin/other"])
    points = 0
    for number, when in crashes(MacHost()):
        mac = MacHost(drain=2.0)
        if before is not None:
            apply(mac, before)
        change = step(mac, after)
        mac.crash_at(number, before=when == "before")
        try:
            Launchd().apply(mac, [change])
            break
        except Crash:
            points += 1
        mac.heal()
        mac.time.advance(3)
        states = [item.state for item in seen(mac, Wanted(JOB, after, before))]
        assert states in ([s for s in (before,) if s], [s for s in (after,) if s]), (number, when)
        Launchd().apply(mac, [change])
        assert loaded(mac) == ({"gui/501": ["/bin/other"]} if after else {}), (number, when)
        assert [item.state for item in seen(mac, Wanted(JOB, after, after))] == [s for s in (after,) if s]
    assert points > 10
