"""Whether systemd will really run what it holds: timers wait for their next run, services stay up. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.provider import Finding
from reconciler.providers.systemd import manager as programs
from reconciler.providers.systemd.manager import SCOPES, Instance, Silent, Unit
from reconciler.providers.systemd.scopes import LINGER_HINT, NO_LINGERING, default_of, lingers, managers
from reconciler.providers.systemd.units import PREFIX, attributes, names, waits_for_manager

SETTLE = 1.0  # seconds that a service must stay up before it counts: a program that dies at once takes less
_ASKED = "LoadState,ActiveState,SubState,Result,NRestarts,FragmentPath,ExecMainCode,ExecMainStatus"
_EXITED, _KILLED = "1", ("2", "3")  # CLD_EXITED; CLD_KILLED, CLD_DUMPED
_WAITS = Unit("loaded", "active", "waiting")  # only a timer that has a next run is that


def health(host: Host, ids: Sequence[ResourceId]) -> dict[ResourceId, str]:
    """What keeps some of these from running, by address. Raises ObserveError where no manager answers.

    Timers that wait are known from one list; only the rest is asked about unit by unit.
    """
    found, ills = managers(host, {}), {}
    if any(id_.kind == "Service" for id_ in ids):
        host.clock.sleep(SETTLE)
    missing = list(ids)
    for manager in found.values():
        mains = {names(id_)[-1]: id_ for id_ in missing}
        known = programs.units(host, manager.scope, f"{PREFIX}*") if mains else {}
        missing = [id_ for name, id_ in mains.items() if known.get(name) != _WAITS]
        shown = programs.show(host, manager.scope, _ASKED, [names(id_)[-1] for id_ in missing])
        for name, about in shown.items():
            if name in mains and about.get("FragmentPath", "").startswith(f"{manager.folder}/"):
                missing.remove(mains[name])
                if (why := _wrong(host, manager, mains[name], about)) is not None:
                    ills[mains[name]] = f"{name} {why}"
    return ills | dict.fromkeys(missing, "no manager has its unit")


def advice(host: Host) -> tuple[Finding, ...]:
    """Which of the managers that count here is silent, and whether one's own ends with the session."""
    default = default_of(host)
    answers = {scope: programs.ask(host, scope) for scope in SCOPES if default == "system" or scope == default}
    main = answers[default]
    found = [Finding(main.why, (), main.hint)] if isinstance(main, Silent) else []
    mine = [scope for scope, answer in answers.items() if isinstance(answer, Instance)] == ["user"]
    if mine and not lingers(host):
        message = f"{NO_LINGERING}: what belongs to your own manager ends with your last session, and misses its runs"
        found.append(Finding(message, (), LINGER_HINT))
    return tuple(found)


def _wrong(host: Host, manager: Instance, id_: ResourceId, about: Mapping[str, str]) -> str | None:
    if about.get("LoadState") != "loaded":
        return f"is {about.get('LoadState', 'not loaded')}"
    if id_.kind == "Service":
        why = _service_wrong(about)
        return why and f"{why}; {programs.journal(manager.scope, names(id_)[-1])}"
    active = about.get("ActiveState")
    if active != "active":
        if active == "inactive" and _waits(host, manager, id_):
            return None
        return f"is {active}: it starts nothing"
    return None if about.get("SubState") != "elapsed" or _waits(host, manager, id_) else "has no next run"


def _service_wrong(about: Mapping[str, str]) -> str | None:
    active, sub = about.get("ActiveState"), about.get("SubState")
    restarts = int(about.get("NRestarts") or 0)
    if sub == "auto-restart" or restarts:
        again = {0: "", 1: " and was started again once"}.get(restarts, f" and was started again {restarts} times")
        return f"does not stay up: it ended {_end(about)}{again}"
    if active == "active":
        return None
    if active == "inactive" and about.get("Result") == "success":
        return None  # ended well: with restart policy always, systemd would have started it again
    return f"is {active}: it ended {_end(about)}"


def _end(about: Mapping[str, str]) -> str:
    """How its program ended last, in words; systemd's own word where it never ran."""
    code, status = about.get("ExecMainCode"), about.get("ExecMainStatus", "")
    if code == _EXITED:
        return f"with exit status {status}"
    if code in _KILLED:
        return f"by signal {status}"
    return f"badly ({about.get('Result')})"


def _waits(host: Host, manager: Instance, id_: ResourceId) -> bool:
    folder = Path(manager.folder)
    files = {name: host.read(folder / name) or b"" for name in names(id_)}
    return waits_for_manager(attributes(id_, files))
