"""Rotates every log in `logs/` that outgrew 10 MB and keeps five old copies.

For programs that do not do it themselves. A log is copied and emptied in place: its writer may hold it open.
--check only looks whether it can start.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas


def rotate(path: Path, copies: int) -> None:
    """`x.log` becomes `x.log.1`, `x.log.1` becomes `x.log.2`; what was the last copy is gone."""
    for number in range(copies - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copy2(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def rotate_all(logger: logging.Logger) -> None:
    large = [path for path in sorted(atlas.folder("logs").glob("*.log")) if path.stat().st_size > atlas.LOG_BYTES]
    for path in large:
        rotate(path, atlas.LOG_COPIES)
        logger.info("rotated %s", path.name)


if __name__ == "__main__" and not atlas.checking():
    atlas.run("log-rotation", rotate_all)
