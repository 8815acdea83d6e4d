"""Files that a job must write: how each stands before the run, so that a change is seen without asking a clock."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Mark = tuple[int, int, int] | None  # None: no file


def before(files: Iterable[Mapping[str, Any]], folder: str) -> list[tuple[str, Mark]]:
    """Path and mark of each file, in their order."""
    home = os.path.expanduser(folder)
    paths = [os.path.join(home, os.path.expanduser(rule["path"])) for rule in files]
    return [(path, _mark(path)) for path in paths]


def _mark(path: str) -> Mark:
    try:
        return mark(os.stat(path))
    except (OSError, ValueError):
        return None


def mark(found: os.stat_result) -> Mark:
    """Another one after every write: a file that takes the place of the old one has another inode."""
    return found.st_ino, found.st_mtime_ns, found.st_size
