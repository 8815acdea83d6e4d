"""Packs `data/` and `state/` into `backups/atlas-DATE.tar.gz`, reads it back, and keeps the newest seven.

Databases are copied through SQLite, so that a write in the middle of the backup cannot tear them.
--check only looks whether it can start.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

FOLDERS = ("data", "state")
KEPT = 7


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix != ".db":
        shutil.copy2(source, target)
        return
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as duplicate:
        original.backup(duplicate)


def names_in(archive: Path) -> list[str]:
    """Every file in the archive, read to its last byte: a damaged archive raises."""
    with tarfile.open(archive) as tar:
        names = []
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                while content.read(1 << 20):
                    pass
                names.append(member.name)
    return sorted(names)


def backup(logger: logging.Logger) -> None:
    files = sorted(path for name in FOLDERS for path in atlas.folder(name).rglob("*") if path.is_file())
    final = atlas.folder("backups") / f"atlas-{atlas.now():%Y-%m-%d}.tar.gz"
    new = final.with_name(final.name + ".new")
    with tempfile.TemporaryDirectory() as scratch:
        copied = [path.relative_to(atlas.ROOT) for path in files]
        for path in copied:
            copy(atlas.ROOT / path, Path(scratch) / path)
        with tarfile.open(new, "w:gz") as tar:
            for path in copied:
                tar.add(Path(scratch) / path, arcname=str(path))
    if names_in(new) != sorted(map(str, copied)):
        raise RuntimeError(f"cannot trust {new.name}: it does not hold the files that were packed")
    new.replace(final)
    for old in sorted(final.parent.glob("atlas-*.tar.gz"))[:-KEPT]:
        old.unlink()
    logger.info("%s holds %d files", final.name, len(copied))


if __name__ == "__main__" and not atlas.checking():
    atlas.run("backup", backup)
