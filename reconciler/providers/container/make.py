"""What a new container needs before it can be made, and whether it lives once it was started."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from reconciler.model.errors import ApplyError, Hindered, HostError
from reconciler.model.state import State
from reconciler.providers.container.api import Engine, Object, Refusal
from reconciler.providers.container.spec import ENGINE_NETWORKS, HOLDER, NETWORK

LIVES = ("running", "paused")
YOUNG = 10.0  # seconds for which a container that was restarted is not yet trusted
TRIES, PAUSE = 5, 0.2  # of making a network
_VANISHED = "no such network interface"
_OUT_OF_REACH = re.compile(  # how engines pass on that a registry could not be asked, rather than what it said
    r"dial tcp|i/o timeout|Client\.Timeout|handshake timeout|deadline exceeded|request canceled"
    r"|connection reset by peer|unexpected EOF|toomanyrequests|HTTP (status: )?5\d\d|no space left on device"
)


def ensure_image(engine: Engine, state: State) -> str:
    """The id of the image, fetched where the pull policy says so.

    Raises ApplyError, naming the image; Hindered where its registry, or the engine, could not be asked.
    """
    name, policy = str(state.attributes["image"]), state.attributes.get("pull", "missing")
    found = engine.image(name) if policy != "always" else None
    if found is None and policy != "never":
        try:
            engine.pull(name)
        except HostError as error:
            raise _without_image(name, error) from error
        found = engine.image(name)
    if found is None:
        hint = "load it into the engine, or write pull: missing"
        raise ApplyError(f"cannot use the image {name}: the engine does not have it", hint=hint)
    return str(found.get("Id", ""))


def _without_image(name: str, error: HostError) -> ApplyError:
    message = f"cannot get the image {name}: {error.message}"
    if not isinstance(error, Refusal):
        return Hindered(message, hint=error.hint)
    if _OUT_OF_REACH.search(error.message):
        return Hindered(message, hint="see why the engine does not get through to the registry, then apply again")
    hint = "check its name and the registry, or load it into the engine and write pull: never"
    return ApplyError(message, hint=hint)


def ensure_networks(engine: Engine, names: Iterable[str]) -> None:
    """Make those of these networks that are missing, marked as ours."""
    for name in names:
        if name not in ENGINE_NETWORKS and engine.network(name) is None:
            _make_network(engine, name)


def _make_network(engine: Engine, name: str) -> None:
    """Again where an interface vanished while the engine listed them, as they do when any container stops."""
    for tries in range(1, TRIES + 1):
        try:
            engine.make_network(name, {NETWORK: "true", HOLDER: engine.holder})
        except Refusal as error:
            if _VANISHED not in error.message or tries == TRIES:
                raise
            engine.host.clock.sleep(PAUSE)
        else:
            return


def check(engine: Engine, id_: str, state: State) -> None:
    """Raises ApplyError, with the end of its log, where a container that was just started has ended already."""
    about = engine.container(id_)
    why = "it is gone" if about is None else ended(engine, about)
    if why is not None:
        said = engine.logs(id_) if about is not None else ""
        image = state.attributes.get("image")
        raise ApplyError(f"cannot keep the container of {image} running: {why}{tail(said)}")


def ended(engine: Engine, about: Object) -> str | None:
    """Why a container does not count as running, or None."""
    state = about.get("State")
    found = state if isinstance(state, dict) else {}
    status, code = str(found.get("Status", "unknown")), found.get("ExitCode")
    if status == "restarting":
        return f"it ended with status {code} and is started again and again"
    if status not in LIVES:
        error = str(found.get("Error") or "").strip()
        return f"it is {status} with status {code}{f' ({error})' if error else ''}"
    restarts = about.get("RestartCount")
    if isinstance(restarts, int) and restarts > 0 and _age(engine, str(found.get("StartedAt", ""))) < YOUNG:
        return f"it was started again {restarts} times and keeps ending (last status {code})"
    health = found.get("Health")
    if isinstance(health, dict) and health.get("Status") == "unhealthy":
        return "its own health check fails"
    return None


def _age(engine: Engine, moment: str) -> float:
    """Seconds since a moment that the engine names; 0 where it names none."""
    since = instant(moment)
    return (engine.host.clock.now() - since).total_seconds() if since else 0.0


def instant(text: str) -> datetime | None:
    """A time of the engine. Docker says UTC with nanoseconds, Podman the local time with its offset."""
    zone = re.search(r"(?:Z|[+-]\d\d:\d\d)$", text)
    try:
        return datetime.fromisoformat(text[:19] + (zone[0].replace("Z", "+00:00") if zone else "+00:00"))
    except ValueError:
        return None


def tail(said: str) -> str:
    return f"; the end of its log:\n{said}" if said else "; it wrote nothing"
