"""Writes `reports/week.html`: how the automations did in the last seven days, with a plot for each.

--check only looks whether it can start.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas


def review(logger: logging.Logger) -> None:
    page = atlas.reconcile("report", "--since", "7d", "--format", "html")
    path = atlas.folder("reports") / "week.html"
    atlas.write(path, page)
    logger.info("wrote %s", path.name)


if __name__ == "__main__" and not atlas.checking():
    atlas.run("weekly-review", review)
