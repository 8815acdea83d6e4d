"""What we own on this host, and which revisions must not be applied again.

Works inside the transaction of its caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from reconciler.journal.values import instant, pack, pack_each, plain, unpack, unpack_each, unpack_rows
from reconciler.model.address import ResourceId
from reconciler.model.errors import JournalError
from reconciler.model.resource import Resource, Revision
from reconciler.model.state import Owned, Quarantined

_CONFIRMED = "inventory_confirmed"
_SELF = "self"
_KEEPER = "keeper "  # and a backend, and who kept something for it; the value is the backend
_KEPT = 20  # resources of `reconcile self` that are remembered, for rollbacks to what was installed before


def entries(connection: sqlite3.Connection) -> tuple[Owned, ...]:
    """Everything we own, sorted by address."""
    rows = connection.execute("SELECT entry FROM inventory ORDER BY kind, name").fetchall()
    return unpack_rows(Owned, (entry for (entry,) in rows))


def change(connection: sqlite3.Connection, owned: Sequence[Owned], disowned: Iterable[ResourceId]) -> None:
    """Drop, then add: an address in both is owned afterwards."""
    connection.executemany("DELETE FROM inventory WHERE kind = ? AND name = ?", [(i.kind, i.name) for i in disowned])
    connection.executemany(
        "INSERT OR REPLACE INTO inventory (kind, name, entry) VALUES (?, ?, ?)",
        [(entry.id.kind, entry.id.name, pack(entry)) for entry in owned],
    )
    keepers = {(entry.provider, entry.keeper) for entry in owned if entry.keeper}
    connection.executemany(
        "INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)",
        [(f"{_KEEPER}{provider} {keeper}", provider) for provider, keeper in sorted(keepers)],
    )


def several(connection: sqlite3.Connection) -> frozenset[str]:
    """Backends that have had more than one keeper: what one of them still has may be in no inventory."""
    query = "SELECT value FROM meta WHERE substr(key, 1, ?) = ? GROUP BY value HAVING count(*) > 1"
    return frozenset(name for (name,) in connection.execute(query, (len(_KEEPER), _KEEPER)))


def is_confirmed(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM meta WHERE key = ?", (_CONFIRMED,)).fetchone() is not None


def confirm(connection: sqlite3.Connection, now: datetime) -> None:
    """From here on an address that is not in the inventory is not ours."""
    connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", (_CONFIRMED, instant(now)))


def own(connection: sqlite3.Connection) -> tuple[Resource, ...]:
    """Every resource that `reconcile self` installed or meant to, newest first. What stands is in the inventory."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_SELF,)).fetchone()
    try:
        return () if row is None else unpack_each(Resource, row[0])
    except (ValueError, TypeError):  # of another version
        return ()


def remember_own(connection: sqlite3.Connection, resources: Sequence[Resource]) -> None:
    """Add to these, before they are installed."""
    older = [resource for resource in own(connection) if resource not in resources]
    kept = [*resources, *older][:_KEPT]
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_SELF, pack_each(kept)))


def quarantined(connection: sqlite3.Connection) -> tuple[Quarantined, ...]:
    """Oldest failure first."""
    rows = connection.execute("SELECT revision, reason, rollout FROM quarantine ORDER BY rollout, digest")
    return tuple(Quarantined(unpack(Revision, revision), reason, rollout) for revision, reason, rollout in rows)


def quarantine(connection: sqlite3.Connection, revision: Revision, reason: str, rollout: int, now: datetime) -> None:
    """Remember a failed revision; one that fails again keeps its latest reason."""
    connection.execute(
        "INSERT OR REPLACE INTO quarantine (digest, revision, reason, rollout, added) VALUES (?, ?, ?, ?, ?)",
        (revision.digest, pack(revision), plain(reason), rollout, instant(now)),
    )


def release(connection: sqlite3.Connection, prefix: str | None) -> tuple[Quarantined, ...]:
    """Let revisions go: the one whose digest or commit begins with `prefix`, or all of them with None."""
    found = tuple(item for item in quarantined(connection) if prefix is None or _is_called(item.revision, prefix))
    if prefix is not None and len(found) > 1:
        digests = ", ".join(item.revision.digest[:12] for item in found)
        raise JournalError(
            f"cannot release {prefix!r}: it fits {len(found)} quarantined revisions", hint=f"name one of {digests}"
        )
    connection.executemany("DELETE FROM quarantine WHERE digest = ?", [(item.revision.digest,) for item in found])
    return found


def _is_called(revision: Revision, prefix: str) -> bool:
    return bool(prefix) and (revision.digest.startswith(prefix) or (revision.commit or "").startswith(prefix))
