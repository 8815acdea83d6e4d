"""Draws docs/plan.svg: the real output of `reconcile plan` after one edit, one removal and one act of tampering.

Usage: .venv/bin/python docs/picture.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
COLUMNS = 118


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        text = plan_after_changes(Path(name))
    console = Console(record=True, width=COLUMNS, file=StringIO())
    shown = Text.from_ansi("$ reconcile plan desired\n" + text)
    shown.highlight_regex(r"\S[^\n]*", "not blink")  # a segment of its own, so that indentation is placed, not typed
    console.print(shown)
    console.save_svg(str(ROOT / "docs" / "plan.svg"), title="reconcile plan")


def plan_after_changes(folder: Path) -> str:
    """Apply the example to a scratch crontab, change things, and plan again."""
    shutil.copytree(ROOT / "examples" / "atlas" / "desired", folder / "desired")
    (folder / "bin").mkdir()
    (folder / "bin" / "crontab").symlink_to(ROOT / "script" / "scratch-crontab")
    (folder / "reconciler.yaml").write_text("host: {name: atlas}\n")
    environ = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SCRATCH_CRONTAB": str(folder / "crontab"),
        "RECONCILER_STATE_DIR": str(folder / "state"),
        "RECONCILER_CACHE_DIR": str(folder / "cache"),
        "HOME": str(folder),
        "FORCE_COLOR": "1",
        "TZ": "Europe/Berlin",
    }
    shutil.copytree(ROOT / "examples" / "atlas", folder / "atlas")

    def reconcile(*arguments: str) -> str:
        done = subprocess.run(
            ["reconcile", *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        return done.stdout

    reconcile("apply", "desired", "--yes", "--accept=missed-run")
    table = folder / "crontab"
    table.write_text(table.read_text().replace("*/5 * * * *", "*/2 * * * *"))
    briefing = folder / "desired" / "briefing.yaml"
    briefing.write_text(briefing.read_text().replace("0 6 * * *", "30 6 * * 1-5", 1))
    system = folder / "desired" / "system.yaml"
    system.write_text("---".join(part for part in system.read_text().split("---") if "log-rotation" not in part))
    return reconcile("plan", "desired", "--accept=missed-run")


if __name__ == "__main__":
    main()
