"""The stand-in for systemd says what the real programs say, for every call that the provider makes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.errors import ApplyError
from reconciler.providers.systemd import manager as programs
from reconciler.providers.systemd.canonical import canonical
from reconciler.providers.systemd.look import Look
from reconciler.providers.systemd.manager import Instance
from reconciler.providers.systemd.units import link, render
from reconciler.testing.systemd import SystemdPrograms
from tests.conformance.test_systemd import automation, service
from tests.systemd.machine import RealHost

pytestmark = pytest.mark.systemd

ASKED = "LoadState,ActiveState,SubState,Result,NRestarts,NeedDaemonReload"
TIMER, SERVICE = "reconciler-automation-conf-same.timer", "reconciler-service-conf-same.service"
JOB = TIMER.replace(".timer", ".service")
BROKEN = "reconciler-service-conf-broken.service"


def told(host: Host) -> list[tuple[str, object]]:
    """One course of calls, and what each of them said."""
    found: list[tuple[str, object]] = []
    manager = programs.ask(host, "user")
    assert isinstance(manager, Instance)
    folder = Path(manager.folder)

    def standing() -> object:
        return programs.units(host, "user", "reconciler-*")

    def shown(*names: str) -> object:
        about = programs.show(host, "user", ASKED, names)
        return {name: sorted((k, v) for k, v in lines.items() if k != "Id") for name, lines in about.items()}

    def step(name: str, act: Callable[[], object]) -> None:
        try:
            said = act()
        except ApplyError as error:
            said = re.sub(r"\s*\n.*|\bSee .*", "", error.message, flags=re.DOTALL).strip()
        found.append((name, said))

    step("where units lie", lambda: manager.folder.endswith("/.config/systemd/user"))
    step("nothing yet", standing)
    files = {name: text for one in (automation("same"), service("same")) for name, text in _files(one).items()}
    step("sound files", lambda: programs.verify(host, manager, files))
    broken = {BROKEN: files[SERVICE].replace(b"ExecStart=", b"ExecStart=/no/such ")}
    step("an unsound file", lambda: _refused(lambda: programs.verify(host, manager, broken)))
    programs.run(host, "mkdir", "-p", *(str(folder / link(name)).rpartition("/")[0] for name in (TIMER, SERVICE)))
    for name, text in files.items():
        host.write(folder / name, text, mode=0o644)
    for name in (TIMER, SERVICE):
        programs.run(host, "ln", "-sfn", "-t", str(folder / link(name)).rpartition("/")[0], "--", f"../{name}")
    step("reload", lambda: programs.tell(host, "user", "daemon-reload"))
    step("start", lambda: programs.start(host, "user", [TIMER, SERVICE]))
    step("started", standing)
    step("shown", lambda: shown(TIMER, JOB, SERVICE))
    step("looked at", lambda: _look(host, manager))
    host.write(folder / TIMER, files[TIMER] + b"# by hand\n", mode=0o644)
    step("edited", lambda: shown(TIMER))
    step("reload again", lambda: programs.tell(host, "user", "daemon-reload"))
    step("read again", lambda: shown(TIMER))
    step(
        "clean what runs",
        lambda: _refused(lambda: programs.tell(host, "user", "clean", TIMER, options=("--what=state",))),
    )
    step("stop", lambda: programs.tell(host, "user", "stop", TIMER, SERVICE))
    step("stopped", standing)
    step("stop what is not there", lambda: programs.tell(host, "user", "stop", "reconciler-service-none.service"))
    step("start what is not there", lambda: programs.start(host, "user", ["reconciler-service-none.service"]))
    step("reset", lambda: programs.tell(host, "user", "reset-failed", SERVICE))
    for name in (TIMER, SERVICE):
        host.remove(folder / link(name))
    for name in files:
        host.remove(folder / name)
    step("reload at the end", lambda: programs.tell(host, "user", "daemon-reload"))
    step("nothing any more", standing)
    return found


def _files(one: object) -> dict[str, bytes]:
    return render(one.id, canonical(one).attributes)  # type: ignore[attr-defined, arg-type]


def _refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except ApplyError:
        return True
    return False


def _look(host: Host, manager: Instance) -> object:
    look = Look(host, manager)
    ids = (ResourceId("Automation", "conf-same"), ResourceId("Service", "conf-same"))
    return look.files, look.links, [look.standing(id_) for id_ in ids], [look.trouble(id_) for id_ in ids]


def test_it_answers_as_the_real_programs_do(real: RealHost) -> None:
    fake = FakeHost()
    SystemdPrograms(fake)
    for said, really in zip(told(fake), told(real), strict=True):
        assert said == really
