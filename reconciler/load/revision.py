"""What a tree is called: the digest of its content, and the git commit it stands at, where there is one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.data import DIGEST_BYTES, blake2b
from reconciler.model.errors import HostError
from reconciler.model.resource import Revision

_GIT_SECONDS = 10.0


def tree_digest(files: Iterable[tuple[str, str]]) -> str:
    """Identity of a tree: names with the digests of their content, sorted by name."""
    total = blake2b(digest_size=DIGEST_BYTES)
    for relative, content in files:
        total.update(f"{relative}\0{content}\0".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def revision(digest: str, folder: str, only: str | None, manifests: Sequence[str], host: Host) -> Revision:
    """The revision of a tree: `folder`, or the one file `only` in it. Without git, or outside of it, no commit.

    `manifests` are the paths that were loaded: no commit holds those that git ignores.
    """
    root = _checkout(folder)
    if root is None:
        return Revision(digest)
    options = ["--no-optional-locks", "-c", "core.fsmonitor=false", "-C", folder]
    # "matching" names an ignored folder without looking into it, however large it is.
    wanted = ["--porcelain=v2", "--branch", "--untracked-files=normal", "--ignored=matching", "-z"]
    argv = ["git", *options, "status", *wanted, "--", f":(literal){only}" if only else "."]
    try:
        ended = host.query(argv, timeout=_GIT_SECONDS)
    except HostError:
        return Revision(digest)
    if ended.code != 0:
        return Revision(digest)
    found, ignored = _read_status(digest, ended.stdout.decode("utf-8", "replace"))
    if found.commit is None or found.dirty or not _holds(ignored, root, manifests):
        return found
    return replace(found, dirty=True)


def _checkout(folder: str) -> Path | None:
    """The folder with a `.git`, this one or one above it: outside of a checkout no process is started."""
    start = Path(folder)
    return next((each for each in (start, *start.parents) if (each / ".git").exists()), None)


def _holds(ignored: Sequence[str], root: Path, manifests: Sequence[str]) -> bool:
    """Whether a manifest is among the ignored files, or below one of the ignored folders."""
    start = str(root).rstrip("/")
    names = {f"{start}/{entry.removesuffix('/')}" for entry in ignored}
    return bool(names) and any(not names.isdisjoint(_with_parents(path)) for path in _as_git_says(manifests))


def _as_git_says(paths: Sequence[str]) -> Iterator[str]:
    """Paths without links in them, decoded like the answer of git."""
    folders: dict[str, str] = {}
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        real = os.path.realpath(path) if os.path.islink(path) else f"{folders[folder]}/{name}"  # noqa: PTH114
        yield os.fsencode(real).decode("utf-8", "replace")


def _with_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _read_status(digest: str, status: str) -> tuple[Revision, list[str]]:
    """The revision that git tells of, and what it ignores."""
    entries = [entry for entry in status.split("\0") if entry]
    headers = dict(entry[2:].partition(" ")[::2] for entry in entries if entry.startswith("# "))
    commit, branch = headers.get("branch.oid", "(initial)"), headers.get("branch.head", "(detached)")
    if commit == "(initial)":
        return Revision(digest), []
    dirty = any(not entry.startswith(("# ", "! ")) for entry in entries)
    ignored = [entry.removeprefix("! ") for entry in entries if entry.startswith("! ")]
    return Revision(digest, commit, None if branch == "(detached)" else branch, dirty), ignored
