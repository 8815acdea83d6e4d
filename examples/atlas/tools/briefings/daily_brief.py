"""Writes the morning briefing to `briefs/DATE.txt` and `briefs/latest.txt`: agenda, the printer's day, backup, disk.

The agenda is `data/agenda.txt`, one line per entry: `2026-02-09 10:00 dentist`.
--check only looks whether it can start.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas


def agenda(logger: logging.Logger) -> list[str]:
    """Today's entries. A missing agenda is known to happen and must not cost the rest of the briefing."""
    today = f"{atlas.now():%Y-%m-%d}"
    try:
        lines = (atlas.ROOT / "data" / "agenda.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        logger.warning("Calendar error: %s", error)
        return ["no agenda today"]
    found = [line[len(today) :].strip() for line in lines if line.startswith(today)]
    return found or ["nothing planned"]


def printer() -> list[str]:
    """What the printer watcher saw in the last day."""
    path = atlas.ROOT / "data" / "printer.db"
    if not path.exists():
        return ["printer: never seen"]
    since = (atlas.now() - timedelta(days=1)).isoformat()
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT at, state, job FROM seen WHERE at >= ? ORDER BY rowid", (since,)).fetchall()
    return [f"printer: {at[11:16]} {state} {job}".rstrip() for at, state, job in rows] or ["printer: no change"]


def machine() -> list[str]:
    """Age of the newest backup, and room on the disk."""
    backups = sorted((atlas.ROOT / "backups").glob("atlas-*.tar.gz"))
    newest = backups[-1].name if backups else "none yet"
    usage = shutil.disk_usage(atlas.ROOT)
    return [f"backup: {newest}", f"disk: {100 * usage.free // usage.total} % free"]


def brief(logger: logging.Logger) -> None:
    sections = (("Today", agenda(logger)), ("Printer", printer()), ("Machine", machine()))
    text = "\n".join(title + "\n" + "".join(f"  {line}\n" for line in lines) for title, lines in sections)
    path = atlas.folder("briefs") / f"{atlas.now():%Y-%m-%d}.txt"
    for each in (path, path.with_name("latest.txt")):
        atlas.write(each, text)
    logger.info("wrote %s", path.name)
    print(text, end="")


if __name__ == "__main__" and not atlas.checking():
    atlas.run("daily-brief", brief)
