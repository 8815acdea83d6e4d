"""`reconcile ports`: the register of ports against reality. Looks, tries to connect, and changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import application, output_option, path_argument, print_json
from reconciler.host.protocol import Host, Listener
from reconciler.model.data import Json
from reconciler.model.port import Claim, claim, reachable

if TYPE_CHECKING:
    from reconciler.app import App
    from reconciler.model.state import State

PROVIDER = "port"
CONNECT = 0.5  # seconds for the answer of one's own machine


@dataclass(frozen=True, slots=True)
class Row:
    """One claim, with who listens where it is. `unseen`: somebody answers, but no process is seen to listen."""

    id: str
    claim: Claim
    owner: str
    applied: bool
    listeners: tuple[Listener, ...]
    unseen: bool

    @property
    def listening(self) -> bool:
        return bool(self.listeners) or self.unseen


@click.command
@path_argument
@output_option("text", "json")
def command(path: Path, output: str) -> int:
    """Print who may listen where, who does, and who is in no manifest. Changes nothing.

    The register is made of the Port resources in PATH and of those applied on this host.
    """
    app = application(path)
    seen = app.host.listeners()
    rows = [_row(app.host, seen, *claim) for claim in _claims(app)]
    known = {listener for row in rows for listener in row.listeners}
    others = [listener for listener in seen if listener not in known]
    if output == "json":
        print_json({"claims": [_claim_json(row) for row in rows], "unregistered": [_json(one) for one in others]})
    else:
        sys.stdout.write(text(rows, others))
    return 0


def _claims(app: App) -> list[tuple[str, State, bool]]:
    """Address, state and whether it is applied, of each claim: what was applied counts, then what is wanted."""
    from reconciler.engine.intents import is_here

    with app.journal() as journal:
        claims = {entry.id: (entry.state, True) for entry in journal.inventory() if entry.provider == PROVIDER}
    if app.path.exists():
        facts = app.host.facts()
        for resource in app.load().resources:
            if resource.id.kind == "Port" and is_here(resource, facts):
                claims.setdefault(resource.id, (app.registry.providers[PROVIDER].canonical(resource), False))
    return [(str(id_), state, applied) for id_, (state, applied) in sorted(claims.items())]


def _row(host: Host, seen: Sequence[Listener], id_: str, state: State, applied: bool) -> Row:
    wanted = claim(state)
    mine = tuple(one for one in seen if wanted.met_by(one.protocol, one.port, one.address))
    unseen = not mine and wanted.protocol == "tcp" and _answers(host, wanted)
    return Row(id_, wanted, str(state.attributes["owner"]), applied, mine, unseen)


def _answers(host: Host, wanted: Claim) -> bool:
    """Ports that the kernel forwards, as container engines ask it to, have no listener."""
    from reconciler.model.errors import HostError

    try:
        host.connect(reachable(wanted.address), wanted.port, timeout=CONNECT)
    except HostError:
        return False
    return True


def text(rows: Sequence[Row], others: Iterable[Listener]) -> str:
    """Both tables; every name of a program with hidden characters spelled out."""
    lines: list[str] = []
    if rows:
        ordered = sorted(rows, key=lambda row: (row.claim.port, row.claim, row.id))
        cells = [("PORT", "ADDRESS", "OWNER", "CLAIM", "LISTENING"), *(_cells(row) for row in ordered)]
        lines += _table(cells)
    else:
        lines.append("No port is registered.")
    found = [(f"{one.protocol} {one.port}", one.address, _process(one)) for one in others]
    if found:
        lines += ["", "Not registered", *_table([("PORT", "ADDRESS", "PROCESS"), *found])]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    who = ", ".join(_process(one) for one in row.listeners) or ("somebody unseen" if row.unseen else "nobody")
    pending = "" if row.applied else " (not applied yet)"
    return f"{row.claim.protocol} {row.claim.port}", row.claim.address or "every", row.owner, row.id + pending, who


def _process(one: Listener) -> str:
    from reconciler.cli.render.characters import visible

    if one.pid is None:
        return "a process that cannot be seen from here"
    return f"{visible(one.program or 'unnamed')} ({one.pid})"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    from reconciler.cli.render.characters import cells

    widths = [max(cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    spaced = (
        "  ".join(cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows
    )
    return [line.rstrip() for line in spaced]


def _claim_json(row: Row) -> dict[str, Json]:
    return {
        "id": row.id,
        "protocol": row.claim.protocol,
        "port": row.claim.port,
        "address": row.claim.address,
        "owner": row.owner,
        "applied": row.applied,
        "listening": row.listening,
        "listeners": [_json(one) for one in row.listeners],
    }


def _json(one: Listener) -> dict[str, Json]:
    return {
        "protocol": one.protocol,
        "port": one.port,
        "address": one.address,
        "pid": one.pid,
        "program": one.program,
    }
