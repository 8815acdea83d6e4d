"""Which managers a look or a change concerns. Where a state says "", whoever runs this decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.errors import ObserveError
from reconciler.model.state import State
from reconciler.providers.systemd.manager import SCOPES, Instance, Scope, Silent, ask, default_scope


def scope_of(state: State, default: Scope) -> Scope:
    """The scope that a state means."""
    return cast(Scope, state.attributes.get("scope") or default)


def default_of(host: Host) -> Scope:
    return default_scope(host.facts().user)


def managers(host: Host, named: Iterable[Scope]) -> dict[Scope, Instance]:
    """The managers to look at: each named one, which must answer, and those that do besides.

    Only root's looks take in the manager of the machine: to anybody else its units are other people's.
    """
    default, needed = default_of(host), set(named)
    if "system" in needed and default == "user":
        raise ObserveError(
            "cannot look after units of the machine: only root may", hint="run as root, or write scope: user"
        )
    found: dict[Scope, Instance] = {}
    silent: dict[Scope, Silent] = {}
    for scope in SCOPES:
        if scope == "system" and default == "user":
            continue
        answer = ask(host, scope)
        if isinstance(answer, Instance):
            found[scope] = answer
        else:
            silent[scope] = answer
    missing = [silent[scope] for scope in SCOPES if scope in silent and scope in needed]
    if missing or not found:
        why = missing[0] if missing else silent[default]
        raise ObserveError(f"cannot look at the units: {why.why}", hint=why.hint)
    return found


def bare(attributes: Mapping[str, Json]) -> dict[str, Json]:
    """Attributes without the scope: where they were found says it."""
    return {name: value for name, value in attributes.items() if name != "scope"}
