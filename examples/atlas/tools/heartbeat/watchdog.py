"""Reads today's lines of every log in `logs/` and raises one alert when something went wrong in them.

Looks for tracebacks, "error:", "failed" and HTTP answers 4xx and 5xx. With the argument - it passes over lines that
hold one of the phrases on its standard input. --check only looks whether it can start.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import date, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

NAME = "watchdog"
TROUBLE = re.compile(
    r"Traceback \(most recent call last\)"
    r"|(?i:error:|\bfailed\b)"
    r"|(?i:\bHTTP(?:/\d(?:\.\d)?)?\"? (?:error |status )?|\bstatus(?: code)?[ =:]+)[45]\d\d\b"
)
SHOWN = 20


def of_today(text: str, today: date) -> list[str]:
    """The lines dated today. A line without a date belongs to the dated line above it."""
    stamp, current, lines = f"{today:%Y-%m-%d}", True, []
    for line in text.splitlines():
        if re.match(r"\d{4}-\d\d-\d\d", line):
            current = line.startswith(stamp)
        if current:
            lines.append(line)
    return lines


def known() -> list[str]:
    """Phrases that mark a line as harmless. An empty one would mark all of them."""
    return [line.strip() for line in sys.stdin if line.strip()] if "-" in sys.argv[1:] else []


def scan(logs: Path, today: date, harmless: list[str]) -> list[str]:
    """`file: line` for every line of today that tells of trouble."""
    found = []
    for path in sorted(logs.glob("*.log")):
        if path.stem == NAME or datetime.fromtimestamp(path.stat().st_mtime).astimezone().date() < today:
            continue
        lines = of_today(path.read_text(encoding="utf-8", errors="replace"), today)
        trouble = [line for line in lines if TROUBLE.search(line) and not any(each in line for each in harmless)]
        found += [f"{path.name}: {line.strip()}" for line in trouble]
    return found


def watch(logger: logging.Logger) -> None:
    found = scan(atlas.folder("logs"), atlas.now().date(), known())
    logger.info("%d findings", len(found))
    if found:
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        atlas.alert(NAME, "\n  ".join([f"{len(found)} lines in today's logs need a look", *found[:SHOWN], *more]))


if __name__ == "__main__" and not atlas.checking():
    atlas.run(NAME, watch)
