"""A compose file becomes manifests that load; what they cannot say is listed, each with its place."""

from __future__ import annotations

import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconciler.host.fake import FakeHost
from reconciler.kinds.service import Service
from reconciler.load.document import place_in, read_document
from reconciler.model.data import Json
from reconciler.provider import Described, Imported
from reconciler.providers.container.compose.variables import dotenv
from reconciler.providers.container.provider import Container

FOLDER = Path("/srv/shop")


def imported(text: str, files: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> list[Imported]:
    host = FakeHost()
    for name, content in (files or {}).items():
        host.write(FOLDER / name, content.encode())
    document = read_document("compose.yaml", text.encode())
    file = Described(FOLDER / "compose.yaml", document.plain(), partial(place_in, "compose.yaml", document))
    return list(Container(environ or {}).described(host, file))


def one(text: str, **more: Any) -> Imported:
    """The only service of a file; `text` holds its fields besides the image, from line 4 on."""
    fields = textwrap.indent(textwrap.dedent(text).strip(), "    ")
    (found,) = imported(f"services:\n  web:\n    image: app:1\n{fields}\n", **more)
    return found


def spec(found: Imported) -> dict[str, Any]:
    assert found.manifest is not None, found.why
    data: Any = found.manifest["spec"]
    Service.spec_data(data)
    return dict(data)


def test_what_both_can_say_is_carried_over() -> None:
    found = one("""
        command: serve --name 'a b'
        entrypoint: [tini, --]
        environment: [A=1, B=x=y]
        ports: ["8080:80", "127.0.0.1:53:53/udp", {"published": "443", "target": 443}, "[::1]:7:8", "9000-9001:80-81"]
        volumes: ["/srv:/srv:ro", {"type": "bind", "source": "/a", "target": "/b", "read_only": true}, ./here:/there]
        restart: unless-stopped
        working_dir: /srv
        user: 1000
        labels: {traefik.enable: true}
        pull_policy: if_not_present
        stop_signal: SIGINT
        stop_grace_period: 1m30s
    """)
    everywhere, tcp = "0.0.0.0", "tcp"
    assert spec(found) == {
        "supervisor": "container",
        "image": "app:1",
        "pull": "missing",
        "command": ["serve", "--name", "a b"],
        "entrypoint": ["tini", "--"],
        "environment": {"A": "1", "B": "x=y"},
        "ports": [
            {"host": 8080, "target": 80, "address": everywhere, "protocol": tcp},
            {"host": 53, "target": 53, "address": "127.0.0.1", "protocol": "udp"},
            {"host": 443, "target": 443, "address": everywhere, "protocol": tcp},
            {"host": 7, "target": 8, "address": "::1", "protocol": tcp},
            {"host": 9000, "target": 80, "address": everywhere, "protocol": tcp},
            {"host": 9001, "target": 81, "address": everywhere, "protocol": tcp},
        ],
        "volumes": ["/srv:/srv:ro", "/a:/b:ro", "/srv/shop/here:/there"],
        "networks": ["shop_default"],
        "restart": {"policy": "always"},
        "workingDirectory": "/srv",
        "user": "1000",
        "stop": {"signal": "SIGINT", "grace": "1m30s"},
    }
    assert found.manifest is not None
    assert found.manifest["metadata"] == {"name": "web", "labels": {"traefik.enable": "true"}}
    assert found.where == "compose.yaml:2, service web"
    (note,) = found.notes
    assert note.startswith(
        "restart: unless-stopped is written as policy: always, which makes it unless-stopped again ("
    )


@pytest.mark.parametrize(
    ("about", "note"),
    [
        ("privileged: true", "privileged cannot be carried over (compose.yaml:4)"),
        ("cap_add:\n- NET_ADMIN", "cap_add cannot be carried over (compose.yaml:4)"),
        ('ports:\n- "80:80"\n- "3000-3005:80"', "the port 3000-3005:80, for which the engine chooses one here, "),
        ("ports: [80]", "the port 80, for which the engine chooses one here, cannot be carried over"),
        ("volumes:\n- /nameless", "the volume /nameless cannot be carried over (compose.yaml:5)"),
        ("volumes: ['d:/d:z']", "the option z of the volume at /d cannot be carried over"),
        ("volumes: [{type: tmpfs, target: /t}]", "the volume /t cannot be carried over"),
        ("environment: [HOME]", "the variable HOME from the environment of compose cannot be carried over"),
        ("environment:\n  API_KEY: x", "the variable API_KEY is left out: looks like a secret"),
        ("environment: {URL: 'u:${DB_PASSWORD}@db'}", "the variable URL is left out: it is filled in from the"),
        ("env_file: missing.env", "the file missing.env cannot be read: its variables are left out (compose.yaml:4)"),
        ("networks: {a: {aliases: [b]}}", "aliases and addresses on the network a cannot be carried over"),
        ("restart: always", "restart: always becomes unless-stopped: what somebody stopped stays so when"),
        ("restart: on-failure:3", "the number of restarts cannot be carried over"),
        ("depends_on: [db]", "the need for db, which is not carried over itself, cannot be carried over"),
        ("build: .", "build is not carried over"),
        ("healthcheck: {test: curl x}", "the health check curl x is not carried over, for it runs inside"),
        ("secrets: [cert]", "the secret cert, which is not a file, cannot be carried over"),
        ("profiles: [tools]", "only the profiles tools start it: it is suspended"),
        ("command: ['echo', '${TAG}']", "not set, and so empty: TAG"),
        ("labels: {'a b': c}", "the label a b cannot be carried over"),
        ("pull_policy: daily", "pull_policy daily cannot be carried over"),
        ("container_name: shop-web", "other containers find it as shop-web, and not as web any more"),
    ],
)
def test_what_is_lost_is_said(about: str, note: str) -> None:
    found = one(about)
    assert [text for text in found.notes if text.startswith(note)], found.notes
    spec(found)


@pytest.mark.parametrize("about", ["privileged: false", "cap_add: []", "healthcheck: {disable: true}", "x-mine: 1"])
def test_what_changes_nothing_is_not_spoken_of(about: str) -> None:
    assert one(about).notes == ()


def test_a_service_without_restart_is_not_started_again_as_compose_does() -> None:
    assert spec(one("tty: false"))["restart"] == {"policy": "no"}
    assert spec(one("restart: no"))["restart"] == {"policy": "no"}


def test_volumes_and_networks_keep_the_names_that_compose_gave_them() -> None:
    (found,) = imported(
        """\
services:
  web: {image: a, volumes: ["a:/a", "b:/b", "c:/c"], networks: [back, front, default]}
volumes: {a: {}, b: {name: "my-${WHO}"}, c: {external: true}}
networks: {back: {name: spine}, front: {}}
name: Shop2
""",
        environ={"WHO": "data"},
    )
    assert spec(found)["volumes"] == ["Shop2_a:/a", "my-data:/b", "c:/c"]
    assert spec(found)["networks"] == ["Shop2_default", "Shop2_front", "spine"]


def test_needs_name_the_manifests_and_what_compose_waits_for_is_said() -> None:
    db, web = imported("""\
services:
  db: {image: a, container_name: shop-db}
  web: {image: a, depends_on: {db: {condition: service_healthy, restart: true}}}
""")
    assert spec(web)["dependsOn"] == ["Service/shop-db"]
    assert len(web.notes) == 2
    assert db.manifest is not None


def test_variables_come_from_the_environment_then_from_the_file_beside_it() -> None:
    found = one(
        'command: ["${A}", "$B", "${C:-c$A}", "${D:+d}", "${A:+set}", "$$HOME", "${E-}"]',
        files={".env": "A=file\nB='from file' # why\nEMPTY=\n"},
        environ={"A": "shell"},
    )
    assert spec(found)["command"] == ["shell", "from file", "cshell", "", "set", "$HOME", ""]
    assert found.notes == ("filled in as they are set now: A, B",)


def test_a_file_of_variables_stands_behind_what_the_service_says() -> None:
    found = one(
        "env_file:\n- path: web.env\n- {path: none.env, required: false}\nenvironment: {A: '1'}",
        files={"web.env": "A=0\nexport B=two words\n# C=3\nAPI_TOKEN=x\n"},
    )
    assert spec(found)["environment"] == {"A": "1", "B": "two words"}
    assert [note.partition(":")[0] for note in found.notes] == [
        "the variables of web.env are written out as they stand there now (compose.yaml",
        "the variable API_TOKEN is left out",
    ]


def test_lines_of_a_file_of_variables() -> None:
    text = "A=1\n B = 2 # two\nC='$A'\nD=\"x\\ny $A\"\nE=a#b\nnonsense\n=x\nF\n"
    assert dotenv(text, {}) == {"A": "1", "B": "2", "C": "$A", "D": "x\ny 1", "E": "a#b"}


def test_secrets_and_configs_that_are_files_are_mounted_where_compose_mounts_them() -> None:
    (found,) = imported("""\
services:
  web:
    image: a
    secrets: [cert, {source: key, target: /etc/key, mode: 0o400}]
    configs: [site]
secrets: {cert: {file: ./cert.pem}, key: {file: /etc/ssl/key}}
configs: {site: {file: site.conf}}
""")
    assert spec(found)["volumes"] == [
        "/srv/shop/cert.pem:/run/secrets/cert:ro",
        "/etc/ssl/key:/etc/key:ro",
        "/srv/shop/site.conf:/site:ro",
    ]
    assert found.notes == ("mode of the secret key cannot be carried over (compose.yaml:4)",)


def test_merge_keys_are_followed_and_their_places_told() -> None:
    first, second = imported("""\
x-common: &common
  restart: always
  privileged: true
services:
  one: {<<: *common, image: one}
  two: {<<: [{restart: "no"}, *common], image: two}
""")
    assert [spec(each)["restart"]["policy"] for each in (first, second)] == ["always", "no"]
    lost = "privileged cannot be carried over (compose.yaml:3)"
    assert lost in first.notes
    assert second.notes == (lost,)


def test_a_service_that_only_a_profile_starts_is_suspended_and_one_that_is_built_is_never_pulled() -> None:
    (found,) = imported("services:\n  job: {build: ., profiles: [tools]}\n")
    assert {name: spec(found)[name] for name in ("image", "pull", "suspend")} == {
        "image": "shop-job",
        "pull": "never",
        "suspend": True,
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: b", "it has no services"),
        ("services: {web: }", "it is not a mapping"),
        ("services: {web: {restart: always}}", "it has neither an image nor a build"),
        ("services: {My_Web: {image: a}}", "a manifest cannot be called My_Web"),
        ("services: {web: {image: UPPER}}", "a manifest would refuse it"),
        ("services: {web: {image: a, extends: {service: b}}}", "it extends another service"),
        ("services: {web: {image: a, entrypoint: []}}", "a manifest would refuse it: entrypoint is empty"),
        ("services: {web: {image: a, network_mode: 'service:x'}}", "it shares the network of another container"),
        ("services: {web: {image: 'a:${TAG:?say which}'}}", "it needs the variable TAG, which is not set: say which"),
        ("services: {web: {image: a, command: 'x ${API_TOKEN}'}}", "it is filled in from the variable API_TOKEN"),
    ],
)
def test_what_cannot_be_a_manifest_says_why(text: str, why: str) -> None:
    (found,) = imported(text)
    assert found.manifest is None
    assert (found.why or "").startswith(why)


def test_parts_of_the_file_that_have_no_place_are_named_with_theirs() -> None:
    found = imported("""\
include: [other.yaml]
services: {web: {image: a}}
volumes: {data: {driver: nfs}}
x-mine: 1
""")
    assert [(each.where, each.text) for each in found if each.manifest is None] == [
        ("compose.yaml:1", "include"),
        ("compose.yaml:3", "volumes: data"),
    ]


@pytest.mark.parametrize("value", [[], "text", 5, None, {"a": [1, {"b": None}]}])
@pytest.mark.parametrize(
    "field",
    ["ports", "volumes", "networks", "environment", "env_file", "depends_on", "secrets", "labels", "command",
     "healthcheck", "restart", "profiles", "container_name", "image"],
)  # fmt: skip
def test_nonsense_in_any_field_is_a_reason_or_a_note_and_never_a_crash(field: str, value: Json) -> None:
    import json

    about: dict[str, Json] = {"image": "app:1", field: value}
    (found,) = imported(json.dumps({"services": {"web": about}}))
    assert (found.manifest is None) == (found.why is not None)
