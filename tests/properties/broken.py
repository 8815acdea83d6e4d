"""Providers that are broken on purpose, each in one way: the laws of the stories must catch them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.change import Change
from reconciler.model.errors import ObserveError
from reconciler.model.state import Observation
from reconciler.provider import Wanted
from reconciler.testing.memory import MemoryProvider


class WritesOutside(MemoryProvider):
    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        super().apply(host, changes)
        host.write(Path("/etc/notes.cache"), b"seen")


class TidiesForeignLines(MemoryProvider):
    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        super().apply(host, changes)
        tidy = [line.rstrip() for line in (host.read(self.path) or b"").split(b"\n")]
        host.write(self.path, b"\n".join(tidy))


class SaysThatNothingIsThere(MemoryProvider):
    """Where it cannot look: so everything of ours would be made again, or forgotten."""

    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        try:
            return super().observe(host, wanted)
        except ObserveError:
            return Observation(())


class OverlooksOne(MemoryProvider):
    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        seen = super().observe(host, wanted)
        return Observation(tuple(item for item in seen.found if item.id.name != "b"), seen.facts)


class ForgetsToDelete(MemoryProvider):
    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        super().apply(host, [change for change in changes if change.after is not None])


class WritesWhileLooking(MemoryProvider):
    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        host.write(Path("/memory/cache"), b"seen")
        return super().observe(host, wanted)


class LeavesAStrangersLine(MemoryProvider):
    """Adds something without a mark beside its own."""

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        super().apply(host, changes)
        host.write(self.path, (host.read(self.path) or b"") + b"\n{}")
