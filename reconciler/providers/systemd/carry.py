"""Carrying a batch out: judged by systemd first, then one stop, the files, one reload and one start per manager."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.change import Change
from reconciler.model.errors import Hindered, HostError
from reconciler.providers.systemd import manager as programs
from reconciler.providers.systemd.look import Look
from reconciler.providers.systemd.manager import Instance, Scope
from reconciler.providers.systemd.scopes import default_of, managers
from reconciler.providers.systemd.shape import Move, moves
from reconciler.providers.systemd.work import Work, collect, theirs

_MODE = 0o644  # systemd warns about others; what stands in a unit is no secret to anybody on the machine


def apply(host: Host, changes: Sequence[Change]) -> None:
    """Every manager is looked at, and every outcome known and judged, before the first write."""
    default = default_of(host)
    groups: dict[Scope, list[Move]] = {}
    for change in changes:
        for move in moves(change, default):
            groups.setdefault(move.scope, []).append(move)
    found = managers(host, {scope: [move.change.id for move in mine] for scope, mine in groups.items()})
    pending: list[tuple[Instance, Work]] = []
    for scope, mine in groups.items():
        look = Look(host, found[scope])
        pending.append((look.manager, collect(look, mine, _files(host, look, mine))))
    for manager, work in pending:
        if work.judge:
            programs.verify(host, manager, work.judge)
    try:
        for manager, work in pending:
            _carry_out(host, manager, work)
    except HostError as error:
        raise Hindered(f"cannot change the units: {error.message}", hint=error.hint) from error


def _files(host: Host, look: Look, mine: Sequence[Move]) -> dict[str, bytes]:
    files = dict(look.files)
    foreign = theirs(mine)
    if foreign:
        look.units |= programs.units(host, look.manager.scope, *foreign)
    for name in foreign:
        content = host.read(Path(look.manager.folder, name))
        if content is not None:
            files[name] = content
    return files


def _carry_out(host: Host, manager: Instance, work: Work) -> None:
    scope, folder = manager.scope, Path(manager.folder)
    if work.stop:
        programs.tell(host, scope, "stop", *work.stop)
    if work.clean:
        # Otherwise a timer of that name would one day catch up on all the time that it did not exist.
        programs.tell(host, scope, "clean", *work.clean, options=("--what=state",))
    for place in work.unlink:
        host.remove(folder / place)
    for name in work.remove:
        host.remove(folder / name)
    if work.write or work.link:
        _write(host, folder, work)
    if work.reload:
        programs.tell(host, scope, "daemon-reload")
    if work.reset:
        programs.tell(host, scope, "reset-failed", *work.reset)
    if work.start:
        programs.start(host, scope, work.start)


def _write(host: Host, folder: Path, work: Work) -> None:
    """Files, and then the links to them: one call for all links of a folder."""
    wants = sorted({place.rpartition("/")[0] for place in work.link})
    programs.run(host, "mkdir", "-p", "--", str(folder), *(str(folder / name) for name in wants))
    for name, content in work.write.items():
        host.write(folder / name, content, mode=_MODE)
    for name in wants:
        plain, odd = [], {}
        for place, target in work.link.items():
            here, _, unit = place.rpartition("/")
            if here == name and target == f"../{unit}":
                plain.append(target)
            elif here == name:
                odd[place] = target
        if plain:
            programs.run(host, "ln", "-sfn", "-t", str(folder / name), "--", *plain)
        for place, target in odd.items():
            programs.run(host, "ln", "-sfn", "-T", "--", target, str(folder / place))
