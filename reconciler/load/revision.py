"""What a tree is called: the digest of its content, and the git commit it stands at, where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.data import DIGEST_BYTES
from reconciler.model.errors import HostError
from reconciler.model.resource import Revision

_GIT_SECONDS = 10.0


def tree_digest(files: Iterable[tuple[str, str]]) -> str:
    """Identity of a tree: names with the digests of their content, sorted by name."""
    total = blake2b(digest_size=DIGEST_BYTES)
    for relative, content in files:
        total.update(f"{relative}\0{content}\0".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def revision(digest: str, folder: str, only: str | None, host: Host) -> Revision:
    """The revision of a tree: `folder`, or the one file `only` in it. Without git, or outside of it, no commit."""
    if not _in_checkout(folder):
        return Revision(digest)
    options = ["--no-optional-locks", "-c", "core.fsmonitor=false", "-C", folder]
    argv = ["git", *options, "status", "--porcelain=v2", "--branch", "-z", "--", f":(literal){only}" if only else "."]
    try:
        ended = host.query(argv, timeout=_GIT_SECONDS)
    except HostError:
        return Revision(digest)
    if ended.code != 0:
        return Revision(digest)
    return _read_status(digest, ended.stdout.decode("utf-8", "replace"))


def _in_checkout(folder: str) -> bool:
    """Whether a `.git` stands in the folder or above it: outside of a checkout no process is started."""
    start = Path(folder)
    return any((each / ".git").exists() for each in (start, *start.parents))


def _read_status(digest: str, status: str) -> Revision:
    entries = [entry for entry in status.split("\0") if entry]
    headers = dict(entry[2:].partition(" ")[::2] for entry in entries if entry.startswith("# "))
    commit, branch = headers.get("branch.oid", "(initial)"), headers.get("branch.head", "(detached)")
    if commit == "(initial)":
        return Revision(digest)
    dirty = any(not entry.startswith("# ") for entry in entries)
    return Revision(digest, commit, None if branch == "(detached)" else branch, dirty)
