"""A user's working directory for tests of commands, with folders of its own and a stand-in for `crontab` on PATH."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli.main import run

# Keeps each user's table in a file of $TABLES, and writes down how it was called. A file `refuse` there is its error.
CRONTAB = """\
#!/bin/sh
echo "$@" >> "$TABLES/calls"
[ -f "$TABLES/refuse" ] && { cat "$TABLES/refuse" >&2; exit 1; }
user=$(id -un)
while [ $# -gt 0 ]; do
    case $1 in
        -u) user=$2; shift ;;
        -l) [ -f "$TABLES/$user" ] || { echo "no crontab for $user" >&2; exit 1; }; cat "$TABLES/$user"; exit ;;
        -r) rm -f "$TABLES/$user"; exit ;;
        -) cat > "$TABLES/$user"; exit ;;
        *) echo "usage: crontab [-u user] -l | -r | -" >&2; exit 1 ;;
    esac
    shift
done
exit 1
"""

MANIFEST = """\
apiVersion: reconciler/v1
kind: Automation
metadata:
  name: {name}
spec:
  schedule: "0 6 * * *"
  command: [echo, {name}]
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


class Workplace:
    """The folder that commands run in, with shortcuts for what tests do there."""

    def __init__(
        self, folder: Path, tables: Path, state: Path, cache: Path, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.tables, self.state, self.cache = folder, tables, state, cache
        self._capture = capture

    def run(self, *arguments: str) -> Ran:
        self._capture.readouterr()
        code = run(list(arguments))
        captured = self._capture.readouterr()
        return Ran(code, captured.out, captured.err)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def manifest(self, name: str) -> Path:
        """A valid manifest in desired/."""
        return self.write(f"desired/{name}.yaml", MANIFEST.format(name=name))

    def crontab(self, content: str | bytes) -> None:
        """The user's own table."""
        data = content.encode() if isinstance(content, str) else content
        (self.tables / own_name()).write_bytes(data)

    def files(self) -> dict[str, bytes]:
        """Every file of the working directory, the state, the cache and the tables, but for the log of calls."""
        folders = (self.folder, self.state, self.cache, self.tables)
        found = {str(path): path for folder in folders for path in folder.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items() if path != self.tables / "calls"}


def own_name() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
