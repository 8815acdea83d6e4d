"""In which order services start and end: who waits for whom, and whether that can come to an end. Looks only."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.supervisor.service import ACTIVE, Service


def waits(services: Mapping[str, Service], service: Service) -> str:
    """What it waits for before it may start; "" where nothing is missing."""
    missing = [name for name in service.definition.after if name in services and not _is_ready(services[name])]
    if not missing:
        return ""
    name = max(missing, key=lambda one: is_stuck(services, one))
    state = "has been given up" if services[name].state == "fatal" else f"is {services[name].state}"
    return f"it waits for Service/{name}, which {state}"


def _is_ready(service: Service) -> bool:
    return service.state in ("running", "ended")


def is_stuck(services: Mapping[str, Service], name: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether it was given up, or waits in the end for one that was: no time helps that."""
    service = services.get(name)
    if service is None or name in seen or service.state != "waiting":
        return service is not None and service.state == "fatal"
    return any(is_stuck(services, other, seen | {name}) for other in service.definition.after)


def is_needed(services: Mapping[str, Service], name: str) -> bool:
    """Whether one that is up depends on it."""
    return any(
        name in other.definition.after and other.state in ACTIVE and other.name != name for other in services.values()
    )
