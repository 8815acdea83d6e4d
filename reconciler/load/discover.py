"""Which files of a tree are manifests, and their content. Reads the file system; knows nothing of YAML.

A tree is a folder or one file. Hidden names are skipped; so is `reconciler.yaml` at the top: it holds settings.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from reconciler.model.errors import Problem, ReconcileError
from reconciler.model.frozen import dataclass

SUFFIXES = (".yaml", ".yml")  # in any case: a file that is renamed must not be taken for one that is removed
SETTINGS = "reconciler.yaml"
MAX_BYTES = 2**20
MAX_FOLDERS = 32  # one inside the other
_READS = 3

Stamp = tuple[int, int, int, int]  # size, mtime_ns, ctime_ns, inode


@dataclass(frozen=True, slots=True)
class Found:
    """One manifest file: its name below the tree, as the user would type it, and its stamp."""

    relative: str
    shown: str
    path: str
    stamp: Stamp


@dataclass(slots=True)
class Tree:
    """Where manifests come from, and what could not be used of it."""

    name: str  # absolute path of what was asked for
    folder: str  # absolute; relative names start here
    files: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held at one instant, with the stamp of that instant."""

    data: bytes
    stamp: Stamp


def discover(path: Path) -> Tree:
    """Every manifest file below `path`, sorted by name. Raises ReconcileError where there is no such path."""
    try:
        status = path.stat()
    except OSError as error:
        hint = "name a folder of manifests, or a manifest file" if isinstance(error, FileNotFoundError) else None
        raise ReconcileError(f"cannot load {path}: {_cause(error)}", where=str(path), hint=hint) from error
    if stat.S_ISDIR(status.st_mode):
        absolute = str(path.resolve())
        tree = Tree(absolute, absolute)
        _Walk(tree, "" if str(path) == "." else f"{str(path).rstrip('/')}/").folder("", 0)
        tree.files.sort(key=lambda found: found.relative)
        return tree
    target = path.resolve()
    tree = Tree(str(target), str(target.parent))
    _Walk(tree, "").take(target.name, str(path), str(target), status)
    return tree


def read(found: Found) -> Content | Problem:
    """The content of a file, never a mixture of two writes as far as stamps can tell."""
    for _ in range(_READS):
        try:
            content = _read_once(found.path)
        except OSError as error:
            return Problem(found.shown, 0, 0, f"cannot read the file: {_cause(error)}")
        if content is None:
            return Problem(found.shown, 0, 0, "cannot read the file: it is not a regular file")
        if len(content.data) > MAX_BYTES:
            return _too_large(found.shown)
        if len(content.data) == content.stamp[0]:
            return content
    return Problem(found.shown, 0, 0, "cannot read the file: it keeps changing", "load again when it is complete")


def _read_once(path: str) -> Content | None:
    """Content and stamp. A stamp that moved while reading comes back with a size that cannot match."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return None
        data = os.read(descriptor, MAX_BYTES + 1)
        while len(data) <= MAX_BYTES and (more := os.read(descriptor, MAX_BYTES + 1 - len(data))):
            data += more
        after = stamp_of(os.fstat(descriptor))
    finally:
        os.close(descriptor)
    return Content(data, after if after == stamp_of(before) else (-1, *after[1:]))


def stamp_of(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _cause(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _too_large(shown: str) -> Problem:
    return Problem(shown, 0, 0, f"the file is larger than {MAX_BYTES // 2**20} MiB", "split it")


@dataclass(slots=True)
class _Walk:
    """One walk through a tree. `seen` holds every folder walked, so that none is walked twice."""

    tree: Tree
    prefix: str
    seen: set[tuple[int, int]] = field(default_factory=set)

    def folder(self, relative: str, depth: int) -> None:
        absolute = Path(self.tree.folder, relative)
        try:
            status = absolute.stat()
            with os.scandir(absolute) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._refuse(self.prefix + relative or ".", f"cannot read the folder: {_cause(error)}")
            return
        self.seen.add((status.st_dev, status.st_ino))
        for entry, is_folder in self._entries(listed, relative):
            name = f"{relative}/{entry.name}" if relative else entry.name
            if is_folder and depth >= MAX_FOLDERS:
                self._refuse(self.prefix + name, f"folders are nested deeper than {MAX_FOLDERS}")
            elif is_folder:
                self.folder(name, depth + 1)
            else:
                self._file(name, entry)

    def _file(self, relative: str, entry: os.DirEntry[str]) -> None:
        try:
            status = entry.stat()
        except OSError as error:  # it went away since it was listed
            self._refuse(self.prefix + relative, f"cannot read the file: {_cause(error)}")
        else:
            self.take(relative, self.prefix + relative, entry.path, status)

    def _entries(self, listed: list[os.DirEntry[str]], relative: str) -> Iterator[tuple[os.DirEntry[str], bool]]:
        """Folders to walk and files to take; every other thing is refused or skipped here."""
        for entry in listed:
            name = entry.name
            if name.startswith(".") or (name == SETTINGS and not relative):
                continue
            shown = self.prefix + (f"{relative}/{name}" if relative else name)
            manifest = name.lower().endswith(SUFFIXES)
            try:
                link, is_folder = entry.is_symlink(), entry.is_dir()
            except OSError as error:  # a loop of links
                self._refuse(shown, f"cannot follow the link: {_cause(error)}")
                continue
            if not (manifest or is_folder):
                continue
            if not name.isprintable():
                self._refuse(shown, "the name holds unprintable characters", "rename it")
            elif is_folder and manifest:
                self._refuse(shown, "is a folder, but its name is that of a manifest", "rename it")
            elif not link or self._may_follow(entry, shown, is_folder=is_folder):
                yield entry, is_folder

    def _may_follow(self, entry: os.DirEntry[str], shown: str, *, is_folder: bool) -> bool:
        try:
            target = Path(entry.path).resolve(strict=True)
            status = target.stat()
        except (OSError, RuntimeError) as error:  # before Python 3.13 a loop is a RuntimeError
            cause = _cause(error) if isinstance(error, OSError) else "too many levels of symbolic links"
            self._refuse(shown, f"cannot follow the link: {cause}")
            return False
        if not target.is_relative_to(self.tree.folder):
            self._refuse(shown, "the link leaves the tree", "put a copy in its place, or load the other folder too")
            return False
        if is_folder and self._reached(target, status):
            self._refuse(shown, "the link leads to a folder that is part of the tree already", "remove the link")
            return False
        return True

    def _reached(self, target: Path, status: os.stat_result) -> bool:
        """Whether a linked folder was walked before, or will be because it does not lie below a hidden name."""
        inner = target.relative_to(self.tree.folder).parts
        return (status.st_dev, status.st_ino) in self.seen or not any(part.startswith(".") for part in inner)

    def take(self, relative: str, shown: str, path: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            self._refuse(shown, "is not a regular file")
        elif status.st_size > MAX_BYTES:
            self.tree.problems.append(_too_large(shown))
        else:
            self.tree.files.append(Found(relative, shown, path, stamp_of(status)))

    def _refuse(self, shown: str, message: str, hint: str | None = None) -> None:
        from reconciler.load.text import visible

        self.tree.problems.append(Problem(visible(shown), 0, 0, message, hint))
