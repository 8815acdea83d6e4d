"""Which managers a look or a change concerns. Where a state says "", whoever runs this decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import ObserveError
from reconciler.model.state import State
from reconciler.providers.systemd.manager import SCOPES, Instance, Scope, Silent, ask, default_scope

NO_LINGERING = "lingering is off for this user"
LINGER_HINT = "switch it on with `loginctl enable-linger`, or use scope: system"
_ELSEWHERE = {
    "Automation": "another `scheduler` (crontab, embedded)",
    "Service": "another `supervisor` (embedded, container)",
}


def scope_of(state: State, default: Scope) -> Scope:
    """The scope that a state means."""
    return cast(Scope, state.attributes.get("scope") or default)


def default_of(host: Host) -> Scope:
    return default_scope(host.facts().user)


def lingers(host: Host) -> bool:
    """Whether the user's manager stays when nobody is logged in."""
    return host.modified(Path("/var/lib/systemd/linger", host.facts().user)) is not None


def managers(host: Host, named: Mapping[Scope, Sequence[ResourceId]]) -> dict[Scope, Instance]:
    """The managers to look at: each that is named by something, which must answer, and those that do besides.

    Only root's looks take in the manager of the machine: to anybody else its units are other people's.
    """
    default = default_of(host)
    if "system" in named and default == "user":
        raise ObserveError(
            f"cannot look at the units of {_several(named['system'])}: only root may, they are the machine's",
            hint="run as root, or write scope: user",
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
    missing = [scope for scope in SCOPES if scope in silent and scope in named]
    if missing:
        raise _unseen(silent[missing[0]], named[missing[0]])
    if not found:
        raise ObserveError(f"cannot look at the units: {silent[default].why}", hint=silent[default].hint)
    return found


def _unseen(silent: Silent, ids: Sequence[ResourceId]) -> ObserveError:
    """A manager that something needs does not answer: what that is, and where else it could be."""
    message = f"cannot look at the units of {_several(ids)}: {silent.why}"
    if all(id_.reserved for id_ in ids):  # no manifest names it
        other = next(scope for scope in SCOPES if scope != silent.scope)
        return ObserveError(message, hint=f"`reconcile self install` with `--scope {other}` or `--through crontab`")
    fields = " or ".join(text for kind, text in _ELSEWHERE.items() if any(id_.kind == kind for id_ in ids))
    return ObserveError(message, hint=f"{silent.hint}; or name in the manifest {fields}")


def _several(ids: Sequence[ResourceId]) -> str:
    more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    return f"{min(ids)}{more}"


def bare(attributes: Mapping[str, Json]) -> dict[str, Json]:
    """Attributes without the scope: where they were found says it."""
    return {name: value for name, value in attributes.items() if name != "scope"}
