"""Prints the health of this installation as JSON, in four groups: automations, logs, databases, endpoints.

What `reconcile` has recorded answers for the automations; `health.json` beside this file names the rest. Exit status
1 when anything is not well, and an alert when that changes. --check only looks whether it can start.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

NAME = "service-health"
GOOD = frozenset({"ok", "running", "not run yet", "connected"})
Entry = dict[str, str]


def automations() -> dict[str, Entry]:
    """How the last run of each ended, when it started, and whether one that was due since did not come."""
    listed = atlas.known("runs", "--since", "8d")
    last: dict[str, dict[str, object]] = {}
    for run in listed["runs"]:  # newest first; one that was skipped, because another ran, says nothing
        if run["verdict"] != "skipped":
            last.setdefault(str(run["automation"]), run)
    missed = {str(slot["automation"]): str(slot["slot"]) for slot in reversed(listed["missed"])}
    found = {}
    for summary in atlas.known("stats", "--since", "8d")["automations"]:
        name = str(summary["automation"])
        if name == NAME:  # it fails when something is not well: that must not be the next reason
            continue
        started = _moment(last[name]["started"]) if name in last else None
        status = _word(str(last[name]["verdict"])) if name in last else "not run yet"
        if name in missed and (started is None or started < _moment(missed[name])):
            status = f"missed {_moment(missed[name]):%Y-%m-%d %H:%M}"
        found[name] = {"status": status}
        if started is not None:
            found[name]["last_run"] = started.isoformat(" ", "minutes")
    return found


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone()


def _word(verdict: str) -> str:
    return "ok" if verdict == "succeeded" else verdict


def oversized() -> list[str]:
    """Logs that grew past the size at which they should have been rotated."""
    return sorted(path.name for path in atlas.folder("logs").glob("*.log") if path.stat().st_size > atlas.LOG_BYTES)


def database(path: Path) -> Entry:
    """Whether an SQLite file opens and is sound. It is opened read-only: looking must not create it."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        return {"status": f"unreachable: {error}"}
    return {"status": "connected" if verdict == "ok" else f"damaged: {verdict}"}


def endpoint(url: str) -> Entry:
    try:
        with urlopen(url, timeout=5):
            return {"status": "ok"}
    except HTTPError as error:
        return {"status": f"answers {error.code}"}
    except (URLError, OSError, ValueError) as error:
        return {"status": f"unreachable: {error}"}


def unwell(groups: dict[str, dict[str, Entry]], large: list[str]) -> str:
    """What is not well, in one line; empty where everything is."""
    found = [
        f"{name} {entry['status']}"
        for entries in groups.values()
        for name, entry in entries.items()
        if entry["status"] not in GOOD
    ]
    return ", ".join([*found, *(f"{name} is too large" for name in large)])


def main() -> int:
    wanted = json.loads(Path(__file__).with_name("health.json").read_text(encoding="utf-8"))
    groups = {
        "automations": automations(),
        "databases": {name: database(atlas.ROOT / path) for name, path in wanted["databases"].items()},
        "endpoints": {name: endpoint(url) for name, url in wanted["endpoints"].items()},
    }
    large = oversized()
    print(json.dumps({**groups, "logs": {"oversized": large}}, indent=2))
    trouble = unwell(groups, large)
    atlas.tell_once(NAME, trouble)
    return 1 if trouble else 0


if __name__ == "__main__" and not atlas.checking():
    sys.exit(main())
