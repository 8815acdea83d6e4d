"""`reconcile schema`: JSON Schema of the manifests, for editors."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from reconciler.cli.session import DEFAULT_PATH, application, write_output


@click.command
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
def command(out: Path | None) -> int:
    """Print the JSON Schema of manifests, those of plugins included.

    An editor with the YAML language server checks a manifest that starts with this line:

    \b
      # yaml-language-server: $schema=manifests.schema.json
    """
    from reconciler.kinds.schema import json_schema

    kinds = application(Path(DEFAULT_PATH)).registry.kinds
    schema = json_schema({name: kinds.spec_model(name) for name in kinds.targets})
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        write_output(out, text)
        sys.stderr.write(f"Wrote {out}. First line of a manifest: # yaml-language-server: $schema={out}\n")
    return 0
