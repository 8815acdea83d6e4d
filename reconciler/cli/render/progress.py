"""A rollout while it runs, as text: what each event says, and what is under way at this moment.

Takes events and instants; draws nothing and reads no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from reconciler.cli.render.characters import cells, visible
from reconciler.model.address import ResourceId
from reconciler.model.duration import format_duration
from reconciler.model.event import Event, EventType
from reconciler.model.frozen import dataclass

_ENDS = frozenset({EventType.STEPS_DONE, EventType.STEPS_FAILED, EventType.GATE_PASSED, EventType.GATE_FAILED})
_BEGINS = frozenset({EventType.STEPS_STARTED, EventType.GATE_WAITING, EventType.STEP_PROGRESS})
_SILENT = frozenset({EventType.ROLLOUT_STARTED, EventType.STEPS_OVER})
_MOST = 8  # things under way that are shown


def line(event: Event, elapsed: float, *, live: bool = False) -> str | None:
    """The event as one line, or None where it says nothing; `live` leaves out what `UnderWay` shows."""
    if event.type in _SILENT or (live and event.type in _BEGINS):
        return None
    if event.type is EventType.GATE_WAITING and not event.limit:
        return None  # it looks once and waits for nothing
    count = f"[{event.done}/{event.total}] " if event.total else ""
    limit = f", for at most {_seconds(event.limit)}" if event.type is EventType.GATE_WAITING else ""
    text = "\n    ".join(visible(part) for part in event.message.split("\n"))
    return f"{elapsed:7.1f}s  {count}{text}{limit}"


@dataclass(slots=True)
class _Item:
    what: str
    since: float
    limit: float  # seconds; 0 where no limit is worth telling
    ids: list[ResourceId]
    note: str = ""

    @property
    def title(self) -> str:
        return f"{self.what} {self.ids[0] if len(self.ids) == 1 else f'{len(self.ids)} resources'}"


@dataclass(slots=True)
class UnderWay:
    """What runs and what is waited for, from the events so far."""

    began: float
    items: list[_Item] = field(default_factory=list)
    done: int = 0
    total: int = 0
    doing: str = "applying"

    def hear(self, event: Event, now: float) -> None:
        if event.total:
            self.done, self.total = event.done, event.total
        if event.type is EventType.STEPS_STARTED:
            self.items.append(_Item(self.doing, now, 0.0, list(event.ids)))
        elif event.type is EventType.GATE_WAITING:
            self.items.append(_Item("verifying", now, event.limit, list(event.ids)))
        elif event.type is EventType.STEP_PROGRESS:
            for item in self.items:
                if item.ids == list(event.ids):
                    item.note = event.message.partition(": ")[2]
        elif event.type in _ENDS:
            self._drop(
                self.doing if event.type in (EventType.STEPS_DONE, EventType.STEPS_FAILED) else "verifying", event
            )
        elif event.type in (EventType.STEPS_OVER, EventType.UNDO_STARTED):
            self.items.clear()
        if event.type in (EventType.ROLLOUT_STARTED, EventType.UNDO_STARTED):
            self.doing = "applying" if event.type is EventType.ROLLOUT_STARTED else "undoing"

    def _drop(self, what: str, event: Event) -> None:
        gone = set(event.ids)
        for item in self.items:
            if item.what == what:
                item.ids = [id_ for id_ in item.ids if id_ not in gone]
        self.items = [item for item in self.items if item.ids]

    def lines(self, now: float, width: int, height: int) -> list[str]:
        """At most `height` lines, none as wide as `width`; empty where nothing is under way."""
        if not self.items or height < 2:
            return []
        room = min(_MOST, height - 1)
        shown = self.items if len(self.items) <= room else self.items[: room - 1]
        title = max((cells(item.title) for item in shown), default=0)
        lines = [_shown(item, now, title) for item in shown]
        if hidden := len(self.items) - len(shown):
            lines.append(f"  and {hidden} more")
        lines.append(f"  {self.done} of {self.total} steps done, {_seconds(now - self.began)}")
        return [cut(text, width - 1) for text in lines]


def _shown(item: _Item, now: float, width: int) -> str:
    waited = _seconds(now - item.since)
    if item.limit:
        waited += f" of at most {_seconds(item.limit)}"
    note = f"  {visible(item.note)}" if item.note else ""
    return f"  {item.title}{' ' * (width - cells(item.title))}  {waited}{note}"


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns."""
    if cells(text) <= width:
        return text
    kept = text[:width]
    while kept and cells(kept) > max(0, width - 3):
        kept = kept[:-1]
    return kept + "..."[: max(0, width)]


def rows(lines: Sequence[str], width: int) -> int:
    """How many rows of a terminal of that width these lines take, should it have become narrower since."""
    return sum(max(1, -(-cells(text) // max(1, width))) for text in lines)


def _seconds(seconds: float) -> str:
    return format_duration(float(int(seconds)))
