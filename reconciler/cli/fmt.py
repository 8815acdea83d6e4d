"""`reconcile fmt`: manifests in even layout, comments kept. A file with problems is left as it is."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import DEFAULT_PATH, application
from reconciler.cli.validate import read_text

if TYPE_CHECKING:
    from reconciler.kinds.catalogue import KindCatalogue
    from reconciler.load.discover import Found, Stamp
    from reconciler.model.errors import Problem

_ROUNDS = 4  # a layout that does not settle in so many rounds is refused


@click.command
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; print what would change, and exit with 1 if anything.")
def command(paths: tuple[Path, ...], check: bool) -> int:
    """Format the manifests in each PATH (default: desired). Comments, quotes and meaning stay.

    \b
    Exit code: 1 when a file has problems, or with --check when a file is not formatted; else 0.
    """
    from reconciler.cli.failure import show
    from reconciler.model.errors import ReconcileError

    paths = paths or (Path(DEFAULT_PATH),)
    kinds = application(paths[0]).registry.kinds
    tally = _Tally()
    for found in _files(paths, tally):
        try:
            _format(found, kinds, tally, check=check)
        except ReconcileError as error:
            tally.failed += 1
            show(error)
    sys.stderr.write(tally.sentence(check=check))
    return int(bool(tally.failed or (check and tally.changed)))


@dataclass(slots=True)
class _Tally:
    changed: int = 0
    same: int = 0
    failed: int = 0
    seen: set[str] = field(default_factory=set)

    def sentence(self, *, check: bool) -> str:
        from reconciler.cli.render.characters import several

        parts = [f"{several(self.changed, 'file')} {'to format' if check else 'formatted'}"]
        parts += [f"{self.same} formatted already"] if self.same else []
        parts += [f"{self.failed} left alone because of problems"] if self.failed else []
        return ", ".join(parts) + ".\n"


def _files(paths: tuple[Path, ...], tally: _Tally) -> Iterator[Found]:
    """Every manifest file below the paths, once. What cannot be used of a tree is reported at once."""
    from reconciler.load.discover import discover

    for path in paths:
        tree = discover(path)
        for problem in tree.problems:
            tally.failed += 1
            _report(problem)
        for found in tree.files:
            if os.path.realpath(found.path) not in tally.seen:
                tally.seen.add(os.path.realpath(found.path))
                yield found


def _format(found: Found, kinds: KindCatalogue, tally: _Tally, *, check: bool) -> None:
    """Format one file. Raises ReconcileError where its meaning or comments would not survive."""
    from reconciler.load.discover import read
    from reconciler.model.errors import Problem

    content = read(found)
    problems = [content] if isinstance(content, Problem) else _problems(found, content.data, kinds)
    if isinstance(content, Problem) or problems:
        tally.failed += 1
        for problem in problems:
            _report(problem)
        return
    formatted = settled(found.shown, content.data)
    if formatted == content.data:
        tally.same += 1
        return
    tally.changed += 1
    if check:
        sys.stdout.writelines(_diff(found.shown, content.data, formatted))
        return
    replace(Path(os.path.realpath(found.path)), formatted, content.stamp)
    sys.stdout.write(f"{found.shown}\n")


def _problems(found: Found, data: bytes, kinds: KindCatalogue) -> list[Problem]:
    from reconciler.load.discover import SETTINGS
    from reconciler.model.errors import LoadError

    if Path(found.path).name == SETTINGS:
        from reconciler.load.settings_file import settings_values

        try:
            settings_values(Path(found.shown), data)
        except LoadError as error:
            return list(error.problems)
        return []
    return read_text(found.shown, data, kinds)[1]


def settled(file: str, content: bytes, layout: Callable[[str, bytes], bytes] | None = None) -> bytes:
    """The layout that formatting again would not change. Raises ReconcileError where there is none."""
    from reconciler.load.write import format_manifest
    from reconciler.model.errors import ReconcileError

    layout = layout or format_manifest
    for _ in range(_ROUNDS):
        formatted = layout(file, content)
        if formatted == content:
            return formatted
        content = formatted
    raise ReconcileError(f"cannot format {file}: formatting it again would change it again", hint="format it by hand")


def replace(path: Path, content: bytes, stamp: Stamp) -> None:
    """Put new content in place of what `stamp` saw: whole or not at all, same mode and owner."""
    from reconciler.load.discover import stamp_of
    from reconciler.model.errors import ReconcileError

    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        status = path.stat()
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, status.st_mode & 0o7777)
            file.flush()
            os.fsync(descriptor)
        if stamp_of(path.stat()) != stamp:
            raise ReconcileError(f"cannot format {path}: it was edited at the same moment", hint="format it again")
        partial.replace(path)
    except OSError as error:
        raise ReconcileError(f"cannot format {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        partial.unlink(missing_ok=True)


def _report(problem: Problem) -> None:
    from reconciler.cli.failure import show
    from reconciler.model.errors import ReconcileError

    show(ReconcileError(f"cannot format {problem.file}: {problem.message}", where=problem.place, hint=problem.hint))


def _diff(name: str, before: bytes, after: bytes) -> Iterator[str]:
    """Unified, and safe to show: a manifest holds no control characters once it has been read."""
    old, new = (text.decode().splitlines(keepends=True) for text in (before, after))
    for line in difflib.unified_diff(old, new, name, f"{name} (formatted)"):
        yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
