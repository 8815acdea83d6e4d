"""A compose file becomes manifests that load; what they cannot say is listed."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.kinds.service import Service
from reconciler.model.data import Json
from reconciler.provider import Imported
from reconciler.providers.container.compose import compose


def one(**about: Json) -> Imported:
    (found,) = compose({"services": {"web": {"image": "app:1", **about}}})
    return found


def spec(found: Imported) -> dict[str, Any]:
    assert found.manifest is not None, found.why
    data: Any = found.manifest["spec"]
    Service.spec_data(data)
    return dict(data)


def test_what_both_can_say_is_carried_over() -> None:
    found = one(
        command="serve --name 'a b'",
        environment=["A=1", "B=x=y"],
        ports=["8080:80", "127.0.0.1:53:53/udp", {"published": "443", "target": 443}],
        volumes=["/srv:/srv:ro", {"type": "bind", "source": "/a", "target": "/b", "read_only": True}],
        networks=["back"],
        restart="unless-stopped",
        depends_on={"db": {"condition": "service_started"}},
        working_dir="/srv",
        stop_signal="SIGINT",
        stop_grace_period="30s",
    )
    assert spec(found) == {
        "supervisor": "container",
        "image": "app:1",
        "command": ["serve", "--name", "a b"],
        "environment": {"A": "1", "B": "x=y"},
        "ports": [
            {"host": 8080, "target": 80, "address": "0.0.0.0", "protocol": "tcp"},
            {"host": 53, "target": 53, "address": "127.0.0.1", "protocol": "udp"},
            {"host": 443, "target": 443, "address": "0.0.0.0", "protocol": "tcp"},
        ],
        "volumes": ["/srv:/srv:ro", "/a:/b:ro"],
        "networks": ["back"],
        "restart": {"policy": "always"},
        "dependsOn": ["Service/db"],
        "workingDirectory": "/srv",
        "stop": {"signal": "SIGINT", "grace": "30s"},
    }
    assert found.notes == ()


@pytest.mark.parametrize(
    ("about", "note"),
    [
        ({"privileged": True}, "privileged cannot be carried over"),
        ({"entrypoint": ["x"]}, "entrypoint cannot be carried over"),
        ({"ports": ["3000-3005:3000-3005"]}, "the port 3000-3005:3000-3005 cannot be carried over"),
        ({"volumes": ["./here:/there"]}, "the volume ./here:/there cannot be carried over"),
        ({"volumes": ["data:/d"]}, "the volume data is called PROJECT_data by compose: its data stay there"),
        ({"environment": ["HOME"]}, "the variable HOME from the environment of compose cannot be carried over"),
        ({"environment": {"API_KEY": "x"}}, "the variable API_KEY is left out: looks like a secret"),
        ({"networks": {"a": {"aliases": ["b"]}}}, "aliases and addresses on networks cannot be carried over"),
        ({"network_mode": "service:x"}, "network_mode service:x cannot be carried over"),
        ({"restart": "on-failure:3"}, "the number of restarts cannot be carried over"),
        ({"command": ["echo", "${TAG}"]}, "it holds $: compose would fill in variables there"),
        ({"build": "."}, "build is not carried over"),
    ],
)
def test_what_is_lost_is_said(about: dict[str, Json], note: str) -> None:
    found = one(**about)
    assert [text for text in found.notes if text.startswith(note)], found.notes
    spec(found)


def test_a_service_without_restart_is_not_started_again_as_compose_does() -> None:
    assert spec(one())["restart"] == {"policy": "no"}
    assert spec(one(restart=False))["restart"] == {"policy": "no"}


def test_a_volume_with_a_name_of_its_own_keeps_it() -> None:
    (found,) = compose(
        {"services": {"web": {"image": "a", "volumes": ["d:/d"]}}, "volumes": {"d": {"name": "my-data"}}}
    )
    assert (spec(found)["volumes"], found.notes) == (["my-data:/d"], ())


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({}, "it has no services"),
        ({"services": {"web": None}}, "it is not a mapping"),
        ({"services": {"web": {"build": "."}}}, "it names no image"),
        ({"services": {"My_Web": {"image": "a"}}}, "a manifest cannot be called My_Web"),
        ({"services": {"web": {"image": "UPPER"}}}, "a manifest would refuse it"),
    ],
)
def test_what_cannot_be_a_manifest_says_why(document: dict[str, Json], why: str) -> None:
    (found,) = compose(document)
    assert found.manifest is None
    assert (found.why or "").startswith(why)


def test_parts_of_the_file_that_have_no_place_are_named() -> None:
    found = compose({"services": {"web": {"image": "a"}}, "secrets": {}, "configs": {}})
    assert (found[-1].text, found[-1].manifest) == ("configs, secrets", None)
