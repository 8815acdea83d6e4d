"""Entries of a forecast from what other people have: in words of manifests, read once, and never fatal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.errors import ObserveError
from reconciler.outlook import foreign
from reconciler.provider import Imported, Support, Supported, Unsupported
from reconciler.testing.memory import MemoryProvider


class Others(MemoryProvider):
    """A backend with foreign entries."""

    kinds: ClassVar[frozenset[str]] = frozenset({"Automation"})
    support: Support = Supported()
    entries: tuple[Imported, ...] = ()

    def probe(self, host: Host) -> Support:
        return self.support

    def foreign(self, host: Host, user: str | None) -> tuple[Imported, ...]:
        if not self.entries:
            raise ObserveError("cannot look at others: the folder is gone")
        return self.entries


def imported(schedule: Json, kind: str = "Automation") -> Imported:
    spec: Mapping[str, Json] = {"schedule": schedule, "command": "x"}
    return Imported("unit a", "text", {"kind": kind, "metadata": {"name": "a"}, "spec": spec})


def others(*entries: Imported, **more: Any) -> Others:
    provider = Others()
    provider.entries = entries
    for name, value in more.items():
        setattr(provider, name, value)
    return provider


@pytest.mark.parametrize(
    ("schedule", "wanted"), [({"every": "5m"}, {"every": 300}), ("@Daily", "@daily"), ("x", "x")]
)
def test_schedules_are_read_as_in_manifests(schedule: Json, wanted: Json) -> None:
    (entry,) = foreign(FakeHost(), {"others": others(imported(schedule))}).entries
    assert (entry.table.schedule, entry.table.provider, entry.foreign) == (wanted, "others", "unit a")


def test_services_are_no_entries_and_what_cannot_be_read_says_why() -> None:
    unread = Imported("unit b", "text", None, "it is disabled")
    found = foreign(FakeHost(), {"others": others(imported("@daily", "Service"), unread)})
    assert (found.entries, found.unread) == ((), (("unit b", "it is disabled"),))


def test_a_backend_that_cannot_be_looked_at_is_said_and_one_that_is_not_there_is_not_asked() -> None:
    assert foreign(FakeHost(), {"others": others()}).unread == (
        ("others", "cannot look at others: the folder is gone"),
    )
    assert foreign(FakeHost(), {"others": others(support=Unsupported("not here"))}).unread == ()
