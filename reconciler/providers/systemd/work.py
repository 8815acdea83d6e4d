"""What a batch of changes does to one manager: each `before` is checked, then the work is collected. Pure.

Whatever lies between before and after is taken for a batch that was interrupted, and is finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from reconciler.model.change import Action
from reconciler.model.errors import Conflict
from reconciler.model.frozen import dataclass
from reconciler.model.state import State
from reconciler.providers.systemd.look import Look
from reconciler.providers.systemd.shape import Move
from reconciler.providers.systemd.units import id_of


@dataclass(slots=True)
class Work:
    """Everything to do in one unit folder, in the order of the fields."""

    judge: dict[str, bytes] = field(default_factory=dict)
    stop: list[str] = field(default_factory=list)
    clean: list[str] = field(default_factory=list)
    unlink: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    write: dict[str, bytes] = field(default_factory=dict)
    link: dict[str, str] = field(default_factory=dict)
    reload: bool = False
    reset: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)

    @property
    def touches_files(self) -> bool:
        return bool(self.unlink or self.remove or self.write or self.link)


def collect(look: Look, moves: Sequence[Move], files: dict[str, bytes]) -> Work:
    """The work for these moves. `files` holds the unit files there are now, foreign ones included.

    Raises Conflict, naming the unit, where one is neither as it was planned against nor as it shall be.
    """
    work = Work()
    for move in moves:
        _expect(look, move, files)
    for move in moves:
        _add(work, look, move, files)
    work.reload = work.reload or work.touches_files
    return work


def _expect(look: Look, move: Move, files: dict[str, bytes]) -> None:
    change = move.change
    for name in move.units:
        now = files.get(name)
        if now not in (move.old.files.get(name), move.new.files.get(name)):
            cause = "somebody removed it" if now is None else "somebody changed it"
            if change.action is Action.CREATE or change.before is None:
                cause = "it exists already"
            raise _conflict(look, move, f"{name} is not as planned: {cause}")
    if (why := look.trouble(change.id)) is not None:
        raise _conflict(look, move, why)
    known = [_drop_ins(state) for state in (change.before, change.after) if state is not None]
    if move.new.files and look.drop_ins(change.id) not in known:
        raise _conflict(look, move, "its drop-ins changed")


def _drop_ins(state: State) -> list[str]:
    found = state.attributes.get("dropIns", [])
    return list(map(str, found)) if isinstance(found, list | tuple) else []


def _conflict(look: Look, move: Move, cause: str) -> Conflict:
    return Conflict(
        f"cannot {move.change.action} {move.change.id}: {cause}",
        where=look.manager.folder,
        hint=f"look at it with `{look.command()} cat {move.units[-1]}`, then plan again",
    )


def _add(work: Work, look: Look, move: Move, files: dict[str, bytes]) -> None:
    new = move.new
    write = {name: content for name, content in new.files.items() if files.get(name) != content}
    remove = [name for name in move.units if name in files and name not in new.files]
    work.write |= write
    work.remove += remove
    if move.fresh and write:
        work.judge |= new.files
    links = look.links_of(move.units)
    work.unlink += [place for place in links if place not in new.links]
    work.link |= {place: target for place, target in new.links.items() if place not in links}
    work.reload = work.reload or look.is_stale(move.units)
    up = set(look.active(move.mains))
    stop = up & _to_stop(look, move, {*write, *remove})
    start = (new.active & set(move.mains)) - (up - stop)
    work.stop += sorted(stop)
    work.start += sorted(start)
    work.reset += [name for name in look.failed(move.units) if name in remove or name in start]
    work.clean += [name for name in remove if name.endswith(".timer") and b"\nPersistent=true\n" in files[name]]


def _to_stop(look: Look, move: Move, changed: Iterable[str]) -> set[str]:
    """Units that must not be up while their file changes, or afterwards.

    A service is stopped before its file changes: a crash in between then never leaves the old program running under
    the new file, where nobody could tell. A timer follows its file when the manager reads it again.
    """
    stop = {name for name in changed if not name.endswith(".timer")}
    stop |= {name for name in move.mains if name not in move.new.files}
    if look.is_stale(move.units):
        stop |= {name for name in move.mains if not name.endswith(".timer")}
    if not move.waits:
        stop |= set(move.mains) - move.new.active
    return stop & set(move.mains)


def theirs(moves: Iterable[Move]) -> list[str]:
    """Names of foreign units that a batch takes over or gives back."""
    return sorted({name for move in moves for name in move.units if id_of(name) is None})
