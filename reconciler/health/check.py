"""Ask one probe its question, and say in short what that question is.

What a probe does lies in the file of its name; nothing of it is imported before it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TypeAlias

from reconciler.health.excerpt import short
from reconciler.host.protocol import Host
from reconciler.model.data import Json, canonical_text
from reconciler.model.duration import format_duration
from reconciler.model.resource import Probe

TYPES = ("exec", "http", "tcp", "file")
IMPLIED = ("listening",)  # asked for by a kind, never by a manifest


def check(probe: Probe, host: Host, *, timeout: float) -> str | None:
    """None where the probe passes, else one sentence: what was expected and what was found.

    `timeout` caps the probe's own limit, whichever is shorter.
    """
    if probe.type not in TYPES + IMPLIED:
        return f"there is no probe of type {probe.type}; the types are {', '.join(TYPES)}"
    prober: _Prober = import_module(f"reconciler.health.{probe.type}").check
    return prober(probe.options, host, timeout)


_Prober: TypeAlias = Callable[[Mapping[str, Json], Host, float], "str | None"]


def limit(probe: Probe) -> float:
    """The longest that one answer may take, in seconds, as the probe itself says."""
    return _number(probe.options, "timeout", 10) if probe.type == "exec" else _number(probe.options, "within", 2)


def describe(probe: Probe) -> str:
    """The question in short, for a plan: `http GET http://127.0.0.1:3500/health answers 200 within 2s`."""
    options = probe.options
    match probe.type:
        case "exec":
            text = f"exec {_command(options)} exits {options.get('exitCode', 0)}"
        case "http":
            text = f"http {options.get('method', 'GET')} {short(str(options['url']))} answers "
            text += f"{options.get('status', 200)} within {_duration(options, 'within', 2)}"
        case "tcp":
            text = f"tcp {options['address']}:{options['port']} accepts within {_duration(options, 'within', 2)}"
        case "file":
            text = f"file {short(str(options['path']))} {_file_state(options)}"
        case "listening":
            address = f" of {options['address']}" if "address" in options else ""
            text = f"{options['owner']} listens on {options['protocol']} port {options['port']}{address}"
        case other:
            return f"{other} probe"
    return text + _content(options)


def _command(options: Mapping[str, Json]) -> str:
    command = options["command"]
    return short(" ".join(map(str, command)) if isinstance(command, list | tuple) else str(command))


def _file_state(options: Mapping[str, Json]) -> str:
    if not options.get("exists", True):
        return "is absent"
    parts = []
    if "maxAge" in options:
        parts.append(f"changed within {_duration(options, 'maxAge', 0)}")
    if "minSize" in options:
        parts.append(f"has at least {options['minSize']} bytes")
    return ", ".join(parts) or "exists"


def _content(options: Mapping[str, Json]) -> str:
    """What the answer must hold, for the probes that look inside."""
    fields = options.get("json")
    parts = [f"{key} = {_spelled(fields[key])}" for key in sorted(fields)] if isinstance(fields, Mapping) else []
    if "matches" in options:
        parts.append(f"text /{short(str(options['matches']))}/")
    return f" with {', '.join(parts)}" if parts else ""


def _spelled(value: Json) -> str:
    return short(value if isinstance(value, str) else canonical_text(value))


def _duration(options: Mapping[str, Json], name: str, default: float) -> str:
    return format_duration(_number(options, name, default)).replace(" ", "")


def _number(options: Mapping[str, Json], name: str, default: float) -> float:
    value = options.get(name, default)
    return float(value) if isinstance(value, int | float) else default
