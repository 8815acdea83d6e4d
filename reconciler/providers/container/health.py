"""Whether containers run, and the end of their log where they do not. Reads only; asked of what was just changed."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.address import ResourceId
from reconciler.providers.container.api import Engine
from reconciler.providers.container.make import ended, tail
from reconciler.providers.container.rows import row_of
from reconciler.providers.container.spec import ID


def health(engine: Engine, ids: Sequence[ResourceId]) -> str | None:
    holder = engine.holder
    rows = [row_of(item, holder) for item in engine.containers({"label": [ID]})]
    standing = {row.owner: row for row in rows if row.stands}
    for id_ in ids:
        row = standing.get(id_)
        about = engine.container(row.id) if row is not None else None
        if row is None or about is None:
            return f"{id_} has no container"
        why = ended(engine, about)
        if why is not None:
            return f"the container {row.name} does not run: {why}{tail(engine.logs(row.id))}"
    return None
