"""How the units of one resource are to lie in a unit folder, before and after a change. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change
from reconciler.model.data import Json
from reconciler.model.frozen import dataclass
from reconciler.model.state import State
from reconciler.providers.systemd.manager import Scope
from reconciler.providers.systemd.scopes import bare, scope_of
from reconciler.providers.systemd.units import link, names, render, unmarked, waits_for_manager


@dataclass(frozen=True, slots=True)
class Shape:
    """Files, links by their place, and the units that are up. What is not named is absent or down."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    active: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Move:
    """What one change means for one manager. `fresh` files are newly spelled by us, so systemd judges them first."""

    change: Change
    scope: Scope
    old: Shape
    new: Shape
    fresh: bool
    waits: bool = False  # it starts with its manager and at no other time

    @property
    def units(self) -> tuple[str, ...]:
        mine = names(self.change.id)
        return tuple(sorted({*mine, *self.old.files, *self.new.files}))

    @property
    def mains(self) -> tuple[str, ...]:
        """The units that are started and stopped: timers, and services that no timer starts."""
        if self.change.id.kind == "Service":
            return self.units
        return tuple(name for name in self.units if name.endswith(".timer"))


def moves(change: Change, default: Scope) -> list[Move]:
    """One move, or two where the change leads from one manager to another: the one that loses it comes first."""
    scopes = [scope_of(state, default) for state in (change.before, change.after) if state is not None]
    waits = change.after is not None and waits_for_manager(change.after.attributes)
    old, new, fresh = _old(change), _new(change), change.exact is None and change.action is not Action.RELEASE
    if len(set(scopes)) < 2:
        return [Move(change, scopes[0], old, new, fresh, waits)]
    return [Move(change, scopes[0], old, Shape(), False), Move(change, scopes[1], Shape(), new, fresh, waits)]


def _old(change: Change) -> Shape:
    if change.restore:
        return noted(change.restore)
    if change.action is Action.ADOPT:  # undoes a release: what was ours stands without its mark
        return without_mark(_new(change))
    return spelled(change.id, change.before)


def _new(change: Change) -> Shape:
    if change.exact:
        return noted(change.exact)
    if change.action is Action.RELEASE:
        return without_mark(_old(change))
    return spelled(change.id, change.after)


def spelled(id_: ResourceId, state: State | None) -> Shape:
    """How we write a state."""
    if state is None:
        return Shape()
    attributes = bare(state.attributes)
    main = names(id_)[-1]
    files = {} if "text" in attributes else render(id_, attributes)
    up = not waits_for_manager(attributes) and "activity" not in attributes
    links = {} if attributes.get("enabled") is False else {link(main): f"../{main}"}
    return Shape(files, links, frozenset([main] if up else []))


def noted(note: Json) -> Shape:
    """How it stood, from the restore data of an observation."""
    data = cast("Mapping[str, Mapping[str, str]]", note)
    files = {name: text.encode("latin-1") for name, text in data["files"].items()}
    return Shape(files, dict(data["links"]), frozenset(data["active"]))


def without_mark(shape: Shape) -> Shape:
    return Shape({name: unmarked(content) for name, content in shape.files.items()}, shape.links, shape.active)
