"""Watches a 3D printer's status and tells when it changes: started, finished, stopped answering.

The status is a JSON object `{"state": "printing", "job": "bracket"}` in a file or at an http address: PRINTER_STATUS,
or `data/printer-status.json`. What was seen last is kept in `data/printer.db`.
--check only looks whether it can start.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

SCHEMA = "CREATE TABLE IF NOT EXISTS seen (at TEXT NOT NULL, state TEXT NOT NULL, job TEXT NOT NULL)"


def read_status(source: str) -> tuple[str, str]:
    """State and job. A printer that cannot be read is `offline`: that is news, not an error of ours."""
    try:
        if source.startswith(("http://", "https://")):
            with urlopen(source, timeout=10) as answer:
                content = answer.read(65536)
        else:
            content = Path(source).read_bytes()
        status = json.loads(content)
        return str(status["state"]), str(status.get("job", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "offline", ""


def watch(logger: logging.Logger) -> None:
    source = os.environ.get("PRINTER_STATUS") or str(atlas.folder("data") / "printer-status.json")
    state, job = read_status(source)
    with closing(sqlite3.connect(atlas.folder("data") / "printer.db")) as database, database:
        database.execute(SCHEMA)
        last = database.execute("SELECT state, job FROM seen ORDER BY rowid DESC LIMIT 1").fetchone()
        if last == (state, job):
            return
        database.execute("INSERT INTO seen VALUES (?, ?, ?)", (atlas.now().isoformat(), state, job))
    logger.info("%s %s", state, job)
    if last is not None:
        atlas.alert("printer", f"printer: {last[0]} -> {state} {job}".rstrip())


if __name__ == "__main__" and not atlas.checking():
    atlas.run("printer-watcher", watch)
