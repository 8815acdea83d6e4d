"""What the tools of the vault share: its folders, its log of 5 MB with three old copies, files replaced whole.

The vault is the folder above this one. Runs on any Python 3.9 or newer, standard library only.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("Inbox", "Needs_Action", "Plans", "Done")
LOG = ROOT / "Logs" / "ai_employee.log"
LOG_BYTES = 5 * 1024 * 1024
LOG_COPIES = 3


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


def say(who: str, text: str, level: str = "INFO") -> None:
    """A line in the log and on standard output, which the record of the run keeps.

    Its time has an offset, so that it means one instant. A log that cannot be written must not stop the work.
    """
    line = f"{datetime.now().astimezone().isoformat(' ', 'seconds')} - {level} - {who}: {text}"
    print(line, flush=True)
    for what in (_rotate, lambda: _append(line)):
        try:
            what()
        except OSError as error:
            print(f"cannot keep the log: {error}", file=sys.stderr)


def _append(line: str) -> None:
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _rotate() -> None:
    """Where it is full, LOG becomes LOG.1, that becomes LOG.2; what was the last copy is gone."""
    if not LOG.exists() or LOG.stat().st_size < LOG_BYTES:
        return
    for number in range(LOG_COPIES - 1, 0, -1):
        older = LOG.with_name(f"{LOG.name}.{number}")
        if older.exists():
            older.replace(LOG.with_name(f"{LOG.name}.{number + 1}"))
    LOG.replace(LOG.with_name(f"{LOG.name}.1"))


def write(path: Path, text: str) -> None:
    """Replace a file in one step: whoever reads it, or kills us, finds the old or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8", errors="replace")
    new.replace(path)


def readable(name: str) -> str:
    """A file name for people: without line breaks, and printable whatever its bytes are."""
    return "".join(c if c.isprintable() else "?" for c in name.encode(errors="replace").decode())
