"""Prints the health of this installation as JSON, in four groups: cron, logs, databases, endpoints.

What to look at stands in `health.json` beside this file. Exit status 1 when anything is not well.
--quiet prints only then, for use from cron; --check only looks whether it can start.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

GOOD = frozenset({"ok", "connected"})


def automation(name: str, minutes: int) -> dict[str, str | None]:
    """How the last run ended, and whether it is longer ago than `minutes`."""
    try:
        record = json.loads((atlas.ROOT / "state" / f"{name}.json").read_text(encoding="utf-8"))
        last = datetime.strptime(record["last_run"], "%Y-%m-%d %H:%M").astimezone()
    except FileNotFoundError:
        return {"last_run": None, "status": "never ran"}
    except (OSError, ValueError, KeyError, TypeError):
        return {"last_run": None, "status": "unreadable"}
    late = atlas.now() - last > timedelta(minutes=minutes)
    return {"last_run": record["last_run"], "status": "late" if late else record["status"]}


def oversized() -> list[str]:
    """Logs that grew past the size at which they should have been rotated."""
    return sorted(path.name for path in atlas.folder("logs").glob("*.log") if path.stat().st_size > atlas.LOG_BYTES)


def database(path: Path) -> dict[str, str]:
    """Whether an SQLite file opens and is sound. It is opened read-only: looking must not create it."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        return {"status": f"unreachable: {error}"}
    return {"status": "connected" if verdict == "ok" else f"damaged: {verdict}"}


def endpoint(url: str) -> dict[str, str]:
    try:
        with urlopen(url, timeout=5):
            return {"status": "ok"}
    except HTTPError as error:
        return {"status": f"answers {error.code}"}
    except (URLError, OSError, ValueError) as error:
        return {"status": f"unreachable: {error}"}


def report(wanted: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    return {
        "cron": {name: automation(name, int(str(minutes))) for name, minutes in wanted["cron"].items()},
        "logs": {"oversized": oversized()},
        "databases": {name: database(atlas.ROOT / str(path)) for name, path in wanted["databases"].items()},
        "endpoints": {name: endpoint(str(url)) for name, url in wanted["endpoints"].items()},
    }


def healthy(groups: dict[str, dict[str, object]]) -> bool:
    entries = [entry for group in ("cron", "databases", "endpoints") for entry in groups[group].values()]
    return not groups["logs"]["oversized"] and all(isinstance(e, dict) and e["status"] in GOOD for e in entries)


def main() -> int:
    wanted = json.loads(Path(__file__).with_name("health.json").read_text(encoding="utf-8"))
    groups = report(wanted)
    well = healthy(groups)
    if not (well and "--quiet" in sys.argv[1:]):
        print(json.dumps(groups, indent=2))
    return 0 if well else 1


if __name__ == "__main__" and not atlas.checking():
    sys.exit(main())
