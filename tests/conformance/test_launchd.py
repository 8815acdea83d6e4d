"""The launchd provider keeps every promise, on a stand-in for launchd of two generations. Not on a real one."""

from __future__ import annotations

import json
import os
import plistlib
from collections.abc import Sequence
from typing import ClassVar

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.resource import Resource
from reconciler.provider import Provider
from reconciler.providers.launchd.provider import Launchd
from reconciler.testing.builders import resource
from reconciler.testing.conformance import Harness, ProviderConformance
from reconciler.testing.mac import AGENTS, MacHost

FOREIGN = {
    "com.apple.looks-real.plist": plistlib.dumps({"Label": "com.apple.looks-real", "Program": "/usr/bin/true"}),
    "reconciler.automation.no-mark.plist": plistlib.dumps({"Label": "x", "ProgramArguments": ["true"], "Nice": 3}),
    "reconciler.automation.other-mark.plist": plistlib.dumps(
        {"Label": "y", "ProgramArguments": ["a"], "EnvironmentVariables": {"RECONCILER_ID": "Automation/conf-a"}}
    ),
    "reconciler.elsewhere.conf-a.plist": b"<plist>",
    "reconciler.automation.broken.plist": b"\xff\xfe\x00not a plist",
    "binary.plist": plistlib.dumps({"Label": "binary", "Program": "/bin/ls"}, fmt=plistlib.FMT_BINARY),
    "a name with spaces & caf\xe9.plist": b"",
    ".DS_Store": b"\0\1\2",
}


def automation(name: str, **spec: Json) -> Resource:
    filled: dict[str, Json] = {"schedule": "0 6 * * *", "command": ["/usr/bin/true", name], **spec}
    return resource(f"Automation/conf-{name}", source="jobs.yaml", line=1, **filled)


def service(name: str, **spec: Json) -> Resource:
    filled: dict[str, Json] = {"command": ["/usr/bin/serve", name], **spec}
    return resource(f"Service/conf-{name}", source="services.yaml", line=1, **filled)


class LaunchdHarness(Harness):
    newer: ClassVar[bool] = True
    drain: ClassVar[float] = 0.0

    def provider(self) -> Provider:
        return Launchd()

    def host(self) -> FakeHost:
        return MacHost(newer=self.newer, drain=self.drain)

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        everything: dict[str, Json] = {
            "command": "echo one | tee 'a b'",
            "environment": {"B": "it's 5%"},
            "workingDirectory": "/srv/x y",
            "schedule": "*/5 1-3 1,15 * mon-fri",
        }
        often = automation("b", schedule={"every": 420}, workingDirectory="~/notes", environment={"A": "1"})
        stop: Json = {"signal": "SIGTERM", "grace": 3}
        return (
            (automation("a", command=["echo", "one"], requires=["gui"]), automation("a", **everything)),
            (often, automation("b", schedule={"at": "login"}, scope="user")),
            (service("c"), service("c", restart={"policy": "no"}, stop=stop)),
        )

    def hostile(self, text: str) -> Resource:
        return automation("hostile", command=["/bin/echo", text], environment={"TEXT": text})

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        """As a person would: edit the plist, unload, load."""
        mac = of(host)
        label = f"reconciler.{id_.kind.lower()}.{id_.name}"
        path = f"{AGENTS}/{label}.plist"
        edited = plistlib.loads(mac.files[path])
        edited |= {"ProgramArguments": ["/bin/echo", "by hand"], "Nice": 5}
        mac.launchctl(["launchctl", "bootout", f"gui/501/{label}"])
        mac.time.advance(self.drain)
        mac.put(path, plistlib.dumps(edited).replace(b"\t", b"    "))
        mac.launchctl(["launchctl", "bootstrap", "gui/501", path])

    def add_foreign(self, host: FakeHost) -> None:
        mac = of(host)
        for name, content in FOREIGN.items():
            mac.put(f"{AGENTS}/{name}", content)
        mac.launchctl(["launchctl", "bootstrap", "gui/501", f"{AGENTS}/com.apple.looks-real.plist"])
        mac.launchctl(["launchctl", "disable", "gui/501/com.example.switched-off"])

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:
        mac = of(host)
        id_ = resource.id
        twin = plistlib.loads(Launchd().document(id_, Launchd().canonical(resource)).encode())
        twin["Label"] = "com.example.twin"
        marks = ("RECONCILER_ID", "RECONCILER_DIGEST", "RECONCILER_SCHEDULE", "RECONCILER_SCOPE")
        environment = {k: v for k, v in twin.pop("EnvironmentVariables").items() if k not in marks}
        mac.put(f"{AGENTS}/com.example.twin.plist", plistlib.dumps({**twin, "EnvironmentVariables": environment}))
        mac.launchctl(["launchctl", "bootstrap", "gui/501", f"{AGENTS}/com.example.twin.plist"])
        return True

    def content(self, host: FakeHost) -> bytes:
        return held(of(host), ours=True)

    def foreign_bytes(self, host: FakeHost) -> bytes:
        return held(of(host), ours=False)

    def break_reading(self, host: FakeHost) -> None:
        of(host).launchctl.answer("print", 1, "launchctl: cannot talk to launchd", times=100)


def of(host: FakeHost) -> MacHost:
    assert isinstance(host, MacHost)
    return host


def held(mac: MacHost, *, ours: bool) -> bytes:
    """Files with their modes, and what launchd holds (how often things ran is no content)."""
    plists = {p: c for p, c in mac.files.items() if not p.endswith(".tmp")}
    files = {p: (c.decode("latin-1"), mac.modes.get(p)) for p, c in plists.items() if ours or not is_ours(c)}
    jobs = {
        f"{domain}/{label}": (job["path"], job["plist"], bool(job["gone_at"]))
        for domain, found in mac.launchctl.domains.items()
        for label, job in found.items()
        if ours or not is_ours(job["plist"].encode())
    }
    return json.dumps([files, jobs, mac.launchctl.disabled], sort_keys=True).encode()


def is_ours(content: bytes) -> bool:
    return b"<key>RECONCILER_DIGEST</key>" in content


class TestLaunchd(ProviderConformance):
    row = "launchd (stand-in)"
    harness = LaunchdHarness()


class OlderAndSlow(LaunchdHarness):
    newer = False
    drain = 4.0


class TestOlderLaunchdThatDrainsSlowly(ProviderConformance):
    row = "launchd (stand-in, older)"
    every = 1 if os.environ.get("RECONCILER_TEST_FULL") else 4
    thinned: ClassVar[dict[str, str]] = {"faults": f"at every {every}. call"}
    harness = OlderAndSlow()
