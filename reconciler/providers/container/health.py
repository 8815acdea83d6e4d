"""Whether containers run, and the end of their log where they do not. Reads only; asked of what was just changed."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.address import ResourceId
from reconciler.providers.container.api import Engine
from reconciler.providers.container.make import ended, tail
from reconciler.providers.container.rows import Row, row_of
from reconciler.providers.container.spec import ID


def health(engine: Engine, ids: Sequence[ResourceId]) -> dict[ResourceId, str]:
    """Why containers do not run, by address."""
    holder = engine.holder
    rows = [row_of(item, holder) for item in engine.containers({"label": [ID]})]
    standing = {row.owner: row for row in rows if row.stands}
    found = ((id_, _ill(engine, standing.get(id_))) for id_ in ids)
    return {id_: why for id_, why in found if why is not None}


def _ill(engine: Engine, row: Row | None) -> str | None:
    about = engine.container(row.id) if row is not None else None
    if row is None or about is None:
        return "it has no container"
    why = ended(engine, about)
    return None if why is None else f"the container {row.name} does not run: {why}{tail(engine.logs(row.id))}"
