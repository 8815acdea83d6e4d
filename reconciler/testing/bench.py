"""The bench that the conformance suite works on: one provider, one host, and targets to reach."""

# ruff: noqa: S101 - this is a test library

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeAlias, cast

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.state import Observed, Ownership, State
from reconciler.provider import Provider, Wanted
from reconciler.testing.builders import action_between
from reconciler.testing.harness import Harness

Target: TypeAlias = Mapping[ResourceId, "State | None"]


@dataclass(frozen=True, slots=True)
class Bench:
    """One provider on one host, with what the suite does to them.

    `register` is what the engine's inventory would hold: a backend without room for a mark knows its own by it.
    """

    harness: Harness
    provider: Provider
    host: FakeHost
    register: dict[ResourceId, State] = field(default_factory=dict)

    def observe(self, wanted: Sequence[Wanted] | None = None, *, host: Host | None = None) -> tuple[Observed, ...]:
        """By default, what was applied is looked for."""
        wanted = self.applied if wanted is None else wanted
        return self.provider.observe(host or self.host, wanted).found

    @property
    def applied(self) -> list[Wanted]:
        return [Wanted(id_, None, state) for id_, state in sorted(self.register.items())]

    def ours(self) -> dict[ResourceId, Observed]:
        return {item.id: item for item in self.observe() if item.ownership is Ownership.OURS}

    def changes(self, target: Mapping[ResourceId, State | None]) -> list[Change]:
        """What leads from the host as it is now to the target; addresses that it does not name stay."""
        ours = self.ours()
        every = [self.change(id_, ours.get(id_), after) for id_, after in sorted(target.items())]
        return [change for change in every if change.action is not Action.NONE]

    def change(
        self, id_: ResourceId, found: Observed | None, after: State | None, action: Action | None = None
    ) -> Change:
        before = found.state if found else None
        return Change(
            id=id_,
            provider=self.provider.name,
            action=action or action_between(before, after),
            before=before,
            after=after,
            cause=Cause.PENDING,
            reason="the conformance suite asks for it",
            where=found.where if found else "",
            document_before=found.document if found else None,
            document_after=self.provider.document(id_, after) if after else None,
            restore=as_journalled(found.restore) if found else None,
        )

    def apply(self, changes: Sequence[Change]) -> None:
        """In batches, as the engine does: neighbours with one key together, the others alone."""
        rest = list(changes)
        while rest:
            key = self.provider.batch(rest[0])
            size = 1
            while key is not None and size < len(rest) and self.provider.batch(rest[size]) == key:
                size += 1
            self._apply(rest[:size])
            rest = rest[size:]

    def _apply(self, batch: Sequence[Change]) -> None:
        """A step that was begun may have been done, until the provider says so."""
        for change in batch:
            begun = change.after if change.action is Action.ADOPT else change.before or change.after
            if begun is not None:
                self.register[change.id] = begun
        self.provider.apply(self.host, batch)
        for change in batch:
            if change.after is None or change.action is Action.RELEASE:
                self.register.pop(change.id, None)
            else:
                self.register[change.id] = change.after

    def reach(self, target: Mapping[ResourceId, State | None]) -> list[Change]:
        """Apply what leads to the target; the changes made, so that they can be undone."""
        changes = self.changes(target)
        self.apply(changes)
        return changes

    def undo(self, changes: Sequence[Change]) -> None:
        self.apply([change.inverse() for change in reversed(changes)])

    @property
    def content(self) -> bytes:
        return self.harness.content(self.host)

    @property
    def foreign(self) -> bytes:
        return self.harness.foreign_bytes(self.host)

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Fails where the backend holds anything else afterwards."""
        before = self.content
        yield
        assert self.content == before, "something was written"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A start, and a target to reach from it: what faults are thrown into."""

    name: str
    start: Mapping[ResourceId, State | None]
    target: Mapping[ResourceId, State | None]


def as_journalled(data: Json) -> Json:
    """A value as it comes back from the journal; raises where it could not be kept there."""
    return cast(Json, json.loads(json.dumps(data)))


def set_aside(change: Change) -> Change:
    """The change without its raw texts, which are only for people: a provider must not read them."""
    return replace(change, document_before=None, document_after=None, where="", reason="")


def standing(target: Target) -> dict[ResourceId, State]:
    """What a target wants to be there."""
    return {id_: state for id_, state in target.items() if state is not None}


class Trial:
    """What all levels share: a harness, fresh benches, targets to reach. `harness.gaps` excuses checks by name."""

    harness: ClassVar[Harness]
    every: ClassVar[int] = 1  # which host calls get a fault: each; fewer where a real backend takes its time

    @pytest.fixture(autouse=True)
    def _gap(self, request: pytest.FixtureRequest) -> None:
        name = getattr(request.node, "originalname", request.node.name)
        if name in self.harness.gaps:
            pytest.skip(f"gap of {self.harness.provider().name}: {self.harness.gaps[name]}")

    def bench(self, *, foreign: bool = True) -> Bench:
        bench = Bench(self.harness, self.harness.provider(), self.harness.host())
        if foreign:
            self.harness.add_foreign(bench.host)
        return bench

    @property
    def first(self) -> dict[ResourceId, State | None]:
        """Every resource in its first version."""
        return {old.id: self.harness.provider().canonical(old) for old, _ in self.harness.pairs()}

    @property
    def second(self) -> dict[ResourceId, State | None]:
        """Every resource in its second version."""
        return {new.id: self.harness.provider().canonical(new) for _, new in self.harness.pairs()}

    @property
    def gone(self) -> dict[ResourceId, State | None]:
        return dict.fromkeys(self.first)

    @property
    def mixed(self) -> dict[ResourceId, State | None]:
        """Some gone, some changed, some as before."""
        ids = sorted(self.first)
        choice: list[Target] = [self.gone, self.second, self.first]
        return {id_: choice[index % 3][id_] for index, id_ in enumerate(ids)}

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return (
            Scenario("create", self.gone, self.first),
            Scenario("update", self.first, self.second),
            Scenario("delete", self.first, self.gone),
            Scenario("mixed", self.first, self.mixed),
        )
