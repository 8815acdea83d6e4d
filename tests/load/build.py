"""Trees of manifests and a host that only answers git, for the tests of loading."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from reconciler.host.protocol import Clock, Completed
from reconciler.kinds.catalogue import BUILT_IN, KindCatalogue
from reconciler.load.desired import load
from reconciler.model.errors import HostError, LoadError, Problem
from reconciler.model.resource import Desired
from reconciler.model.state import HostFacts

KINDS = KindCatalogue(BUILT_IN)


class GitHost:
    """A host that runs queries and records them; with `broken`, every program is missing. Everything else refuses."""

    clock: Clock

    def __init__(self, *, broken: bool = False) -> None:
        self.asked: list[list[str]] = []
        self.broken = broken

    def query(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        self.asked.append(list(argv))
        if self.broken:
            raise HostError(f"cannot start {argv[0]}: no such program")
        environment = {
            **os.environ,
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }
        ended = subprocess.run(list(argv), input=stdin, capture_output=True, timeout=timeout, env=environment)
        return Completed(ended.returncode, ended.stdout, ended.stderr)

    def refuse(self) -> HostError:
        return HostError("loading must not do this")

    def facts(self) -> HostFacts:
        raise self.refuse()

    def which(self, program: str) -> str | None:
        raise self.refuse()

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        raise self.refuse()

    def probe_command(
        self, argv: Sequence[str], *, timeout: float, directory: str | None, environment: Mapping[str, str]
    ) -> Completed:
        raise self.refuse()

    def read(self, path: Path, *, limit: int = 0) -> bytes | None:
        raise self.refuse()

    def write(self, path: Path, content: bytes, *, mode: int = 0o600) -> None:
        raise self.refuse()

    def remove(self, path: Path) -> None:
        raise self.refuse()

    def processes(self, names: frozenset[str]) -> tuple[int, ...]:
        raise self.refuse()

    def modified(self, path: Path) -> datetime | None:
        raise self.refuse()

    def connect(self, address: str, port: int, *, timeout: float) -> None:
        raise self.refuse()


def manifest(name: str, *, schedule: str = '"0 6 * * *"', extra: str = "") -> str:
    return (
        "apiVersion: reconciler/v1\nkind: Automation\n"
        f"metadata: {{name: {name}}}\nspec:\n  schedule: {schedule}\n  command: [backup, {name}]\n{extra}"
    )


def put(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def age(folder: Path, seconds: int = 3600) -> None:
    """Make every file look old, and the cache's own notion of now recent, so that stamps may be trusted."""
    for file in folder.rglob("*"):
        if file.is_file():
            status = file.stat()
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns - seconds * 10**9))


def load_tree(path: Path, cache_dir: Path | None = None, *, host: GitHost | None = None) -> Desired:
    return load(path, kinds=KINDS, host=host or GitHost(broken=True), cache_dir=cache_dir)


def problems(path: Path, cache_dir: Path | None = None) -> tuple[Problem, ...]:
    try:
        load_tree(path, cache_dir)
    except LoadError as error:
        return error.problems
    return ()
