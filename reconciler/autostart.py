"""What `reconcile self install` installs, as resources, and which backend is to start it. Pure.

Which of them are in force later on is decided in `own`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.kinds.catalogue import KindCatalogue
from reconciler.model.errors import ReconcileError
from reconciler.model.resource import Resource
from reconciler.model.state import Owned
from reconciler.own import SUPERVISOR, WATCH

AUTO = "auto"
STARTERS = {"linux": ("systemd", "crontab", "launchd"), "darwin": ("launchd", "crontab", "systemd")}
PATIENCE = "20s"  # until a supervisor that is started must answer


@dataclass(frozen=True, slots=True)
class Setup:
    """What is to start at boot or login, and through which backend."""

    through: str
    python: str  # the interpreter, by its whole path
    state: str  # the state folder, by its whole path
    watch: str = ""  # the tree to watch, by its whole path; "": none
    environment: Mapping[str, str] = field(default_factory=dict)  # what the interpreter needs to find the package
    folders: Mapping[str, str] = field(default_factory=dict)  # variables of the watch besides
    scope: str = ""  # systemd: whose manager; "" is the usual one


def resources(setup: Setup, kinds: KindCatalogue) -> tuple[Resource, ...]:
    """The resources of a setup."""
    from reconciler.load.validate import resource_or_none

    documents = [_by_cron(setup) if setup.through == "crontab" else _by_manager(setup)]
    if setup.watch:
        documents.append(_watch(setup, f"{documents[0]['kind']}/{SUPERVISOR}"))
    found = [resource_or_none(document, 1, "reconcile self install", kinds) for document in documents]
    return tuple(sorted((each for each in found if each is not None), key=lambda each: each.id))


def _supervisor(setup: Setup, verb: str) -> list[str]:
    # -P: a folder `reconciler` where it happens to be started is not taken for the package.
    return [setup.python, "-P", "-m", "reconciler.supervisor", verb, "--state", setup.state, "--stay"]


def _by_cron(setup: Setup) -> dict[str, Any]:
    """Cron waits for what it starts, so the supervisor goes into the background; the gate starts it right away."""
    import shlex

    start = _supervisor(setup, "start")
    spec = {
        "schedule": {"at": "boot"},
        "command": f"{shlex.join(start)} >/dev/null",
        "environment": dict(setup.environment),
        "scheduler": "crontab",
        "runner": "off",
        "verify": {"within": PATIENCE, "probes": [{"exec": {"command": start, "timeout": PATIENCE}}]},
    }
    return _document("Automation", SUPERVISOR, "starts the embedded supervisor at boot", spec)


def _by_manager(setup: Setup) -> dict[str, Any]:
    spec = {
        "supervisor": setup.through,
        "command": _supervisor(setup, "run"),
        "environment": dict(setup.environment),
        "stop": {"signal": "SIGTERM", "grace": "60s"},
    }
    return _document("Service", SUPERVISOR, "the embedded supervisor", _scoped(setup, spec))


def _watch(setup: Setup, supervisor: str) -> dict[str, Any]:
    """Where cron starts the supervisor, that one keeps the watch running."""
    embedded = setup.through == "crontab"
    spec = {
        "supervisor": "embedded" if embedded else setup.through,
        "command": [setup.python, "-P", "-m", "reconciler", "watch", setup.watch],
        "environment": {**setup.environment, **setup.folders},
        "stop": {"signal": "SIGTERM", "grace": "60s"},
        "dependsOn": [supervisor],
        "verify": {"within": "60s", "stableFor": "2s"},  # another watch, or a broken tree, ends it at once
    }
    return _document("Service", WATCH, "keeps this host as the manifests say", _scoped(setup, spec))


def _scoped(setup: Setup, spec: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "scope": setup.scope} if setup.scope and setup.through != "crontab" else spec


def _document(kind: str, name: str, description: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "description": description}
    return {"apiVersion": "reconciler/v1", "kind": kind, "metadata": metadata, "spec": dict(spec)}


def starter(wish: str, inventory: Sequence[Owned], platform: str, support: Callable[[str], str | None]) -> str:
    """The backend to install through. `auto` stays where it is, else takes the first that can be used."""
    if wish != AUTO:
        return wish
    order = STARTERS.get(platform, STARTERS["linux"])
    held = [entry.provider for entry in inventory if entry.id.name == SUPERVISOR]
    for name in (*held, *order):
        if name in order and support(name) is None:
            return name
    missing = "; ".join(f"{name}: {support(name)}" for name in order)
    raise ReconcileError(
        f"cannot install: nothing on this host starts programs at boot or login ({missing})",
        hint="start it yourself where your machine starts things: `python -m reconciler.supervisor start --state …`",
    )
