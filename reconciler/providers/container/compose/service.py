"""One service of a compose file as a spec: a reader for each field that a manifest has a word for. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.model.data import Json
from reconciler.providers.container.compose.draft import Draft, Incomplete, items, pairs, written
from reconciler.providers.container.compose.mounts import configs, secrets, volumes
from reconciler.providers.container.compose.variables import dotenv
from reconciler.providers.container.spec import POLICIES, RESTART_NOTES

_PULL = {"always": "always", "never": "never", "missing": "missing", "if_not_present": "missing"}
_PORT = re.compile(
    r"(?:(?P<address>[0-9.]+|\[[0-9a-fA-F:]+\]):)?(?P<host>[0-9]+)(?:-(?P<last>[0-9]+))?"
    r":(?P<target>[0-9]+)(?:-(?P<end>[0-9]+))?(?:/(?P<protocol>tcp|udp))?"
)
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - where compose publishes when it is told no address
# Read elsewhere, or without any effect on what runs.
_SILENT = frozenset({"container_name", "build", "image", "expose"})
_SILENT |= {"stop_signal", "stop_grace_period", "env_file", "environment"}


def read(draft: Draft, about: Mapping[str, Json]) -> None:
    """Fill in the draft. Raises Incomplete where what is lost makes it another service."""
    if "extends" in about:
        raise Incomplete("it extends another service: `docker compose config` writes it out")
    _image(draft, about)
    for key, value in about.items():
        reader = _READERS.get(key)
        if reader is not None:
            reader(draft, value)
        elif key not in _SILENT and not key.startswith("x-") and value not in (None, False, [], {}, ""):
            draft.lose(key, key)
    _environment(draft, about)
    _stop(draft, about)
    draft.spec.setdefault("restart", {"policy": "no"})
    draft.spec.setdefault("networks", [draft.project.networks["default"]])


def _image(draft: Draft, about: Mapping[str, Json]) -> None:
    image = about.get("image")
    if not isinstance(image, str) and "build" not in about:
        raise Incomplete("it has neither an image nor a build")
    draft.spec["image"] = image if isinstance(image, str) else f"{draft.project.name}-{draft.path[-1]}"
    if "build" in about:
        draft.spec["pull"] = "never"
        draft.say("build is not carried over: `docker compose build` makes the image, reconcile uses it", "build")


def _pull(draft: Draft, value: Json) -> None:
    if str(value) in _PULL:
        draft.spec["pull"] = _PULL[str(value)]
    else:
        draft.lose(f"pull_policy {value}", "pull_policy")


def _words(name: str) -> Callable[[Draft, Json], None]:
    """Compose runs no shell: text is split into words."""

    def take(draft: Draft, value: Json) -> None:
        if value is not None:
            draft.spec[name] = shlex.split(value) if isinstance(value, str) else [written(i) for i in items(value)]

    return take


def _environment(draft: Draft, about: Mapping[str, Json]) -> None:
    """The files of variables first, in their order: what the service says itself stands above them."""
    from reconciler.kinds.fields import variable_name

    said: dict[str, tuple[Json, tuple[str | int, ...]]] = {}
    for index, item in enumerate(items(about.get("env_file"))):
        said |= _from_file(draft, item, index)
    said |= {name: (value, ("environment", step)) for name, value, step in pairs(about.get("environment"))}
    found: dict[str, Json] = {}
    for name, (value, path) in said.items():
        if value is None:
            draft.lose(f"the variable {name} from the environment of compose", *path)
            continue
        try:
            found[variable_name(name)] = written(value)
        except ValueError as error:
            draft.say(f"the variable {name} is left out: {error}", *path)
    if found:
        draft.spec["environment"] = found


def _from_file(draft: Draft, item: Json, index: int) -> dict[str, tuple[Json, tuple[str | int, ...]]]:
    path = str(item.get("path")) if isinstance(item, dict) else str(item)
    place: tuple[str | int, ...] = ("env_file", index)
    content = draft.project.read.get(draft.project.file.path.parent / path)
    if content is None:
        if not (isinstance(item, dict) and item.get("required") is False):
            draft.say(f"the file {path} cannot be read: its variables are left out", *place)
        return {}
    draft.say(f"the variables of {path} are written out as they stand there now", *place)
    return {name: (value, place) for name, value in dotenv(content, {}).items()}


def _ports(draft: Draft, value: Json) -> None:
    found: list[Json] = []
    for index, item in enumerate(items(value)):
        ports = _long_port(item) if isinstance(item, dict) else _short_port(str(item))
        if not ports:
            text = item.get("target") if isinstance(item, dict) else item
            draft.lose(f"the port {text}, for which the engine chooses one here,", "ports", index)
        found += ports
    if found:
        draft.spec["ports"] = found


def _long_port(item: dict[str, Any]) -> list[Json]:
    address = str(item.get("host_ip") or _EVERYWHERE)
    address = f"[{address}]" if ":" in address else address
    return _short_port(f"{address}:{item.get('published')}:{item.get('target')}/{item.get('protocol') or 'tcp'}")


def _short_port(text: str) -> list[Json]:
    """One port or a range of them; [] where compose leaves the choice to the engine."""
    match = _PORT.fullmatch(text)
    if match is None:
        return []
    host, target = int(match["host"]), int(match["target"])
    count = int(match["last"] or host) - host
    if count < 0 or count != int(match["end"] or target) - target:
        return []
    return [
        {
            "host": host + step,
            "target": target + step,
            "address": (match["address"] or _EVERYWHERE).strip("[]"),
            "protocol": match["protocol"] or "tcp",
        }
        for step in range(count + 1)
    ]


def _networks(draft: Draft, value: Json) -> None:
    named = pairs(value)
    for name, about, step in named:
        if about:
            draft.lose(f"aliases and addresses on the network {name}", "networks", step)
    draft.spec["networks"] = sorted(draft.project.networks.get(name, name) for name, _, _ in named)


def _network_mode(draft: Draft, value: Json) -> None:
    if value not in ("host", "none", "bridge"):
        raise Incomplete(f"it shares the network of another container (network_mode: {value})")
    draft.spec["networks"] = [value]


def _restart(draft: Draft, value: Json) -> None:
    word = "no" if value is False else str(value).partition(":")[0]
    if ":" in str(value):
        draft.lose("the number of restarts", "restart")
    if word in RESTART_NOTES:
        draft.say(RESTART_NOTES[word], "restart")
    draft.spec["restart"] = {"policy": POLICIES.get(word, "no")}


def _depends(draft: Draft, value: Json) -> None:
    needs: list[Json] = []
    for name, about, step in pairs(value):
        if name not in draft.project.called:
            draft.lose(f"the need for {name}, which is not carried over itself,", "depends_on", step)
            continue
        needs.append(f"Service/{draft.project.called[name]}")
        condition = about.get("condition") if isinstance(about, dict) else None
        if condition == "service_healthy":
            text = f"{name} counts as healthy when its own `health` and that of its image say so: write what to ask"
            draft.say(text, "depends_on", step)
        elif condition == "service_completed_successfully":
            draft.lose(f"waiting until {name} has ended", "depends_on", step)
        for option in sorted(set(about) - {"condition"} if isinstance(about, dict) else ()):
            draft.lose(f"{option} of the need for {name}", "depends_on", step, option)
    if needs:
        draft.spec["dependsOn"] = needs


def _health(draft: Draft, value: Json) -> None:
    if not isinstance(value, dict) or value.get("disable") or value.get("test") == ["NONE"]:
        return
    test = value.get("test")
    asks = shlex.join(str(word) for word in test) if isinstance(test, list) else test
    draft.say(
        f"the health check {asks} is not carried over, for it runs inside the container: "
        "write `health` with what to ask from outside, over http or tcp",
        "healthcheck",
    )


def _profiles(draft: Draft, value: Json) -> None:
    if value:
        draft.spec["suspend"] = True
        names = ", ".join(map(str, items(value)))
        draft.say(f"only the profiles {names} start it: it is suspended until you remove that line", "profiles")


def _labels(draft: Draft, value: Json) -> None:
    from reconciler.kinds.envelope import Metadata

    for name, text, step in pairs(value):
        label: dict[str, Json] = {name: written("" if text is None else text)}
        try:
            Metadata.model_validate({"name": "x", "labels": label})
        except ValueError:
            draft.lose(f"the label {name}", "labels", step)
        else:
            draft.labels |= label


def _stop(draft: Draft, about: Mapping[str, Json]) -> None:
    found = {"signal": about.get("stop_signal"), "grace": about.get("stop_grace_period")}
    stop: dict[str, Json] = {name: value for name, value in found.items() if value is not None}
    if stop:
        draft.spec["stop"] = stop


def _as(name: str) -> Callable[[Draft, Json], None]:
    def take(draft: Draft, value: Json) -> None:
        if value is not None:
            draft.spec[name] = written(value)

    return take


_READERS: Mapping[str, Callable[[Draft, Json], None]] = {
    "pull_policy": _pull,
    "command": _words("command"),
    "entrypoint": _words("entrypoint"),
    "ports": _ports,
    "volumes": volumes,
    "secrets": secrets,
    "configs": configs,
    "networks": _networks,
    "network_mode": _network_mode,
    "restart": _restart,
    "depends_on": _depends,
    "healthcheck": _health,
    "profiles": _profiles,
    "labels": _labels,
    "working_dir": _as("workingDirectory"),
    "user": _as("user"),
    "hostname": _as("hostname"),
}
