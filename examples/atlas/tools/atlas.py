"""What every Atlas tool shares: where things are, logs that cannot fill the disk, alerts, the record of a run.

Runs on any Python 3.9 or newer, because cron finds whichever `python3` stands first on its PATH.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOG_BYTES = 10 * 1024 * 1024
LOG_COPIES = 5


def folder(name: str) -> Path:
    """A folder of this installation (`logs`, `data`, `alerts`...), made when it is missing."""
    path = ROOT / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def now() -> datetime:
    """The local time, with its zone: people read these files."""
    return datetime.now().astimezone()


def log(name: str) -> logging.Logger:
    """The log `logs/NAME.log`, rotated at 10 MB with five old copies."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        handler = RotatingFileHandler(folder("logs") / f"{name}.log", maxBytes=LOG_BYTES, backupCount=LOG_COPIES)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)
        logger.setLevel(os.environ.get("LOG_LEVEL", "info").upper())
    return logger


def alert(name: str, text: str) -> None:
    """Tell a person: a line on standard output, which cron mails, and a line in `alerts/NAME.txt`."""
    line = f"{now():%Y-%m-%d %H:%M} {text}"
    print(line)
    with (folder("alerts") / f"{name}.txt").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def write(path: Path, text: str) -> None:
    """Replace a file in one step, so that nobody ever reads half of it."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def run(name: str, work: Callable[[logging.Logger], None]) -> None:
    """Do the work of an automation and record how it ended in `state/NAME.json`, for the health monitor."""
    logger = log(name)
    status = "failed"
    try:
        work(logger)
        status = "ok"
    except Exception:
        logger.exception("%s stopped", name)
        raise
    finally:
        record = {"last_run": f"{now():%Y-%m-%d %H:%M}", "status": status}
        write(folder("state") / f"{name}.json", json.dumps(record) + "\n")


def checking() -> bool:
    """Whether the caller only asks if this tool can start (`--check`)."""
    return "--check" in sys.argv[1:]
