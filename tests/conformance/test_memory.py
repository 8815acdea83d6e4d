"""The reference provider keeps every promise."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.resource import Resource
from reconciler.provider import Provider
from reconciler.testing.builders import resource
from reconciler.testing.conformance import Harness, ProviderConformance
from reconciler.testing.memory import MemoryProvider

PATH = "/memory/notes.jsonl"
OURS = re.compile(rb'"reconciler": *"Note/')
FOREIGN = (
    b'{"not": "ours"}\n\n  {"spaced" : [1,2] }  \n{"reconciler": "no address", "state": {}}\n'
    b'{"reconciler": "Elsewhere/a", "state": {}}\n{"reconciler": "Note/half\n\xff\xfe\x00raw\r\n\t'
)


class Memory(Harness):
    def provider(self) -> Provider:
        return MemoryProvider()

    def host(self) -> FakeHost:
        return FakeHost()

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        return (
            (resource("a", text="one"), resource("a", text="two")),
            (resource("b", text="one"), resource("b", text="one", tags=["x", "y"])),
            (resource("c", size=1, tags=["z"]), resource("c", size=2.5, note={"deep": True})),
            (resource("d", text="one"), resource("d", text="one", late=None, early=0)),
        )

    def hostile(self, text: str) -> Resource:
        return resource("hostile", text=text, list=[text], inner={"key": text})

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        mark = f'"{id_}"'.encode()
        lines = host.files[PATH].split(b"\n")
        spoilt = [
            b'{ "reconciler":' + mark + b',  "state": {"by": "hand"}}' if mark in line else line for line in lines
        ]
        host.files[PATH] = b"\n".join(spoilt)

    def add_foreign(self, host: FakeHost) -> None:
        host.files[PATH] = FOREIGN

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:
        text = MemoryProvider().document(resource.id, MemoryProvider().canonical(resource))
        twin = text[text.index('"state": ') + len('"state": ') : -1].encode()
        host.files[PATH] = b"before\n " + twin + b" \n" + host.files.get(PATH, b"")
        return True

    def content(self, host: FakeHost) -> bytes:
        return host.files.get(PATH, b"")

    def foreign_bytes(self, host: FakeHost) -> bytes:
        lines = self.content(host).split(b"\n")
        return b"\n".join(line for line in lines if not OURS.search(line) or b"half" in line)

    def break_reading(self, host: FakeHost) -> None:
        host.denied.add(PATH)


class TestMemory(ProviderConformance):
    harness = Memory()
