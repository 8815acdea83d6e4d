"""What was read before, so that an unchanged file costs one stat. Anything odd about a cache means: no cache.

One file per tree: a line with its own checksum, then JSON. Written whole, by rename; never an error.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from reconciler.load.discover import Stamp
from reconciler.load.rows import Row
from reconciler.model.data import bytes_digest
from reconciler.model.frozen import dataclass

_FORMAT = 1
_PREFIX = "manifests-"
_KEPT = 32  # trees
_RACY_NS = 2_000_000_000  # file systems may keep time no finer than this
_MAX_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file without problems: when it was read, the digest of its content, and its resources."""

    stamp: Stamp
    digest: str
    rows: list[Row]


@dataclass(slots=True)
class Cache:
    """What is remembered of one tree. `written` is by the clock of the file system that the cache stands in."""

    file: Path | None = None
    written: int = 0
    entries: Mapping[str, list[Any]] = field(default_factory=dict)

    def entry(self, relative: str) -> Entry | None:
        """What a file held when it was last read."""
        found = self.entries.get(relative)
        if found is None:
            return None
        try:
            (size, modified, changed, inode), digest, rows = found
        except (TypeError, ValueError):
            return None
        return Entry((size, modified, changed, inode), digest, rows)

    def proves(self, entry: Entry, stamp: Stamp) -> bool:
        """Whether a stamp alone shows that the file is as it was: it is the same, and old enough to be trusted.

        A file written just before the cache may have been written again without its stamp moving.
        """
        return entry.stamp == stamp and max(stamp[1], stamp[2]) <= self.written - _RACY_NS


def open_cache(folder: Path | None, tree: str, schema: str) -> Cache:
    """The cache of a tree, empty where there is none that can be trusted."""
    if folder is None:
        return Cache()
    name = bytes_digest(tree.encode("utf-8", "surrogateescape"))
    file = folder / f"{_PREFIX}{name}.json"
    try:
        content = _read_own(file)
        if content is None:
            return Cache(file)
        checksum, _, body = content.partition(b"\n")
        if checksum.decode("ascii") != bytes_digest(body):
            return Cache(file)
        data = json.loads(body)
        if data["format"] != _FORMAT or data["schema"] != schema or data["tree"] != tree:
            return Cache(file)
        return Cache(file, int(data["written"]), dict(data["files"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Cache(file)


def _read_own(file: Path) -> bytes | None:
    """Content of a regular file that nobody else could have written, or None."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        private = status.st_uid == os.geteuid() and not status.st_mode & 0o022
        if not stat.S_ISREG(status.st_mode) or not private or status.st_size > _MAX_BYTES:
            return None
        return stream.read()


def save_cache(cache: Cache, tree: str, schema: str, entries: Mapping[str, Entry]) -> None:
    """Replace the cache. What cannot be written is not: the next load is slower, and that is all."""
    if cache.file is None:
        return
    temporary = cache.file.with_name(f".{cache.file.name}.{os.getpid()}")
    try:
        cache.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
            written = os.fstat(stream.fileno()).st_mtime_ns
            body = _encode(tree, schema, written, entries)
            stream.write(bytes_digest(body).encode("ascii") + b"\n" + body)
        temporary.replace(cache.file)
        _forget_old(cache.file.parent)
    except (OSError, ValueError):
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _encode(tree: str, schema: str, written: int, entries: Mapping[str, Entry]) -> bytes:
    files = {relative: [entry.stamp, entry.digest, entry.rows] for relative, entry in entries.items()}
    data = {"format": _FORMAT, "schema": schema, "tree": tree, "written": written, "files": files}
    return json.dumps(data, separators=(",", ":"), check_circular=False).encode("ascii")


def _forget_old(folder: Path) -> None:
    """Keep the caches of the trees used last; drop what a killed process left."""
    caches = [file for file in folder.iterdir() if file.name.lstrip(".").startswith(_PREFIX)]
    if len(caches) > _KEPT:
        for file in sorted(caches, key=lambda file: file.stat().st_mtime_ns)[:-_KEPT]:
            file.unlink(missing_ok=True)
