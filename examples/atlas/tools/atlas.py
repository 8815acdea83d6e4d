"""What every Atlas tool shares: where things are, logs that cannot fill the disk, alerts, what reconciler knows.

Runs on any Python 3.9 or newer, because a scheduler finds whichever `python3` stands first on its PATH. Whether a run
went well, when, and how long it took is not kept here: `reconcile runs` knows.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOG_BYTES = 10 * 1024 * 1024
LOG_COPIES = 5
LAUNCHERS = ("~/.local/share/reconciler/bin", "/usr/local/lib/reconciler/bin")


def folder(name: str) -> Path:
    """A folder of this installation (`logs`, `data`, `alerts`...), made when it is missing."""
    path = ROOT / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def now() -> datetime:
    """The local time with its offset, so that it means one instant: people read these files."""
    return datetime.now().astimezone()


def log(name: str) -> logging.Logger:
    """The log `logs/NAME.log`, rotated at 10 MB with five old copies."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        handler = RotatingFileHandler(folder("logs") / f"{name}.log", maxBytes=LOG_BYTES, backupCount=LOG_COPIES)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S%z"))
        logger.addHandler(handler)
        logger.setLevel(os.environ.get("LOG_LEVEL", "info").upper())
    return logger


def alert(name: str, text: str) -> None:
    """Tell a person: a line on standard error, and in `alerts/NAME.txt`, which `heartbeat/telegram.py` sends."""
    line = f"{now().isoformat(' ', 'minutes')} {text}"
    print(line, file=sys.stderr)
    with (folder("alerts") / f"{name}.txt").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def tell_once(name: str, trouble: str) -> None:
    """An alert when there is trouble, another kind of trouble, or none any more; silence while nothing changes."""
    path = folder("state") / f"{name}.txt"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if trouble != before:
        alert(name, f"{name}: {trouble or 'all is well again'}")
        write(path, trouble)


def write(path: Path, text: str) -> None:
    """Replace a file in one step, so that nobody ever reads half of it."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def run(name: str, work: Callable[[logging.Logger], None]) -> None:
    """Do the work of an automation; an error stands in its log and on standard error, and the exit status is 1."""
    logger = log(name)
    try:
        work(logger)
    except Exception:
        logger.exception("%s stopped", name)
        raise


def reconcile(*arguments: str) -> str:
    """What `reconcile` answers. Schedulers do not have it on their PATH, so its launcher is looked for as well."""
    folders = [os.environ.get("RECONCILER_BIN_DIR"), *(str(Path(each).expanduser()) for each in LAUNCHERS)]
    program = shutil.which("reconcile", path=os.pathsep.join(filter(None, folders))) or "reconcile"
    done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"reconcile {arguments[0]} ended with exit status {done.returncode}: {done.stderr.strip()}"
        )
    return done.stdout


def known(*arguments: str) -> dict[str, list[dict[str, object]]]:
    """The same, for commands that answer in JSON."""
    found: dict[str, list[dict[str, object]]] = json.loads(reconcile(*arguments, "-o", "json"))
    return found


def checking() -> bool:
    """Whether the caller only asks if this tool can start (`--check`)."""
    return "--check" in sys.argv[1:]
