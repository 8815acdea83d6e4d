"""Credentials of registries: found where the docker client and Podman keep them, sent to the engine, never shown."""

from __future__ import annotations

import json
import os
import shutil
import socket as sockets
import subprocess
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.local import LocalHost
from reconciler.host.protocol import Completed
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, HostError
from reconciler.providers.container.api import Engine
from reconciler.providers.container.credentials import credentials
from tests.container.conftest import sockets as engines
from tests.container.world import SOCKET, engine_of, fake_host, service
from tests.e2e.machine import Machine
from tests.ports import free_port

SECRET = "s3cr3t:with-colon"
AUTH = b64encode(f"me:{SECRET}".encode()).decode()
HOME = {"HOME": "/home/me"}
DOCKER = "/home/me/.docker/config.json"


def shown(
    config: Json,
    image: str,
    *,
    path: str = DOCKER,
    environ: dict[str, str] | None = None,
    says: bytes = b"",
    code: int = 0,
) -> dict[str, str] | None:
    def helper(argv: list[str], stdin: bytes) -> Completed:
        asked.append((argv[0].rpartition("/")[2], stdin))
        return Completed(code, says, b"")

    asked: list[tuple[str, bytes]] = []
    host = FakeHost(files={path: json.dumps(config).encode()}, programs={"docker-credential-pass": helper})  # type: ignore[dict-item]
    header = credentials(host, {**HOME, **(environ or {})}, image)
    assert len(asked) <= 1
    return json.loads(urlsafe_b64decode(header)) if header else None


def login(key: str) -> dict[str, str]:
    return {"username": "me", "password": SECRET, "serveraddress": key}


@pytest.mark.parametrize(
    ("key", "image"),
    [
        ("registry.example:5000", "registry.example:5000/team/app:1"),
        ("https://registry.example/v1/", "registry.example/app@sha256:" + "0" * 64),
        ("localhost", "localhost/app"),
        ("https://index.docker.io/v1/", "redis:7"),
        ("https://index.docker.io/v1/", "me/app"),
        ("docker.io", "docker.io/library/redis"),
        ("registry.example/team", "registry.example/team/app:1"),
    ],
)
def test_an_entry_is_found_by_the_registry_of_the_image(key: str, image: str) -> None:
    assert shown({"auths": {key: {"auth": AUTH}}}, image) == login(key)


@pytest.mark.parametrize("image", ["other.example/app", "registry.example.evil/app", "redis"])
def test_an_entry_of_one_registry_is_never_sent_to_another(image: str) -> None:
    assert shown({"auths": {"registry.example": {"auth": AUTH}}}, image) is None


@pytest.mark.parametrize(
    ("path", "environ"),
    [
        ("/run/user/7/containers/auth.json", {"XDG_RUNTIME_DIR": "/run/user/7"}),
        ("/run/containers/0/auth.json", {}),
        ("/home/me/.config/containers/auth.json", {}),
        ("/etc/auth.json", {"REGISTRY_AUTH_FILE": "/etc/auth.json"}),
        ("/etc/docker/config.json", {"DOCKER_CONFIG": "/etc/docker"}),
    ],
)
def test_podmans_files_are_read_too(path: str, environ: dict[str, str]) -> None:
    assert shown({"auths": {"a.b": {"auth": AUTH}}}, "a.b/c", path=path, environ=environ) == login("a.b")


@pytest.mark.parametrize("config", [{"credHelpers": {"a.b": "pass"}}, {"credsStore": "pass", "auths": {"a.b": {}}}])
def test_a_helper_program_is_asked(config: Json) -> None:
    said = json.dumps({"ServerURL": "a.b", "Username": "me", "Secret": SECRET}).encode()
    assert shown(config, "a.b/c", says=said) == login("a.b")
    token = json.dumps({"Username": "<token>", "Secret": SECRET}).encode()
    assert shown(config, "a.b/c", says=token) == {"identitytoken": SECRET, "serveraddress": "a.b"}
    assert shown(config, "a.b/c", says=b"credentials not found in native keychain\n", code=1) is None
    assert shown(config, "else.where/c", says=said) is None


@pytest.mark.parametrize(
    ("config", "says", "code", "message"),
    [
        ({"credHelpers": {"a.b": "pass"}}, SECRET.encode(), 1, "docker-credential-pass ended with status 1"),
        ({"credHelpers": {"a.b": "pass"}}, SECRET.encode(), 0, "did not answer with a name and a secret"),
        ({"credHelpers": {"a.b": "../x"}}, b"", 0, "is no name of one"),
        ({"credHelpers": {"a.b": "gone"}}, b"", 0, "docker-credential-gone"),
        ({"auths": {"a.b": {"auth": b64encode(SECRET.replace(":", "").encode()).decode()}}}, b"", 0, "log in again"),
        ({"auths": {"a.b": {"auth": "%%%"}}}, b"", 0, "log in again"),
    ],
)
def test_trouble_names_the_registry_and_never_a_secret(config: Json, says: bytes, code: int, message: str) -> None:
    with pytest.raises(HostError) as caught:
        shown(config, "a.b/c", says=says, code=code)
    text = f"{caught.value.message} {caught.value.hint} {caught.value!r}"
    assert message in text
    assert "s3cr3t" not in text


