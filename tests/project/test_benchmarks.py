"""The benchmarks still measure the product as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_group_is_measured_to_the_end() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "startup", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[2:4] for line in done.stdout.splitlines() if line.startswith("| startup")]
    assert ["plan of 10", "reconcile"] in [[cell.strip() for cell in row] for row in rows], done.stdout
