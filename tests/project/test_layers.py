"""The import contracts of pyproject.toml hold, and each of them can fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

# Contract name -> the file that gets a bad import, and the import.
OFFENCES = {
    "Imports go to lower layers only, and nothing imports providers or testing": (
        "engine/reconcile.py",
        "import reconciler.providers",
    ),
    "Engine stages do not import each other; only reconcile, rollout and undoing do": (
        "engine/diff.py",
        "from reconciler.engine import planner",
    ),
    "Providers import model, kinds, provider and host only": (
        "providers/crontab/provider.py",
        "from reconciler import engine",
    ),
    "The model does no I/O and reads no clock and no environment": ("model/plan.py", "import os"),
    "The runner imports itself and the standard library, and of that nothing slow": (
        "runner/run.py",
        "import psutil",
    ),
    "The supervisor stays small: itself, the runner, the model and the standard library": (
        "supervisor/loop.py",
        "import threading",
    ),
    "Only the runner and the supervisor start programs that live on": (
        "cli/main.py",
        "from reconciler.runner import start",
    ),
    "Only the journal imports SQLite": ("engine/reconcile.py", "import sqlite3"),
    "Only the local host starts processes": ("health/check.py", "import subprocess"),
    "No other door to processes": ("engine/executor.py", "import multiprocessing"),
    "Only load reads and writes YAML": ("cli/main.py", "import ruamel.yaml"),
    "The optional fast YAML reader is loaded by name, in load.parse": ("load/cache.py", "import ryaml"),
    "Only the http probe imports httpx": ("health/tcp.py", "import httpx"),
    "pydantic stands only where outside data enters": ("model/resource.py", "import pydantic"),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "reconciler", tmp_path / "reconciler", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True
    )


def verdicts(output: str) -> dict[str, str]:
    lines = (line.rpartition(" ") for line in output.splitlines())
    return {name: verdict for name, _, verdict in lines if verdict in ("KEPT", "BROKEN")}


def test_every_contract_is_proven_able_to_fail() -> None:
    assert {contract["name"] for contract in CONTRACTS} == OFFENCES.keys()


def test_the_contracts_hold(copy: Path) -> None:
    done = lint(copy)
    assert verdicts(done.stdout) == dict.fromkeys(OFFENCES, "KEPT"), done.stdout
    assert done.returncode == 0


def test_each_bad_import_breaks_its_contract(copy: Path) -> None:
    # All offences at once: one analysis takes a second.
    for file, line in OFFENCES.values():
        path = copy / "reconciler" / file
        path.write_text(f"{path.read_text()}\n{line}\n")
    done = lint(copy)
    assert verdicts(done.stdout) == dict.fromkeys(OFFENCES, "BROKEN"), done.stdout
    assert done.returncode != 0
    for file, line in OFFENCES.values():
        assert f"reconciler.{file.removesuffix('.py').replace('/', '.')} -> " in done.stdout, line


def test_a_new_package_must_be_given_a_layer(copy: Path) -> None:
    (copy / "reconciler" / "stray.py").write_text('"""A room that nobody placed."""\n')
    done = lint(copy)
    assert done.returncode != 0
    assert "stray" in done.stdout


# Where a module is imported by its name in a text, out of the contracts' sight; each for a reason.
DYNAMIC = {
    "cli/main.py": "the command table",
    "health/check.py": "the probe that a manifest names, imported when it is first asked",
    "kinds/catalogue.py": "the model of a kind, imported when a manifest is validated",
    "load/parse.py": "the optional fast reader",
    "model/codec.py": "the annotations of a model class, from its own module",
    "registry.py": "entry points",
}


def test_imports_by_name_stand_only_where_they_must() -> None:
    package = ROOT / "reconciler"
    texts = {str(path.relative_to(package)): path.read_text() for path in package.rglob("*.py")}
    found = {name for name, text in texts.items() if re.search(r"\b(?:import_module|__import__)\(", text)}
    assert found - DYNAMIC.keys() == set()
