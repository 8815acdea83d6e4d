"""One container as the engine lists it, and what that says about how it stands against how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.address import ResourceId, parse_address
from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.errors import HostError
from reconciler.model.frozen import dataclass
from reconciler.model.state import State
from reconciler.providers.container.api import Engine
from reconciler.providers.container.spec import DIGEST, ENGINE_NETWORKS, HOLDER, ID, IMAGE, RELEASED, STATE, as_made

NEW = ".reconciler-new-"  # made, and not yet in its place
OLD = ".reconciler-old-"  # kept, stopped, until what replaced it has proven itself

RUNS = ("running", "restarting", "paused", "stopping")
_STATUS = {
    "running": None,
    "restarting": None,  # health says so; it is what its restart policy asks for
    "stopping": None,
    "exited": "stopped",
    "stopped": "stopped",
    "created": "created",
    "configured": "created",
    "initialized": "created",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A container in the engine's list. `name` is without the slash that some engines put before it."""

    id: str
    name: str
    status: str
    says: str  # the status for people: "Exited (1) 3 seconds ago"
    image: str
    image_id: str
    labels: Mapping[str, str]
    ports: frozenset[tuple[str, str, int, int]]  # protocol, address, port here, port inside
    networks: frozenset[str]
    held: bool = False  # by another reconciler: its mark is not ours

    @property
    def owner(self) -> ResourceId | None:
        if self.held:
            return None
        try:
            found = parse_address(self.labels.get(ID, ""))
        except ValueError:
            return None
        return found if found.kind == "Service" else None

    @property
    def stands(self) -> bool:
        """Whether it is in its place, rather than on its way in or out."""
        return NEW not in self.name and OLD not in self.name

    @property
    def runs(self) -> bool:
        return self.status in RUNS

    @property
    def digest(self) -> str | None:
        """Of the state that it was made from; None where its labels do not say."""
        origin = made(self)
        return origin.digest if origin else None


def half_made(row: Row) -> str | None:
    """For whom a container was made that is not in its place yet: with our mark or, to be released, without."""
    return row.labels.get(RELEASED, row.labels.get(ID)) if NEW in row.name and not row.held else None


