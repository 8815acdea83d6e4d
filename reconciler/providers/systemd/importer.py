"""Other people's timers and services as manifests. What cannot be carried over is listed, or is the reason for none.

Reads only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.host.protocol import Host
from reconciler.model.address import NAME_PATTERN, ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import HostError, ObserveError, UnsupportedSpec
from reconciler.model.resource import Resource, Source
from reconciler.model.schedule import ScheduleError, normalise
from reconciler.model.state import State
from reconciler.provider import Imported
from reconciler.providers.systemd.canonical import canonical
from reconciler.providers.systemd.look import Look
from reconciler.providers.systemd.others import Other, others
from reconciler.providers.systemd.scopes import default_of, managers
from reconciler.providers.systemd.unfit import unfit

_UNDERSTOOD = {
    "Unit": {"Description", "Documentation"},
    "Install": {"WantedBy"},
    "Timer": {"OnCalendar", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnActiveSec", "Persistent", "Unit",
              "AccuracySec"},
    "Service": {"Type", "ExecStart", "WorkingDirectory", "User", "Environment", "Restart", "RestartSec", "KillSignal",
                "TimeoutStopSec"},
}  # fmt: skip
_CHANGES_WHAT_RUNS = {"ExecStartPre", "ExecStartPost", "ExecStop", "ExecReload", "EnvironmentFile", "RootDirectory"}
_SHORT = {"minutely": "* * * * *", "hourly": "@hourly", "daily": "@daily", "weekly": "0 0 * * 1",
          "monthly": "@monthly", "yearly": "@yearly", "annually": "@yearly"}  # fmt: skip
_CALENDAR = re.compile(
    r"(?:(?P<week>[A-Za-z,.-]+)\s+)?(?:(?:\*-)?(?P<month>[0-9*,./]+)-(?P<day>[0-9*,./]+)\s+)?"
    r"(?P<hour>[0-9*,./]+):(?P<minute>[0-9*,./]+)(?::(?P<second>0|00))?(?:\s+(?P<zone>[A-Z][A-Za-z_+-]*(?:/[\w+-]+)*))?"
)
_SPAN = re.compile(r"(\d+)\s*(ms|s|sec|seconds?|m|min|minutes?|h|hr|hours?|d|days?)?")


class _Cannot(Exception):
    """This unit cannot be a manifest; the text says why."""


def foreign(host: Host, user: str | None) -> tuple[Imported, ...]:
    """Every foreign service in the folder of one's own units, with its timer where it has one."""
    if user not in (None, host.facts().user):
        raise ObserveError(f"cannot read the units of {user}: run this as {user}")
    try:
        found = managers(host, {})
        look = Look(host, found.get(default_of(host)) or next(iter(found.values())))
        taken = {id_.name for id_ in look.ours()}
        plain = [_imported(other, look, taken) for other in others(host, look)]
        return (*plain, *(Imported(one.where, one.text, None, one.why) for one in unfit(host, look)))
    except HostError as error:
        raise ObserveError(f"cannot look at the units: {error.message}", hint=error.hint) from error


def understood(other: Other, look: Look) -> Mapping[str, Json] | None:
    """What a unit does, in the attributes of ours; None where no manifest could say it."""
    try:
        return _state(other.kind, _spec(other, look)[0]).attributes
    except _Cannot:
        return None


def _imported(other: Other, look: Look, taken: set[str]) -> Imported:
    where = f"{look.manager.folder}/{other.main}"
    try:
        spec, notes = _spec(other, look)
        name = _name(other.main, taken)
        manifest: dict[str, Json] = {"apiVersion": "reconciler/v1", "kind": other.kind, "metadata": {"name": name}}
        _state(other.kind, spec)
        return Imported(where, other.text(), {**manifest, "spec": spec}, None, notes)
    except _Cannot as error:
        return Imported(where, other.text(), None, str(error))


