"""How `reconcile self status` reads: for each way to start, and with what to do about what is wrong."""

from __future__ import annotations

import pytest

from reconciler.cli.render.own import Running, Standing, Thing, hints, own_json, own_text, start_of

UNIT = Thing("Service/reconciler-supervisor", "systemd", "/etc/systemd/system/x.service")


@pytest.mark.parametrize(
    ("found", "starts", "line"),
    [
        (
            Standing(),
            "",
            "at boot    nothing: the supervisor starts when an apply needs it, and is gone after a boot",
        ),
        (Standing(by="crontab"), "boot", "at boot    cron starts it at boot"),
        (Standing(by="systemd", machine=True), "boot", "at boot    systemd starts it at boot"),
        (Standing(by="systemd", lingers=True), "boot", "at boot    systemd starts it at boot: lingering is on"),
        (Standing(by="launchd"), "login", "at login   launchd starts it when you log in"),
        (Standing(by="launchd", machine=True), "boot", "at boot    launchd starts it at boot"),
        (
            Standing(by="systemd", lingers=False),
            "login",
            "at login   systemd starts it when you log in and ends it when you log out: lingering is off",
        ),
    ],
)
def test_when_it_starts(found: Standing, starts: str, line: str) -> None:
    assert start_of(found) == starts
    assert line in own_text(found).splitlines()


def test_all_is_well() -> None:
    found = Standing((UNIT,), Running(7, "2026-01-15T12:00:00Z", 1, 2), by="systemd", machine=True, kept=3)
    assert own_text(found) == (
        "installed  Service/reconciler-supervisor through systemd, /etc/systemd/system/x.service\n"
        "runs       pid 7, since 2026-01-15T12:00:00Z; 1 service, 2 automations\n"
        "at boot    systemd starts it at boot\n"
    )
    assert own_json(found) == {
        "installed": [
            {"id": UNIT.id, "through": "systemd", "where": UNIT.where, "trouble": None},
        ],
        "running": {"pid": 7, "since": "2026-01-15T12:00:00Z", "services": 1, "automations": 2},
        "watch": None,
        "starts": "boot",
        "lingering": None,
        "embedded": 3,
        "hints": [],
    }


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        (Standing((Thing("Service/x", "systemd", "", "changed"),), by="systemd", machine=True), "puts it right"),
        (Standing(by="crontab", moved="/old/python"), "/old/python is gone"),
        (Standing(by="systemd", lingers=False), "loginctl enable-linger"),
        (Standing(running=Running(7, "", 1, 0), kept=1), "makes it start by itself"),
        (Standing(by="crontab", kept=1), "it should run"),
        (Standing(by="crontab", wants_watch=True), "the watch does not run"),
    ],
)
def test_what_is_wrong_comes_with_what_to_do(found: Standing, hint: str) -> None:
    (said,) = hints(found)
    assert hint in said
    assert f"what to do: {said}" in own_text(found)
