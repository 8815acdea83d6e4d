"""Loading a tree of manifests, from the path to the desired set. Everything wrong is said at once, or nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.kinds.catalogue import KindCatalogue
from reconciler.load.cache import Cache, Entry, open_cache, save_cache
from reconciler.load.discover import Content, Found, Stamp, Tree, discover, read
from reconciler.load.resolve import Trouble, resolve
from reconciler.load.revision import revision, tree_digest
from reconciler.load.rows import from_row, to_row
from reconciler.model.address import ResourceId
from reconciler.model.data import bytes_digest
from reconciler.model.errors import LoadError, Problem
from reconciler.model.frozen import dataclass
from reconciler.model.resource import Desired, Resource


def load(path: Path, *, kinds: KindCatalogue, host: Host, cache_dir: Path | None) -> Desired:
    """The desired set of a folder or file. Raises LoadError with every problem; an empty tree has no resources."""
    tree = discover(path)
    schema = kinds.digest
    cache = open_cache(cache_dir, tree.name, schema)
    loading = _Loading(kinds, cache, problems=tree.problems)
    for found in tree.files:
        loading.file(found)
    loading.problems += [_located(trouble, tree) for trouble in loading.troubles()]
    if loading.stale or len(loading.entries) != len(cache.entries):
        save_cache(cache, tree.name, schema, loading.entries)
    if loading.problems:
        raise LoadError(tuple(loading.problems))
    resources = tuple(sorted(loading.resources, key=lambda resource: resource.id))
    digest = tree_digest((relative, entry.digest) for relative, entry in loading.entries.items())
    only = tree.files[0].relative if tree.name != tree.folder else None
    manifests = [found.path for found in tree.files]
    return Desired(str(path), revision(digest, tree.folder, only, manifests, host), resources)


@dataclass(slots=True)
class _Loading:
    """One load under way: what has been read so far, and what is wrong with it."""

    kinds: KindCatalogue
    cache: Cache
    problems: list[Problem]
    resources: list[Resource] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    declared: set[ResourceId] | None = field(default_factory=set)  # by manifests with errors; None: who knows
    stale: bool = False  # the cache no longer says what was found

    def file(self, found: Found) -> None:
        entry = self.cache.entry(found.relative)
        if entry is not None and self.cache.proves(entry, found.stamp) and self._restore(found, entry):
            return
        content = read(found)
        if isinstance(content, Problem):
            self.problems.append(content)
            self.declared = None
            return
        digest = bytes_digest(content.data)
        if entry is not None and entry.digest == digest:
            self.stale = True  # the stamp moved, or a cache written now can be trusted for longer
            if self._restore(found, Entry(content.stamp, digest, entry.rows)):
                return
        self._parse(found, content, digest)

    def _restore(self, found: Found, entry: Entry) -> bool:
        """Take a file's resources from the cache, unless they are not what they should be."""
        try:
            resources = [from_row(found.shown, row) for row in entry.rows]
        except (TypeError, ValueError, KeyError):
            return False
        self.resources += resources
        self.entries[found.relative] = entry
        return True

    def _parse(self, found: Found, content: Content, digest: str) -> None:
        resources = _read_quickly(found.shown, content.data, self.kinds)
        if resources is None:
            resources = self._read_exactly(found.shown, content.data)
        if resources is not None:
            self._keep(found.relative, content.stamp, digest, resources)

    def _keep(self, relative: str, stamp: Stamp, digest: str, resources: Sequence[Resource]) -> None:
        self.stale = True
        self.resources += resources
        self.entries[relative] = Entry(stamp, digest, [to_row(resource) for resource in resources])

    def _read_exactly(self, file: str, data: bytes) -> list[Resource] | None:
        """The reference reader's verdict. None where the file has problems; its good documents still count."""
        from reconciler.load.parse import read_reference
        from reconciler.load.text import decode
        from reconciler.load.validate import declared_id, resource_or_problems

        source, unreadable = decode(file, data)
        nodes, problems = ([], [unreadable]) if unreadable else read_reference(source)
        if problems:
            self.declared = None
        good: list[Resource] = []
        for node in nodes:
            result = resource_or_problems(node, source, self.kinds)
            if isinstance(result, Resource):
                good.append(result)
                continue
            problems += result
            claimed = declared_id(node)
            if self.declared is not None and claimed is not None:
                self.declared.add(claimed)
        if not problems:
            return good
        self.resources += good
        self.problems += problems
        return None

    def troubles(self) -> list[Trouble]:
        return resolve(self.resources, self.declared)


def _read_quickly(file: str, data: bytes, kinds: KindCatalogue) -> list[Resource] | None:
    """The resources of an everyday file without any problem, else None."""
    from reconciler.load.parse import read_fast
    from reconciler.load.validate import resource_or_none

    try:
        documents = read_fast(data.decode("utf-8"))
    except UnicodeDecodeError:
        return None
    if documents is None:
        return None
    resources: list[Resource] = []
    for line, document in documents:
        resource = resource_or_none(document, line, file, kinds)
        if resource is None:
            return None
        resources.append(resource)
    return resources


def _located(trouble: Trouble, tree: Tree) -> Problem:
    """A trouble with its exact place: its file is read again for that."""
    from reconciler.load.locate import document_of

    source = trouble.resource.source
    found = next(found for found in tree.files if found.shown == source.file)
    again = document_of(source, found.path)
    if again is None:
        return Problem(source.file, source.line, 1, trouble.message, trouble.hint)
    text, node = again
    return text.problem(*node.place(trouble.path), trouble.message, trouble.hint)