def _spec(other: Other, look: Look) -> tuple[dict[str, Json], tuple[str, ...]]:
    if other.runs is None:
        raise _Cannot("its ExecStart is not one program with fixed arguments")
    service = {name: value for section, name, value in other.lines(".service") if section == "Service"}
    odd = sorted(_CHANGES_WHAT_RUNS & service.keys())
    if odd:
        raise _Cannot(f"it uses {', '.join(odd)}, for which manifests have no word")
    if service.get("Type", "simple") not in ("simple", "exec", "oneshot"):
        raise _Cannot(f"it is of Type={service['Type']}")
    renamed = {"command": "command", "directory": "workingDirectory", "environment": "environment", "user": "user"}
    # Named, for `auto` would take a crontab first, and then both would run.
    spec: dict[str, Json] = {"scheduler" if other.kind == "Automation" else "supervisor": "systemd"}
    spec |= {renamed[name]: value for name, value in other.runs.items()}
    if look.manager.scope == "user":
        spec["scope"] = "user"
    dropped = [f"{s} {n}={v}" for s, n, v in other.lines("") if n not in _UNDERSTOOD.get(s, set())]
    notes: tuple[str, ...] = (f"not carried over: {', '.join(dropped)}",) if dropped else ()
    if other.kind == "Automation":
        return spec | _timing(other), notes
    policy = service.get("Restart", "no")
    if policy not in ("always", "on-failure", "no"):
        notes += (f"Restart={policy} becomes always",)
        policy = "always"
    stop: dict[str, Json] = {}
    if "KillSignal" in service:
        stop["signal"] = service["KillSignal"]
    if "TimeoutStopSec" in service:
        stop["grace"] = _span(service["TimeoutStopSec"])
    return spec | {"restart": {"policy": policy}} | ({"stop": stop} if stop else {}), notes


def _timing(other: Other) -> dict[str, Json]:
    lines = other.timing()
    starts = {(name, value) for name, value in lines if name.startswith("On")}
    found: dict[str, Json] = {}
    if any(value.lower() in ("true", "yes", "on", "1") for name, value in lines if name == "Persistent"):
        found["missed"] = "latest"
    spans = [value for name, value in starts if name == "OnUnitActiveSec"]
    if len(starts) == 1 and (only := next(iter(starts)))[0] == "OnCalendar":
        return found | _calendar(only[1])
    if len(spans) == 1 and all(
        name in ("OnUnitActiveSec", "OnBootSec", "OnStartupSec", "OnActiveSec") for name, _ in starts
    ):
        return found | {"schedule": {"every": _span(spans[0])}}
    if starts and all(name in ("OnBootSec", "OnStartupSec") for name, _ in starts):
        return found | {"schedule": {"at": "boot"}}
    raise _Cannot(f"its times cannot be one schedule: {', '.join(f'{n}={v}' for n, v in sorted(starts)) or 'none'}")


def _calendar(text: str) -> dict[str, Json]:
    if text.lower() in _SHORT:
        return {"schedule": _SHORT[text.lower()]}
    match = _CALENDAR.fullmatch(text)
    if match is None:
        raise _Cannot(f"OnCalendar={text} cannot be five cron fields")
    week = (match["week"] or "*").lower().replace("..", "-")
    fields = [match["minute"], match["hour"], match["day"] or "*", match["month"] or "*"]
    cron = " ".join([*(_field(field) for field in fields), week])
    try:
        schedule = normalise(cron)
    except ScheduleError as error:
        raise _Cannot(f"OnCalendar={text} cannot be five cron fields: {error}") from error
    return {"schedule": schedule} | ({"timezone": match["zone"]} if match["zone"] else {})


def _field(text: str) -> str:
    """`00/15` and `08..18` as cron writes them, without leading zeros."""
    terms = []
    for term in text.split(","):
        base, slash, step = term.partition("/")
        parts = [
            part if part == "*" else str(int(part)) for part in base.split("..") if part == "*" or part.isdigit()
        ]
        if slash and parts == ["0"]:
            parts = ["*"]
        elif not parts or (slash and len(parts) == 1 and parts != ["*"]):
            raise _Cannot(f"{text} has no like in cron")
        terms.append("-".join(parts) + (f"/{step}" if slash else ""))
    return ",".join(terms)


def _span(text: str) -> str:
    """A time span of one unit, as manifests write durations."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise _Cannot(f"{text} is not a duration of one unit")
    unit = match[2] or "s"
    short = "ms" if unit == "ms" else unit[0]
    return f"{match[1]}{short}"


def _state(kind: str, spec: Mapping[str, Json]) -> State:
    """What a manifest would ask for, if the kind itself and this provider take it."""
    from reconciler.kinds.automation import Automation
    from reconciler.kinds.service import Service

    try:
        loaded = (Automation if kind == "Automation" else Service).spec_data(spec)
        return canonical(Resource(ResourceId(kind, "x" * 30), loaded, Source("", 0)))
    except ValueError as error:
        raise _Cannot(f"a manifest would refuse it: {error}") from None
    except UnsupportedSpec as error:
        raise _Cannot("; ".join(limit.message for limit in error.limits)) from error


def _name(unit: str, taken: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", unit.rpartition(".")[0].lower()).strip("-")[:40].strip("-")
    base = stem if re.fullmatch(NAME_PATTERN, stem) else "unit"
    name, count = base, 1
    while name in taken:
        count += 1
        name = f"{base}-{count}"
    taken.add(name)
    return name
