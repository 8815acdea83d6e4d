"""Resolve each desired resource to a backend and the canonical state that it asks for there. Pure.

Whether a backend can be used on this host is asked through `support`, and only where there is a choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.data import Json, digest
from reconciler.model.errors import LoadError, Problem, UnsupportedSpec
from reconciler.model.intent import Intent
from reconciler.model.job import SHELL, Job
from reconciler.model.limits import Limits, joined
from reconciler.model.resource import Desired, Resource
from reconciler.model.state import HostFacts, Owned
from reconciler.provider import HasSources, Provider

# The first that is usable and can express a resource holds it, unless its manifest names another.
PREFERENCE = {
    "linux": ("crontab", "systemd", "container", "launchd", "embedded"),
    "darwin": ("launchd", "crontab", "container", "systemd", "embedded"),
}
CHOICES = ("scheduler", "supervisor")  # fields of a spec that name a backend
_WHAT = frozenset({"image", "command", "schedule"})  # fields that say what runs; the others say how


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
        called, job, limits = resource, None, Limits()
        with limits:
            called, job = through_runner(resource, host)
        with limits:
            intent = _choose(called, providers, host, holders.get(resource.id), support)
            found.append(intent if job is None else replace(intent, job=job))
        problems += [_problem(resource, limit) for limit in limits.found]
    if problems:
        raise LoadError(tuple(problems))
    return tuple(found)


def with_sources(desired: Desired, wanted: Sequence[Intent], providers: Mapping[str, Provider]) -> Desired:
    """The same tree, whose revision also stands for the files that its manifests refer to.

    So what failed with one content is not held against another one, and is not called stable for it.
    """
    found: list[Json] = []
    for name in sorted({intent.provider for intent in wanted}):
        provider = providers[name]
        if isinstance(provider, HasSources):
            mine = [(i.id, provider.source_digest(i.resource, i.state)) for i in wanted if i.provider == name]
            found += [[str(id_), read] for id_, read in mine if read is not None]
    if not found:
        return desired
    identity = digest([desired.revision.digest, found])
    return replace(desired, revision=replace(desired.revision, digest=identity))


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
    other = spec.get("user") not in (None, host.user)
    if other and not (host.shared and not host.state):
        _refuse_bounds(spec)
        return resource, None  # a program that its user cannot reach would keep the job from running
    settings = cast("Mapping[str, Json]", spec.get("job") or {})
    job = Job(resource.id.name, settings) if settings else None
    call = [host.runner, "exec", f"{resource.id.name}@{job.digest}" if job else resource.id.name]
    if host.state:
        call += ["--state", host.state]
    if directory := spec.get("workingDirectory"):
        call += ["--in", str(directory)]
    command = spec["command"]
    argv = [*SHELL, command] if isinstance(command, str) else list(cast("Sequence[str]", command))
    wrapped: dict[str, Json] = {**spec, "command": [*call, "--", *argv], "workingDirectory": None}
    return replace(resource, spec=wrapped), job


def _refuse_bounds(spec: Mapping[str, Json]) -> None:
    """What only the runner can do, asked for where it cannot be reached."""
    limits, user = Limits(), spec["user"]
    for field in sorted(cast("Mapping[str, Json]", spec.get("job") or {})):
        hint = f"install reconciler where every user may read it (/opt), or let {user} apply this"
        limits.add(f"{user} cannot reach the runner that would see to it", field=field, hint=hint)
    limits.end()


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
        try:
            return Intent(resource, wish, providers[wish].canonical(resource))
        except UnsupportedSpec as error:
            others = [name for name in order if name != wish and kind in providers[name].kinds]
            able = _able(resource, {name: providers[name] for name in others if support(name) is None})
            raise _with_hints(error, field, able) from error
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
    if not refusals:
        raise UnsupportedSpec(f"there is no backend for {resource.id.kind}")
    raise _nearest(refusals)


def _able(resource: Resource, providers: Mapping[str, Provider]) -> Callable[[str | None], list[str]]:
    """Answers which of these backends have nothing against a field."""
    refused: dict[str, frozenset[str | None]] = {}
    for name, provider in providers.items():
        limits = Limits()
        with limits:
            provider.canonical(resource)
        refused[name] = frozenset(limit.field for limit in limits.found)
    return lambda field: [name for name, fields in refused.items() if field not in fields]


def _with_hints(error: UnsupportedSpec, choice: str, able: Callable[[str | None], list[str]]) -> UnsupportedSpec:
    """The same limits; one without a hint names the backends that can. `choice` is the field that names one."""
    limits = Limits()
    for limit in error.limits:
        others = " or ".join(able(limit.field)) if limit.hint is None and limit.field else ""
        limits.add(limit.message, field=limit.field, hint=f"use {choice}: {others}" if others else limit.hint)
    return joined(limits.found)


def _nearest(refusals: Mapping[str, UnsupportedSpec]) -> UnsupportedSpec:
    """The limits of the backend that lacks least, and what keeps the others out: none can hold all of it."""

    def lack(name: str) -> tuple[bool, int]:
        fields = [limit.field for limit in refusals[name].limits]
        return not _WHAT.isdisjoint(fields), len(fields)

    name = min(refusals, key=lack)
    error = refusals[name]
    others = [
        f"{other} refuses {' and '.join(sorted({limit.field or 'it' for limit in refusal.limits}))}"
        for other, refusal in refusals.items()
        if other != name
    ]
    if not others:
        return error
    hint = "; ".join([*filter(None, [error.hint]), f"no other backend takes all of it: {', '.join(others)}"])
    return UnsupportedSpec(error.message, field=error.field, hint=hint, others=error.limits[1:])


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
