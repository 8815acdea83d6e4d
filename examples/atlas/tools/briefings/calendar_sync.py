"""Fetches the agenda from AGENDA_URL with the token AGENDA_TOKEN into `data/agenda.txt`, for the daily briefing.

--check only looks whether it can start.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

LARGEST = 1024 * 1024


def sync(logger: logging.Logger) -> None:
    request = Request(os.environ["AGENDA_URL"], headers={"Authorization": f"Bearer {os.environ['AGENDA_TOKEN']}"})
    with urlopen(request, timeout=30) as answer:
        text = answer.read(LARGEST).decode("utf-8")
    atlas.write(atlas.folder("data") / "agenda.txt", text)
    logger.info("%d entries", len(text.splitlines()))


if __name__ == "__main__" and not atlas.checking():
    atlas.run("calendar-sync", sync)
