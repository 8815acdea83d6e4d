"""A whole compose file as manifests: what can be said the same way is, and the rest is listed with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.address import NAME_PATTERN
from reconciler.model.data import Json
from reconciler.model.errors import HostError
from reconciler.provider import Described, Imported
from reconciler.providers.container.compose.draft import Draft, Incomplete, Project, items, pairs
from reconciler.providers.container.compose.service import read
from reconciler.providers.container.compose.variables import Unfilled, Variables, dotenv

_SECTIONS = ("volumes", "networks", "secrets", "configs")
_KNOWN = frozenset({"services", "version", "name", *_SECTIONS})


def compose(host: Host, file: Described, environ: Mapping[str, str]) -> tuple[Imported, ...]:
    """Every service of the file, in its order, as a manifest with notes, or why it cannot be one."""
    document = file.content if isinstance(file.content, dict) else {}
    services = document.get("services")
    if not isinstance(services, dict):
        return (Imported(file.place(()), "the compose file", None, "it has no services"),)
    beside = dotenv(_read(host, file.path.parent / ".env") or "", environ)
    variables = {**beside, **environ}
    try:
        parts = {part: _mapping(Variables(variables).fill(document.get(part))) for part in _SECTIONS}
    except Unfilled as error:
        return (Imported(file.place(()), "the compose file", None, str(error)),)
    filled: dict[str, Mapping[str, Json]] = {}
    found: dict[str, Imported] = {}
    notes: dict[str, list[str]] = {}
    for name, about in services.items():
        try:
            filled[name], notes[name] = _filled(file, name, about, variables)
        except (Unfilled, Incomplete) as error:
            where = f"{file.place(('services', name))}, service {name}"
            found[name] = Imported(where, name, None, str(error))
    project = _project(host, file, _called(document, file, variables), parts, filled)
    for name, about in filled.items():
        made = _imported(project, name, about)
        found[name] = replace(made, notes=(*notes[name], *made.notes))
    return (*(found[name] for name in services), *_beyond(file, document, parts))


def _filled(
    file: Described, name: str, about: Json, variables: Mapping[str, str]
) -> tuple[Mapping[str, Json], list[str]]:
    """A service with its references filled in. Raises Incomplete where it is none, Unfilled where one cannot be."""
    if not isinstance(about, dict):
        raise Incomplete("it is not a mapping")
    known = Variables(variables)
    environment: dict[str, Json] = {}
    notes: list[str] = []
    for key, value, step in pairs(about.get("environment")):
        try:
            environment[key] = known.fill(value)
        except Unfilled as error:
            place = file.place(("services", name, "environment", step))
            notes.append(f"the variable {key} is left out: {error} ({place})")
    rest = {key: known.fill(value) for key, value in about.items() if key != "environment"}
    called = str(rest.get("container_name") or name)
    if re.fullmatch(NAME_PATTERN, called) is None or len(called) < 2:
        raise Incomplete(f"a manifest cannot be called {called}: rename it to small letters, digits, . and -")
    if known.filled:
        notes.append(f"filled in as they are set now: {', '.join(sorted(known.filled))}")
    if known.empty:
        notes.append(f"not set, and so empty: {', '.join(sorted(known.empty))}")
    return {**rest, "environment": environment}, notes


def _called(document: Mapping[str, Json], file: Described, variables: Mapping[str, str]) -> str:
    """The name of the project, which compose puts before the names of volumes and networks."""
    named = document.get("name")
    folder = re.sub(r"[^a-z0-9_-]", "", file.path.parent.name.lower()).lstrip("_-")
    known = named if isinstance(named, str) and "$" not in named else None
    return variables.get("COMPOSE_PROJECT_NAME") or known or folder or "default"


def _project(
    host: Host,
    file: Described,
    name: str,
    parts: Mapping[str, Mapping[str, Json]],
    services: Mapping[str, Mapping[str, Json]],
) -> Project:
    kept = {
        f"{part}.{key}": about
        for part in ("secrets", "configs")
        for key, about in parts[part].items()
        if isinstance(about, dict)
    }
    paths = {
        file.path.parent / str(item.get("path") if isinstance(item, dict) else item)
        for about in services.values()
        for item in items(about.get("env_file"))
    }
    return Project(
        file=file,
        name=name,
        volumes=_names(parts["volumes"], name),
        networks={"default": f"{name}_default", **_names(parts["networks"], name)},
        called={key: str(about.get("container_name") or key) for key, about in services.items()},
        kept=kept,
        read={path: _read(host, path) for path in sorted(paths)},
    )


def _names(part: Mapping[str, Json], project: str) -> dict[str, str]:
    """Volumes or networks as the engine calls them: with the project before, or by a name of their own."""
    found: dict[str, str] = {}
    for key, about in part.items():
        options = _mapping(about)
        own = options.get("name")
        unnamed = key if options.get("external") else f"{project}_{key}"
        found[key] = own if isinstance(own, str) else unnamed
    return found


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _read(host: Host, path: Path) -> str | None:
    try:
        content = host.read(path)
    except HostError:
        return None
    return None if content is None else content.decode("utf-8", "replace")


def _imported(project: Project, name: str, about: Mapping[str, Json]) -> Imported:
    path = ("services", name)
    where, called = f"{project.file.place(path)}, service {name}", project.called[name]
    draft = Draft(project, path, {"supervisor": "container"})
    if called != name:
        draft.say(f"other containers find it as {called}, and not as {name} any more", "container_name")
    try:
        read(draft, about)
    except (Incomplete, ValueError) as error:
        return Imported(where, called, None, str(error))
    why = _refused(draft.spec)
    metadata: dict[str, Json] = {"name": called, **({"labels": draft.labels} if draft.labels else {})}
    manifest: dict[str, Json] = {"apiVersion": "reconciler/v1", "kind": "Service", "metadata": metadata}
    return Imported(where, called, None if why else {**manifest, "spec": draft.spec}, why, tuple(draft.notes))


def _refused(spec: Mapping[str, Json]) -> str | None:
    from reconciler.kinds.service import Service

    try:
        Service.spec_data(spec)
    except ValueError as error:
        return f"a manifest would refuse it: {error}"
    return None


def _beyond(
    file: Described, document: Mapping[str, Json], parts: Mapping[str, Mapping[str, Json]]
) -> Sequence[Imported]:
    """Parts of the file outside of its services that have no place in manifests."""
    found = [
        Imported(file.place((part,)), part, None, "manifests have no word for it")
        for part in document
        if part not in _KNOWN and not part.startswith("x-")
    ]
    for section in ("volumes", "networks"):
        for name, about in parts[section].items():
            options = sorted(set(_mapping(about)) - {"name", "external"})
            if options:
                why = f"{', '.join(options)}: reconcile makes it without options, or uses the one that is there"
                found.append(Imported(file.place((section, name)), f"{section}: {name}", None, why))
    return found
