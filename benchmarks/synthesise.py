"""Writes the snapshot of a host that has everything in a tree already. Usage: synthesise.py TREE SNAPSHOT

A host with so many crontabs would take hours to make; the product's own values and file format are used.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from reconciler.app import wire
from reconciler.engine.intents import intents
from reconciler.masked import snapshot_json
from reconciler.model.state import HostFacts, Observed, Owned, Ownership, Snapshot


def main(tree: Path, target: Path) -> None:
    app = wire(tree, os.environ, root=True)
    desired = app.load()
    wanted = intents(desired.resources, app.registry.providers, app.host.facts(), (), lambda _name: None)
    found = tuple(
        Observed(intent.id, intent.provider, intent.state, Ownership.OURS, f"line {number}", "a line of a crontab")
        for number, intent in enumerate(wanted, 1)
    )
    owned = tuple(Owned(i.id, i.provider, i.state, i.resource.protect, desired.revision.digest) for i in wanted)
    snapshot = Snapshot(
        taken=datetime.now(UTC),
        host=HostFacts("bench", "linux", "root", "UTC"),
        found=found,
        facts={name: {} for name in app.registry.providers},
        unsupported={},
        inventory=owned,
        inventory_lost=False,
        quarantine=(),
        notices=(),
        mask_key="benchmark",
    )
    target.write_text(json.dumps(snapshot_json(snapshot)))


main(Path(sys.argv[1]), Path(sys.argv[2]))
