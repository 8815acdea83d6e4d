"""How the container engine in memory spells what it answers: rows of its list, progress of a pull, refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from reconciler.host.protocol import Response


def runs(one: Mapping[str, Any]) -> bool:
    return one["State"]["Status"] in ("running", "paused", "restarting")


def ports(one: Mapping[str, Any]) -> list[int]:
    bindings = one["HostConfig"].get("PortBindings", {}).values()
    return [int(binding["HostPort"]) for group in bindings for binding in group]


def row(one: Mapping[str, Any]) -> dict[str, Any]:
    """A container as the list shows it: less than an inspection, and only the ports of one that runs."""
    bindings = one["HostConfig"].get("PortBindings", {}).items() if runs(one) else ()
    ports = [
        {
            "IP": b["HostIp"],
            "PublicPort": int(b["HostPort"]),
            "PrivatePort": int(key.split("/")[0]),
            "Type": key.split("/")[1],
        }
        for key, group in bindings
        for b in group
    ]
    row = {
        "Id": one["Id"],
        "Names": [one["Name"]],
        "Image": one["Config"]["Image"],
        "ImageID": one["Image"],
        "Labels": one["Config"].get("Labels", {}),
        "State": one["State"]["Status"],
        "Status": f"{one['State']['Status']} ({one['State']['ExitCode']})",
        "Ports": ports,
        "NetworkSettings": one["NetworkSettings"],
    }
    return deepcopy(row)


def layer(id_: str) -> list[dict[str, Any]]:
    """What a pull says of one layer of 2 MB."""
    half, whole = ({"current": count, "total": 2_000_000} for count in (1_000_000, 2_000_000))
    said = [("Pulling fs layer", {}), ("Downloading", half), ("Downloading", whole), ("Download complete", {})]
    said += [("Extracting", whole), ("Pull complete", {})]
    return [{"status": status, "progressDetail": detail, "id": id_} for status, detail in said]


def answer_json(status: int, value: object) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(value).encode())


def said(status: int, message: str) -> Response:
    return answer_json(status, {"message": message})
