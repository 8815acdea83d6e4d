"""Packs `data/` and `state/` into `backups/atlas-DATE.tar.gz`, reads it back, and keeps the newest seven.

`backups/latest.tar.gz` leads to the newest. One that is stopped half-way leaves no half archive.

Databases are copied through SQLite, so that a write in the middle of the backup cannot tear them.
--check only looks whether it can start.
"""

from __future__ import annotations

import logging
import shutil
import signal
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


def pack(archive: Path, files: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for path in files:
            copy(atlas.ROOT / path, Path(scratch) / path)
        with tarfile.open(archive, "w:gz") as tar:
            for path in files:
                tar.add(Path(scratch) / path, arcname=str(path))


def point(link: Path, target: Path) -> None:
    """Lead `link` to `target` in one step."""
    new = link.with_name(link.name + ".new")
    new.unlink(missing_ok=True)
    new.symlink_to(target.name)
    new.replace(link)


def backup(logger: logging.Logger) -> None:
    files = sorted(path for name in FOLDERS for path in atlas.folder(name).rglob("*") if path.is_file())
    final = atlas.folder("backups") / f"atlas-{atlas.now():%Y-%m-%d}.tar.gz"
    new = final.with_name(final.name + ".new")
    copied = [path.relative_to(atlas.ROOT) for path in files]
    try:
        pack(new, copied)
        if names_in(new) != sorted(map(str, copied)):
            raise RuntimeError(f"cannot trust {new.name}: it does not hold the files that were packed")
        new.replace(final)
    finally:
        new.unlink(missing_ok=True)
    point(final.with_name("latest.tar.gz"), final)
    for old in sorted(final.parent.glob("atlas-*.tar.gz"))[:-KEPT]:
        old.unlink()
    logger.info("%s holds %d files", final.name, len(copied))


if __name__ == "__main__" and not atlas.checking():
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    atlas.run("backup", backup)
