"""The stand-in is as strict as the real launchctl is reported to be: each refusal, by status, in both generations."""

from __future__ import annotations

import plistlib
from typing import Any

import pytest

from reconciler.host.protocol import Completed
from reconciler.testing.mac import AGENTS, MacHost

PLIST: dict[str, Any] = {"Label": "a", "ProgramArguments": ["/bin/a"]}
PATH = f"{AGENTS}/a.plist"


def made(*, newer: bool = True, drain: float = 0.0, **keys: Any) -> MacHost:
    mac = MacHost(newer=newer, drain=drain)
    mac.put(PATH, plistlib.dumps({**PLIST, **keys}))
    return mac


def run(mac: MacHost, *arguments: str) -> Completed:
    return mac.launchctl(["launchctl", *arguments])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("print", "gui/502"), 112),
        (("print", "gui/501/a"), 113),
        (("kickstart", "gui/501/a"), 113),
        (("bootout", "gui/501/a", "--wait"), 64),
        (("load", PATH), 64),
        (("bootstrap", "gui/501"), 64),
        (("bootstrap", "gui/502", PATH), 125),
        (("bootstrap", "user/501", PATH), 134),
        (("bootstrap", "system", PATH), 5),
        (("bootstrap", "gui/501", "/nowhere.plist"), 5),
        (("bootstrap", "gui/501", PATH), 0),
    ],
)
def test_each_answer_has_its_status(arguments: tuple[str, ...], code: int) -> None:
    assert run(made(), *arguments).code == code


@pytest.mark.parametrize(("newer", "absent", "twice"), [(True, 5, 5), (False, 3, 37)])
def test_the_generations_differ(newer: bool, absent: int, twice: int) -> None:
    mac = made(newer=newer)
    assert run(mac, "bootout", "gui/501/a").code == absent
    run(mac, "bootstrap", "gui/501", PATH)
    assert run(mac, "bootstrap", "gui/501", PATH).code == twice
    assert (b"disabled services" in run(mac, "print-disabled", "gui/501").stdout) is True
    run(mac, "disable", "gui/501/b")
    assert (b'"b" => disabled' in run(mac, "print-disabled", "gui/501").stdout) is newer
    assert (b'"b" => true' in run(mac, "print-disabled", "gui/501").stdout) is not newer


def test_a_plist_that_others_may_write_or_own_is_refused() -> None:
    mac = made()
    mac.modes[PATH] = 0o664
    assert b"bad ownership" in run(mac, "bootstrap", "gui/501", PATH).stderr
    mac.put(PATH, mac.files[PATH], uid=502)
    assert b"bad ownership" in run(mac, "bootstrap", "gui/501", PATH).stderr


def test_a_disabled_label_stays_so_when_its_plist_is_gone_and_back() -> None:
    mac = made()
    run(mac, "disable", "gui/501/a")
    content = mac.files.pop(PATH)
    mac.put(PATH, content)
    assert run(mac, "bootstrap", "gui/501", PATH).code == 119
    run(mac, "enable", "gui/501/a")
    assert run(mac, "bootstrap", "gui/501", PATH).code == 0


def test_bootout_returns_before_the_label_is_gone_and_bootstrap_is_refused_until_then() -> None:
    mac = made(drain=4.0)
    run(mac, "bootstrap", "gui/501", PATH)
    assert run(mac, "bootout", "gui/501/a").code == 0
    assert run(mac, "print", "gui/501/a").code == 0
    assert run(mac, "bootout", "gui/501/a").code == 36
    assert run(mac, "bootstrap", "gui/501", PATH).code == 5
    mac.time.advance(4)
    assert run(mac, "print", "gui/501/a").code == 113
    assert run(mac, "bootstrap", "gui/501", PATH).code == 0


def test_launchd_keeps_the_definition_that_it_loaded_through_bootstrap_and_kickstart() -> None:
    mac = made(KeepAlive=True)
    run(mac, "bootstrap", "gui/501", PATH)
    mac.put(PATH, plistlib.dumps({**PLIST, "ProgramArguments": ["/bin/b"]}))
    run(mac, "bootstrap", "gui/501", PATH)
    assert run(mac, "kickstart", "-k", "gui/501/a").code == 0
    assert b"program = /bin/a\n" in run(mac, "print", "gui/501/a").stdout


def test_a_status_can_be_put_in_by_a_test() -> None:
    mac = made()
    mac.launchctl.answer("bootstrap", 36, "later")
    assert run(mac, "bootstrap", "gui/501", PATH).code == 36
    assert run(mac, "bootstrap", "gui/501", PATH).code == 0
