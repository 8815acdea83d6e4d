"""The systemd provider keeps every promise, in a unit folder that holds the worst of what people write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.resource import Resource
from reconciler.provider import Provider
from reconciler.providers.systemd.provider import Systemd
from reconciler.providers.systemd.shape import spelled, without_mark
from reconciler.providers.systemd.units import id_of, is_marked, names
from reconciler.testing.builders import resource
from reconciler.testing.conformance import Harness, ProviderConformance
from reconciler.testing.systemd import Link, SystemdPrograms

FOLDER = "/home/tester/.config/systemd/user"
FOREIGN = {
    "backup.service": b"[Service]\nExecStart=/usr/bin/backup $HOME %h ; /bin/true\n",
    "backup.timer": b"[Timer]\nOnCalendar=daily\n",
    "timers.target.wants/backup.timer": Link(b"../backup.timer"),
    "reconciler-automation-zz.service": b"# says X-Reconciler and Resource=Automation/zz, no mark\n[Service]\n",
    "reconciler-automation-conf a.timer": b"[X-Reconciler]\nResource=Automation/conf a\n",
    "reconciler-automation-x@.timer": b"[X-Reconciler]\nResource=Automation/x@\n",
    "reconciler-nonsense": b"\xff\xfe\0\r\n",
    "broken.service": b"ExecStart=\xff\xfe\n[Service\nExecStart=\n  \\",
    "masked.service": Link(b"/dev/null"),
}


def automation(name: str, **spec: Json) -> Resource:
    filled: dict[str, Json] = {"schedule": "0 6 * * *", "command": ["/bin/true"], "environment": {}, **spec}
    return resource(f"Automation/conf-{name}", source="jobs.yaml", line=1, **filled)


def service(name: str, **spec: Json) -> Resource:
    restart: Json = {"policy": spec.pop("policy", "always")}
    filled: dict[str, Json] = {"command": ["/bin/sleep", "1000"], "restart": restart, **spec}
    return resource(f"Service/conf-{name}", source="jobs.yaml", line=1, **filled)


class SystemdHarness(Harness):
    passing: ClassVar[frozenset[str]] = frozenset({"stale"})  # one reload is for all units

    def provider(self) -> Provider:
        return Systemd()

    def host(self) -> FakeHost:
        host = FakeHost()
        SystemdPrograms(host)
        return host

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        return (
            (automation("a", command=["/bin/echo", "one"]), automation("a", command="echo one | tee 'a b'")),
            (automation("b"), automation("b", schedule={"every": 420})),
            (automation("c", workingDirectory="~/notes"), automation("c", workingDirectory="/srv/x y")),
            (automation("d", environment={"A": "1", "B": "it's 5%"}), automation("d", environment={"A": "2"})),
            (automation("e", schedule="@daily"), automation("e", schedule={"at": "boot"})),
            (automation("f", missed="latest"), automation("f", timezone="Europe/Berlin")),
            (service("g"), service("g", stop={"signal": "SIGINT", "grace": 2.5}, environment={"X": "y"})),
            (service("h", policy="no"), service("h", policy="on-failure")),
        )

    def hostile(self, text: str) -> Resource:
        return automation("hostile", command=["/usr/bin/printf", text], environment={"TEXT": text})

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        path = f"{FOLDER}/{names(id_)[-1]}"
        host.time.advance(60)
        host.files[path] = host.files[path].replace(b"[Install]", b"# by hand\n[Install]")
        host.times[path] = host.time.now()

    def add_foreign(self, host: FakeHost) -> None:
        for name, content in FOREIGN.items():
            host.files[f"{FOLDER}/{name}"] = content
        programs_of(host).user.known["backup.timer"] = FOREIGN["backup.timer"]
        programs_of(host).user.active.add("backup.timer")

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:
        ours = without_mark(spelled(resource.id, Systemd().canonical(resource)))
        state = programs_of(host).user
        for name, content in ours.files.items():
            twin = name.replace("reconciler-", "my-")
            host.files[f"{FOLDER}/{twin}"] = state.known[twin] = content
        for place in ours.links:
            twin = place.replace("reconciler-", "my-")
            host.files[f"{FOLDER}/{twin}"] = Link(f"{FOLDER}/{twin.rpartition('/')[2]}".encode())
            state.active.add(twin.rpartition("/")[2])
        return True

    def content(self, host: FakeHost) -> bytes:
        programs = programs_of(host)
        return repr((programs.files(programs.user), sorted(programs.user.active))).encode()

    def foreign_bytes(self, host: FakeHost) -> bytes:
        programs = programs_of(host)
        found = {n: c for n, c in programs.files(programs.user).items() if not ours(programs, n)}
        running = [name for name in sorted(programs.user.active) if id_of(name) is None]
        return repr((found, running)).encode()

    def break_reading(self, host: FakeHost) -> None:
        programs_of(host).broken = "Failed to list units: Connection timed out"


def ours(programs: SystemdPrograms, name: str) -> bool:
    unit = name.rpartition("/")[2]
    id_ = id_of(unit)
    if id_ is None:
        return False
    if "/" in name:
        return True
    return is_marked(programs.files(programs.user)[name], id_)


def programs_of(host: FakeHost) -> SystemdPrograms:
    program = host.programs["systemctl"]
    found = getattr(program, "__self__", None)
    assert isinstance(found, SystemdPrograms)
    return found


class TestSystemd(ProviderConformance):
    row = "systemd (stand-in)"
    harness = SystemdHarness()
