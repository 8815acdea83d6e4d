"""What the tools of the vault share: its folders, its log of 5 MB with three old copies, files replaced whole.

The vault is the folder above this one. Runs on any Python 3.9 or newer, standard library only.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("Inbox", "Needs_Action", "Plans", "Done")
LOG_BYTES = 5 * 1024 * 1024
LOG_COPIES = 3


class _Lines(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Local time with its offset, so that a line means one instant."""
        return datetime.fromtimestamp(record.created).astimezone().isoformat(" ", "seconds")


class _Log(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A log that cannot be written or rotated must not stop the work: the line still stands in the run's output."""
        print(f"cannot write {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)


def folder(name: str) -> Path:
    path = ROOT / name
    path.mkdir(exist_ok=True)
    return path


def files(name: str) -> list[str]:
    """The files of a folder of the vault, hidden ones left out; none where there is no such folder."""
    try:
        with os.scandir(ROOT / name) as entries:
            return sorted(e.name for e in entries if e.is_file() and not e.name.startswith("."))
    except FileNotFoundError:
        return []


def log(name: str) -> logging.Logger:
    """To `Logs/ai_employee.log` and to standard output, which the run's record keeps."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    try:
        handlers.append(
            _Log(folder("Logs") / "ai_employee.log", "a", LOG_BYTES, LOG_COPIES, "utf-8", False, "replace")
        )
    except OSError as error:
        print(f"cannot open the log: {error}", file=sys.stderr)
    for handler in handlers:
        handler.setFormatter(_Lines("%(asctime)s - %(levelname)s - %(name)s: %(message)s"))
        logger.addHandler(handler)
    return logger


def write(path: Path, text: str) -> None:
    """Replace a file in one step: whoever reads it, or kills us, finds the old or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8", errors="replace")
    new.replace(path)


def readable(name: str) -> str:
    """A file name for people: without line breaks, and printable whatever its bytes are."""
    return "".join(c if c.isprintable() else "?" for c in name.encode(errors="replace").decode())
