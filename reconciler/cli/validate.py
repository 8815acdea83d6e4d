"""`reconcile validate`: every problem of the manifests, without looking at the host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import application, output_option, path_argument, print_json

if TYPE_CHECKING:
    from reconciler.kinds.catalogue import KindCatalogue
    from reconciler.model.errors import Problem
    from reconciler.model.resource import Resource


@click.command
@path_argument
@output_option("text", "json", "github")
def command(path: Path, output: str) -> int:
    """Check the manifests in PATH and report every problem with its place. Looks at nothing but the files.

    \b
    Exit code: 0 when all are valid, else 1.
    """
    app = application(path)
    resources = app.load().resources
    app.check(resources)
    if output == "json":
        print_json({"valid": True, "manifests": len(resources), "files": _files(resources), "problems": []})
    else:
        sys.stdout.write(_verdict(path, resources))
    return 0


def _files(resources: tuple[Resource, ...]) -> int:
    return len({resource.source.file for resource in resources})


def _verdict(path: Path, resources: tuple[Resource, ...]) -> str:
    from reconciler.cli.render.characters import several

    if not resources:
        return f"There are no manifests in {path}.\n"
    verb = "is" if len(resources) == 1 else "are"
    return f"{several(len(resources), 'manifest')} in {several(_files(resources), 'file')} {verb} valid\n"


def read_text(file: str, content: bytes, kinds: KindCatalogue) -> tuple[list[Resource], list[Problem]]:
    """What one file of manifests holds and everything wrong with it, each document judged by itself."""
    from reconciler.load.parse import read_reference
    from reconciler.load.text import decode
    from reconciler.load.validate import resource_or_problems

    source, unreadable = decode(file, content)
    if unreadable is not None:
        return [], [unreadable]
    nodes, problems = read_reference(source)
    resources: list[Resource] = []
    for node in nodes:
        found = resource_or_problems(node, source, kinds)
        if isinstance(found, list):
            problems += found
        else:
            resources.append(found)
    return resources, problems
