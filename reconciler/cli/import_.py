"""`reconcile import`: manifests for what a person made, on a backend or in a compose file. Only reads both."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.new import present, write_new
from reconciler.cli.session import DEFAULT_PATH, application
from reconciler.cli.validate import read_text

if TYPE_CHECKING:
    from reconciler.app import App
    from reconciler.model.address import ResourceId
    from reconciler.model.data import Json
    from reconciler.model.resource import Resource, Source
    from reconciler.provider import Imported

_HEADER = "# Written by `reconcile import {source}`. {now}\n"
_ADOPT = "Adopt each one, or what is there now stays beside it."
_COMPOSE = "Take down what compose runs before the first apply."
_WARNING = (
    "holds what looks like a secret: take it out before this goes into git; the command can read it from a file"
)


@click.command
@click.argument("source")
@click.option("--user", help="Whose entries; only root may name another user.")
@click.option("--out", type=click.Path(path_type=Path), help="A new file, or a folder for one file each.")
def command(source: str, user: str | None, out: Path | None) -> int:
    """Print manifests for what is on SOURCE and not reconcile's. Changes nothing there.

    SOURCE is a backend (crontab, systemd, launchd, container) or a compose file (compose.yaml).

    What cannot be carried over without changing what it does is listed with the reason.

    \b
    Examples:
      reconcile import crontab --out desired
      reconcile import compose.yaml --out desired

    \b
    Exit code: 0, or 1 where SOURCE cannot be read or nothing of a file can be carried over.
    """
    from reconciler.cli.importing import is_file, of_backend, of_file

    app = application(_tree(out))
    taken = present(app) if out is not None else {}
    file = is_file(source)
    found = of_file(app, source) if file else of_backend(app, source, user)
    entries = [judged(app, entry, taken) for entry in found]
    good = [entry for entry in entries if entry.resource is not None]
    left = [entry for entry in entries if entry.resource is None]
    if not entries:
        whose = f" of {user}" if user else ""
        sys.stderr.write(f"There is nothing to import: the {source}{whose} holds no entry that is not ours.\n")
        return 0
    header = _HEADER.format(source=source, now=_COMPOSE if file else _ADOPT)
    _warn_of_left(left)
    if out is None:
        sys.stdout.write(_document(header, entries))
    elif good:
        write_new(_files(out, header, entries))
        sys.stderr.write(f"Wrote {_count(good)} to {out}.\n")
    if good:
        sys.stderr.write(_next(good, out, f"{source} --user {user}" if user else source, file=file))
    return 0 if good or not file else 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One foreign entry: the manifest that was made of it, or why there is none."""

    source: Imported
    text: str
    resource: Resource | None
    why: str = ""


def _tree(out: Path | None) -> Path:
    """The tree that the manifests will be part of."""
    if out is None:
        return Path(DEFAULT_PATH)
    return out.parent if _is_file(out) and out.parent != Path() else out


def _is_file(out: Path) -> bool:
    """Whether a name stands for one file: it ends like a manifest's, and is not that of a folder."""
    return out.suffix.lower() in (".yaml", ".yml") and not out.is_dir()


def judged(app: App, source: Imported, taken: Mapping[ResourceId, Source]) -> Entry:
    """The entry with its manifest as text, which must load by itself; else with the reason why not."""
    from reconciler.load.write import dump_manifests
    from reconciler.model.errors import LoadError

    if source.manifest is None:
        return Entry(source, "", None, source.why or "it cannot be a manifest")
    text = dump_manifests([_described(source.manifest)])
    resources, problems = read_text(source.where, text.encode("utf-8", "surrogateescape"), app.registry.kinds)
    if not problems:
        try:
            app.check(resources)
        except LoadError as error:
            problems = list(error.problems)
    if not problems:
        (resource,) = resources
        if resource.id not in taken:
            return Entry(source, text, resource)
        return Entry(source, "", None, f"{resource.id} is described already, in {taken[resource.id]}")
    return Entry(source, "", None, "; ".join(problem.message for problem in problems))


def _described(manifest: Mapping[str, Json]) -> dict[str, Json]:
    """The fields in the order in which people write them."""
    order = ("apiVersion", "kind", "metadata", "spec")
    return {name: manifest[name] for name in order if name in manifest}


def _document(header: str, entries: Sequence[Entry]) -> str:
    """Every entry in its order: manifests as documents, the others as comments."""
    parts: list[str] = []
    comments = header
    for entry in entries:
        comments += _comment(entry)
        if entry.resource is not None:
            parts.append(comments + entry.text)
            comments = ""
    return "---\n".join(parts) + comments


def _comment(entry: Entry) -> str:
    """Where it came from and what to look at. Secrets stay out of comments as they stay out of plans."""
    from reconciler.cli.render.characters import visible
    from reconciler.model.mask import Mask

    mask = Mask("import")
    if entry.resource is not None:
        notes = [*entry.source.notes, *([_WARNING] if mask.text(entry.text) != entry.text else [])]
        lines = [f"From {entry.source.where}.", *(f"Look at this: {note}." for note in notes)]
    else:
        lines = [f"Not carried over: {entry.source.where}: {entry.why}.", f"  {entry.source.text}"]
    return "".join(f"# {visible(mask.text(line))}\n" for line in lines)


def _files(out: Path, header: str, entries: Sequence[Entry]) -> dict[Path, str]:
    """What to write: one file with all of them, or a folder with a file for each."""
    if _is_file(out):
        return {out: _document(header, entries)}
    return {
        out / f"{entry.resource.id.name}.yaml": header + _comment(entry) + entry.text
        for entry in entries
        if entry.resource is not None
    }


def _warn_of_left(left: Sequence[Entry]) -> None:
    from reconciler.cli.render.characters import several

    if left:
        sys.stderr.write(f"{several(len(left), 'entry', 'entries')} cannot be carried over:\n")
    for entry in left:
        sys.stderr.write("".join("  " + line[2:] for line in _comment(entry).splitlines(keepends=True)))


def _count(good: Sequence[Entry]) -> str:
    from reconciler.cli.render.characters import several

    return several(len(good), "manifest")


def _next(good: Sequence[Entry], out: Path | None, again: str, *, file: bool) -> str:
    """What to do now; `again` are the arguments that gave these entries."""
    first = next(entry.resource.id for entry in good if entry.resource is not None)
    save = (
        f"Save them with `reconcile import {again} --out {DEFAULT_PATH}`, or where you like.\n" if out is None else ""
    )
    tree = DEFAULT_PATH if out is None else out
    if file:
        down = f"docker compose -f {again} down"
        return (
            f"{save}Read them. If compose runs it now: {down} (it keeps the volumes). Then: reconcile plan {tree}\n"
        )
    return f"{save}Read them, rename what you like, then take over each one: reconcile adopt {first} {tree}\n"