def row_of(item: Mapping[str, Json], holder: str | None = None) -> Row:
    """Raises HostError where the list does not have the shape that every engine gives it.

    Without a `holder` every mark counts as ours.
    """
    try:
        labels = cast("Mapping[str, str]", item.get("Labels") or {})
        networks = cast("Mapping[str, Mapping[str, Json]]", item.get("NetworkSettings") or {}).get("Networks") or {}
        return Row(
            id=str(item["Id"]),
            name=str(cast("Sequence[str]", item["Names"])[0]).removeprefix("/"),
            status=str(item["State"]).lower(),
            says=str(item.get("Status") or item["State"]),
            image=str(item["Image"]),
            image_id=str(item.get("ImageID") or ""),
            labels=dict(labels),
            ports=_ports(cast("Sequence[Mapping[str, Json]]", item.get("Ports") or ())),
            networks=frozenset(networks),
            held=holder is not None and labels.get(HOLDER, holder) != holder,
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise HostError(
            "cannot understand the list of containers: the engine left out what it always says",
            hint="is that the socket of Docker or Podman? DOCKER_HOST and `docker context ls` say which one is meant",
        ) from error


def listed(engine: Engine) -> list[Row]:
    """Every container that the engine has."""
    holder = engine.holder
    return [row_of(item, holder) for item in engine.containers()]


def _ports(ports: Sequence[Mapping[str, Json]]) -> frozenset[tuple[str, str, int, int]]:
    return frozenset(
        (
            str(port.get("Type", "tcp")),
            _address(str(port.get("IP") or "")),
            _number(port["PublicPort"]),
            _number(port["PrivatePort"]),
        )
        for port in ports
        if port.get("PublicPort")
    )


def _number(value: Json) -> int:
    return int(cast(int, value))


def _address(text: str) -> str:
    if ":" not in text:
        return text or "0.0.0.0"  # noqa: S104 - what an engine means by saying nothing
    from ipaddress import ip_address

    try:
        return str(ip_address(text))
    except ValueError:
        return text


def made(row: Row) -> State | None:
    """The state that a container of ours was made from, or None where its labels were tampered with."""
    try:
        attributes = json.loads(row.labels.get(STATE, ""))
    except (ValueError, RecursionError):
        return None
    if not isinstance(attributes, dict):
        return None
    state = State(attributes)
    return state if state.digest == row.labels.get(DIGEST) else None


def state_of(row: Row, id_: ResourceId, tags: Mapping[str, str]) -> State:
    """How it was made, with what has changed since in the place of what was asked for.

    `tags` are the images that names stand for now, for a container that follows the name of its image.
    """
    origin = made(row)
    if origin is None:
        return State({"image": row.image, "name": row.name, "record": "changed"})
    found = dict(origin.attributes)
    if IMAGE in row.labels and _bare(row.image_id) != _bare(row.labels[IMAGE]):
        found["image"] = row.image if row.image != found.get("image") else row.image_id
    elif follows(row) and _bare(tags.get(whole_name(str(found["image"])), row.image_id)) != _bare(row.image_id):
        found["image"] = row.image_id
    status = _deviation(row, origin)
    if status is not None:
        found["status"] = status
    if row.name != id_.name:
        found["name"] = row.name
    if row.status == "running":
        _note_ports(row, found)
    _note_networks(row, found)
    return State(found)


def follows(row: Row) -> bool:
    """Whether its manifest wants whatever its image is called at the time, as `pull: always` says."""
    origin = made(row)
    return origin is not None and origin.attributes.get("pull") == "always"


def whole_name(image: str) -> str:
    """A name as engines list it, whether it was written with a tag and Docker's own registry or without."""
    last = image.rpartition("/")[2]
    tagged = image if ":" in last or "@" in last else f"{image}:latest"
    return tagged.removeprefix("docker.io/").removeprefix("library/")


def _bare(image: str) -> str:
    return image.removeprefix("sha256:")


def _deviation(row: Row, origin: State) -> str | None:
    """Why it does not run although it should; a container that may end and has ended is as it should be."""
    status = _STATUS.get(row.status, row.status)
    if status == "stopped":
        policy = origin.attributes.get("restart")
        if policy == "no" or (policy == "on-failure" and "(0)" in row.says):
            return None
    return status


def _note_ports(row: Row, found: dict[str, Json]) -> None:
    wanted = frozenset(
        (str(p["protocol"]), _address(str(p["address"])), _number(p["host"]), _number(p["target"]))
        for p in cast("Sequence[Mapping[str, Json]]", found.get("ports", ()))
    )
    if row.ports != wanted:
        found["ports"] = [
            {"host": host, "target": target, "address": address, "protocol": protocol}
            for protocol, address, host, target in sorted(row.ports)
        ]


def _note_networks(row: Row, found: dict[str, Json]) -> None:
    wanted = frozenset(cast("Sequence[str]", found.get("networks", ())))
    if wanted and not wanted & ENGINE_NETWORKS and row.networks != wanted:
        found["networks"] = sorted(row.networks)


def note(row: Row) -> dict[str, Json]:
    """What puts this container back: the container itself, under its name, as it ran."""
    return {"id": row.id, "name": row.name, "status": row.status}


def unnoted(change: Change, rows: Sequence[Row]) -> Mapping[str, str] | None:
    """What an undo brings back although nobody noted it: a rollback that adopts or releases sees one side only."""
    if change.cause is not Cause.UNDO or change.after is None:
        return None
    if change.action is Action.RELEASE:
        found = [row for row in rows if row.labels.get(RELEASED) == str(change.id) and NEW not in row.name]
    elif change.action is Action.ADOPT:
        digest = as_made(change.after).digest
        found = [row for row in rows if row.owner == change.id and NEW not in row.name and row.digest == digest]
    else:
        return None
    found.sort(key=lambda row: row.name != change.id.name)
    status = str(change.after.attributes.get("status", "running"))
    return {"id": found[0].id, "name": change.id.name, "status": status} if found else None
