"""Resolve each desired resource to a backend and the canonical state that it asks for there. Pure.

Whether a backend can be used on this host is asked through `support`, and only where there is a choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import LoadError, Problem, UnsupportedSpec
from reconciler.model.intent import Intent
from reconciler.model.job import SHELL, Job
from reconciler.model.resource import Resource
from reconciler.model.state import HostFacts, Owned
from reconciler.provider import Provider

# The first that is usable and can express a resource holds it, unless its manifest names another.
PREFERENCE = {
    "linux": ("crontab", "systemd", "container", "launchd", "embedded"),
    "darwin": ("launchd", "crontab", "container", "systemd", "embedded"),
}
CHOICES = ("scheduler", "supervisor")  # fields of a spec that name a backend


def intents(
    resources: Sequence[Resource],
    providers: Mapping[str, Provider],
    host: HostFacts,
    inventory: Sequence[Owned],
    support: Callable[[str], str | None],
) -> tuple[Intent, ...]:
    """One intent per resource that belongs to this host, in order.

    `support` answers why a backend cannot be used here, or None. Raises LoadError with every spec that no
    backend can express.
    """
    holders = {entry.id: entry.provider for entry in inventory}
    found: list[Intent] = []
    problems: list[Problem] = []
    for resource in resources:
        if not is_here(resource, host):
            continue
        called, job = through_runner(resource, host)
        try:
            intent = _choose(called, providers, host, holders.get(resource.id), support)
            found.append(intent if job is None else replace(intent, job=job))
        except UnsupportedSpec as error:
            problems.append(_problem(resource, error))
    if problems:
        raise LoadError(tuple(problems))
    return tuple(found)


def _problem(resource: Resource, error: UnsupportedSpec) -> Problem:
    from reconciler.load.locate import locate

    what = f"{resource.id} {error.field}" if error.field else str(resource.id)
    line, column, excerpt = locate(resource.source, error.field)
    return Problem(resource.source.file, line, column, f"{what}: {error.message}", error.hint, excerpt)


def through_runner(resource: Resource, host: HostFacts) -> tuple[Resource, Job | None]:
    """An automation with its command as schedulers call it: through the runner, which goes to its folder itself.

    A folder that has vanished is then a run that failed and says so. Anything else stays as it is.
    """
    spec = resource.spec
    if resource.id.kind != "Automation" or not host.runner or spec.get("runner") != "on":
        return resource, None
    settings = cast("Mapping[str, Json]", spec.get("job") or {})
    job = Job(resource.id.name, settings) if settings else None
    call = [host.runner, "exec", f"{resource.id.name}@{job.digest}" if job else resource.id.name]
    if host.state:  # another user keeps records in a folder of his own, and only reads what he is told here
        call += ["--jobs", f"{host.state}/jobs"] if spec.get("user") else ["--state", host.state]
    if directory := spec.get("workingDirectory"):
        call += ["--in", str(directory)]
    command = spec["command"]
    argv = [*SHELL, command] if isinstance(command, str) else list(cast("Sequence[str]", command))
    wrapped: dict[str, Json] = {**spec, "command": [*call, "--", *argv], "workingDirectory": None}
    return replace(resource, spec=wrapped), job


def is_here(resource: Resource, host: HostFacts) -> bool:
    """Whether a resource is placed on this host."""
    where = resource.placement
    if where is None:
        return True
    return (
        (not where.hosts or host.name in where.hosts)
        and set(where.labels) <= set(host.labels)
        and where.platform in ("", host.platform)
    )


def _choose(
    resource: Resource,
    providers: Mapping[str, Provider],
    host: HostFacts,
    holder: str | None,
    support: Callable[[str], str | None],
) -> Intent:
    order, kind = _in_order(host.platform, providers), resource.id.kind
    if (named := _wish(resource.spec)) is not None:
        field, wish = named
        if wish not in providers or kind not in providers[wish].kinds:
            hint = _listed([name for name in order if kind in providers[name].kinds])
            raise UnsupportedSpec(f"there is no backend {wish} for {kind}", field=field, hint=hint)
        return Intent(resource, wish, providers[wish].canonical(resource))
    if holder is not None and holder in providers:  # what works stays where it is, as long as it can
        order = [holder, *(name for name in order if name != holder)]
    return _first_that_can(resource, providers, order, support)


def _first_that_can(
    resource: Resource,
    providers: Mapping[str, Provider],
    order: Sequence[str],
    support: Callable[[str], str | None],
) -> Intent:
    """The first backend that can express the resource and can be used; else the first that could express it.

    Backends behind it are not even imported.
    """
    refusals: dict[str, UnsupportedSpec] = {}
    missing: dict[str, str] = {}
    possible: list[Intent] = []
    for name in order:
        if resource.id.kind not in providers[name].kinds:
            continue
        try:
            state = providers[name].canonical(resource)
        except UnsupportedSpec as error:
            refusals[name] = error
            continue
        why = support(name)
        intent = Intent(resource, name, state, _why(name, refusals, missing))
        if why is None:
            return intent
        missing[name] = why
        possible.append(intent)
    if possible:
        return possible[0]
    raise next(iter(refusals.values()), UnsupportedSpec(f"there is no backend for {resource.id.kind}"))


def _why(name: str, refusals: Mapping[str, UnsupportedSpec], missing: Mapping[str, str]) -> str:
    """Why it is this backend: what kept the ones before it out."""
    reasons = [f"{other} cannot: {error.message}" for other, error in refusals.items()]
    reasons += [f"{other} cannot be used: {why}" for other, why in missing.items()]
    return f"on {name}, because {'; '.join(reasons)}" if reasons else ""


def _wish(spec: Mapping[str, Json]) -> tuple[str, str] | None:
    """The field that names a backend, and the name."""
    named = ((field, spec.get(field)) for field in CHOICES)
    return next(((field, str(name)) for field, name in named if name not in (None, "auto")), None)


def _in_order(platform: str, providers: Mapping[str, Provider]) -> list[str]:
    known = [name for name in PREFERENCE.get(platform, ()) if name in providers]
    return known + sorted(set(providers) - set(known))


def _listed(names: Sequence[str]) -> str:
    return f"write {' or '.join(names)}" if names else "no backend holds this kind"


def placed_elsewhere(resources: Sequence[Resource], host: HostFacts) -> tuple[ResourceId, ...]:
    """Addresses of the resources that belong to other hosts."""
    return tuple(resource.id for resource in resources if not is_here(resource, host))