def test_the_engine_gets_them_with_the_pull_and_with_nothing_else() -> None:
    host = fake_host()
    engine_of(host).registry["a.b/c:1"] = "sha256:" + "3" * 64
    host.files[DOCKER] = json.dumps({"auths": {"a.b": {"auth": AUTH}}}).encode()
    engine = Engine(host, Path(SOCKET), HOME)
    engine.pull("a.b/c:1")
    assert json.loads(urlsafe_b64decode(host.headers["X-Registry-Auth"])) == login("a.b")
    engine.containers()
    assert host.headers == {}
    assert AUTH not in repr(engine) + repr(host.log) + repr(engine_of(host).log)


class Registry:
    """Debian's docker-registry on a loopback port, with one account."""

    def __init__(self, folder: Path, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        password = subprocess.run(["htpasswd", "-Bbn", "me", SECRET], capture_output=True, check=True).stdout
        (folder / "htpasswd").write_bytes(password)
        config = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": self.address},
            "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
        }
        (folder / "config.yml").write_text(json.dumps(config))
        with (folder / "log").open("w") as log:
            command = ["docker-registry", "serve", str(folder / "config.yml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(100):
            with sockets.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            LocalHost().clock.sleep(0.1)
        raise AssertionError((folder / "log").read_text())


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    missing = [program for program in ("docker-registry", "htpasswd") if shutil.which(program) is None]
    if missing:
        why = f"needs the programs {' and '.join(missing)} (Debian: docker-registry, apache2-utils)"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    folder = tmp_path / "registry"
    folder.mkdir()
    made = Registry(folder, free_port())
    yield made
    made.process.terminate()
    made.process.wait(10)


@pytest.mark.engines
def test_a_real_registry_with_a_password(registry: Registry, tmp_path: Path) -> None:
    """On Docker: Podman takes a registry without TLS only when the machine's own configuration says so."""
    found = engines()
    if isinstance(found, str) or "docker" not in found:
        pytest.skip(found if isinstance(found, str) else "docker does not run")
    docker, host, image = found["docker"], LocalHost(), f"{registry.address}/team/app"
    secret = {"X-Registry-Auth": b64encode(json.dumps(login(registry.address)).encode()).decode()}
    target = f"/images/localhost/reconciler-test:1/tag?repo={quote(image)}&tag=1"
    assert host.request(docker, "POST", target, timeout=60).status == 201
    pushed = host.request(docker, "POST", f"/images/{image}/push?tag=1", headers=secret, timeout=60)
    assert b'"error"' not in pushed.body, pushed.body
    host.request(docker, "DELETE", f"/images/{image}:1", timeout=60)

    machine = Machine("", tmp_path)
    machine.tree.mkdir()
    machine.environ |= {"DOCKER_HOST": f"unix://{docker}", "HOME": str(tmp_path)}
    name = f"rec-{registry.address.rpartition(':')[2]}"
    spec = {"image": f"{image}:1", "supervisor": "container", "networks": ["host"], "command": ["sleep", "1000"]}
    document = {"apiVersion": "reconciler/v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    (machine.tree / "app.yaml").write_text(json.dumps(document))
    limit = f"--target=Service/{name}"
    try:
        refused = machine.apply(limit)
        assert refused.returncode != 0
        assert "no basic auth credentials" in refused.stdout + refused.stderr
        (tmp_path / ".docker").mkdir()
        (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {registry.address: {"auth": AUTH}}}))
        machine.run("release", "--quarantine", "all", "--yes")
        done = machine.apply(limit)
        assert done.returncode == 0, done.stdout + done.stderr
        kept = b"".join(path.read_bytes() for path in machine.state.rglob("*") if path.is_file())
        for text in (AUTH, SECRET):
            assert text not in done.stdout + done.stderr
            assert text.encode() not in kept
    finally:
        for row in Engine(host, docker).containers({"name": [name]}):
            Engine(host, docker).remove(str(row["Id"]))
        host.request(docker, "DELETE", f"/images/{image}:1?force=1", timeout=60)


def test_a_pull_that_is_refused_says_so_without_the_credentials() -> None:
    from reconciler.providers.container.make import ensure_image
    from reconciler.providers.container.spec import canonical

    host = fake_host()
    host.files[DOCKER] = json.dumps({"auths": {"a.b": {"auth": AUTH}}}).encode()
    engine_of(host).answer("POST /images/create", 401, b'{"message": "unauthorized"}')
    with pytest.raises(ApplyError, match=r"cannot get the image a\.b/c:1: .*unauthorized") as caught:
        ensure_image(Engine(host, Path(SOCKET), HOME), canonical(service("web", image="a.b/c:1")))
    assert "s3cr3t" not in str(caught.value)
