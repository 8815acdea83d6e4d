"""A container behind a proxy to a real engine, and a crontab line beside it: both stand before things go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.host.local import LocalHost
from reconciler.providers.container.api import Engine
from reconciler.providers.container.rows import row_of
from tests.container.conftest import alone, unavailable_or
from tests.e2e.bystander import Bystander
from tests.e2e.proxy import Proxy, answer

IMAGE = "localhost/reconciler-test:1"
LOOP = "trap 'exit 0' TERM INT; while :; do sleep 0.1; done"


@dataclass(kw_only=True)
class Place(Bystander):
    """A crontab line and a container, both applied; `web` asks for another container."""

    engine: Engine
    proxy: Proxy
    name: str = "bi-web"

    def web(self, **spec: object) -> None:
        stop = {"signal": "SIGTERM", "grace": "3s"}
        full = {
            "supervisor": "container",
            "image": IMAGE,
            "command": LOOP,
            "stop": stop,
            "networks": ["host"],
            **spec,
        }
        self.write("Service", self.name, **full)

    def reach(self, path: Path) -> None:
        self.machine.environ["DOCKER_HOST"] = f"unix://{path}"

    def everything(self) -> tuple[bytes | None, list[tuple[str, str, str]]]:
        """What nobody may have touched: the table, and every container with its id."""
        return self.machine.table(), self.containers()

    def standing(self, found: tuple[bytes | None, list[tuple[str, str, str]]] | None = None) -> object:
        """The same without ids: a container may have been made anew."""
        table, rows = found or self.everything()
        return table, [row[:2] for row in rows if "reconciler-old" not in row[0]]

    def removing(self, _method: str, target: str) -> None:
        """A change begins with a list of everything; right before it is answered, somebody removes the container."""
        if target == "/containers/json?all=1":
            self.clear()

    def containers(self) -> list[tuple[str, str, str]]:
        rows = map(row_of, self.engine.containers())
        return sorted((row.name, row.status, row.id) for row in rows if row.name.startswith(self.name))

    def clear(self) -> None:
        for _, _, id_ in self.containers():
            self.engine.remove(id_)


@pytest.fixture(scope="module", params=["docker", "podman"])
def standing(
    request: pytest.FixtureRequest, account: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Applied once per engine: whatever goes wrong afterwards has to leave it exactly so."""
    socket = unavailable_or(request.param)
    with alone(socket):  # others on this engine count and clear what carries our mark
        folder = tmp_path_factory.mktemp(request.param)
        proxy = Proxy(folder / "engine.sock", socket)
        place = Place(user=account, folder=folder, engine=Engine(LocalHost(), socket), proxy=proxy)
        place.name = f"bi-{request.param}-{account}"
        place.reach(proxy.path)
        place.clear()
        place.innocent("0 6 * * *")
        place.web()
        done = place.apply()
        assert done.returncode == 0, done.stdout + done.stderr
        yield place
        proxy.close()
        place.clear()
        place.machine.clear()


@pytest.fixture
def place(standing: Place, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Both manifests ask for something new, each time something else: a revision that failed is quarantined."""
    standing.proxy.rule = lambda _method, _target: None
    standing.reach(standing.proxy.path)
    standing.innocent("30 7 * * *")
    standing.web(environment={"ROW": request.node.name})
    yield standing
    standing.proxy.rule = lambda _method, _target: None


BOOM = answer("500 Internal Server Error", b'{"message": "database is locked"}')
