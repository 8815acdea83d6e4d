"""The run file: one line at the start, one per attempt, one at the end; and the folders of the runs.

Nothing here may fail towards the job: trouble is said, and lines that could not be written are tried again later.
"""

from __future__ import annotations

import os

from reconciler.runner.text import dumps, why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    Say: TypeAlias = Callable[[str], None]

_MOST = 10_000  # runs of one automation in one minute


class Record:
    """One run's file in the spool. Lines go to the kernel with one write each, so that our death loses none."""

    def __init__(self, state: str, name: str, say: Say) -> None:
        self.state, self.name, self.id = state, name, ""
        self._say = say
        self._descriptor = -1
        self._waiting: list[bytes] = []
        self._size = 0

    def claim(self, stem: str, *, once: bool) -> bool:
        """Take the id, or the next free one; false where it may be taken once only and has been."""
        self.id = stem
        if not self.name:
            return True
        folder = f"{self.state}/runs/spool/{self.name}"
        number = 1
        while number <= _MOST:
            self.id = stem if number == 1 else f"{stem}.{number}"
            try:
                flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
                self._descriptor = os.open(f"{folder}/{self.id}.run", flags, 0o600)
            except FileExistsError:
                if once:
                    return False
                number += 1
            except FileNotFoundError:
                if not made(folder, self._say):
                    return True
            except OSError as error:
                self._say(f"the run is not recorded: cannot write to {folder}: {why(error)}")
                return True
            else:
                return True
        self._say(f"the run is not recorded: {_MOST} runs of one minute are in {folder}")
        return True

    def tell(self, descriptor: int) -> None:
        """Hand the id to whoever called us, and let go of the way there: the job has no business with it."""
        try:
            if self.kept:
                os.write(descriptor, self.id.encode())
            os.close(descriptor)
        except OSError as error:
            self._say(f"cannot tell the id of the run: {why(error)}")

    @property
    def kept(self) -> bool:
        """Whether there is a file that readers can find."""
        return self._descriptor >= 0

    def add(self, line: Mapping[str, Any]) -> None:
        self._waiting.append(dumps(line).encode() + b"\n")
        self._write()

    def end(self, line: dict[str, Any], make_room: Callable[[], None]) -> None:
        """The last line. On a full disk it gives up the tail, and then the log, rather than the verdict."""
        self.add(line)
        if not self._waiting or not self.kept:
            return
        short = "the tail of the output is lost: the disk is full"
        line |= {"tail": "", "reason": f"{line['reason']}; {short}" if line["reason"] else short}
        self._waiting[-1] = dumps(line).encode() + b"\n"
        if self._write():
            return
        make_room()
        self._waiting[-1] = dumps({**line, "log": ""}).encode() + b"\n"
        if not self._write():
            self._say(f"cannot write the end of run {self.name}/{self.id}: the disk is full")

    def _write(self) -> bool:
        """Write what waits, whole lines only."""
        while self._waiting and self.kept:
            line = self._waiting[0]
            try:
                written = os.write(self._descriptor, line)
                if written != len(line):
                    os.ftruncate(self._descriptor, self._size)
                    return False
            except OSError:
                return False
            self._size += written
            del self._waiting[0]
        return not self._waiting


def made(folder: str, say: Say) -> bool:
    """Whether the folder is there now. Private: command lines and outputs are nobody else's business."""
    missing = []
    path = folder
    while not os.path.isdir(path) and path not in ("", "/"):
        missing.append(path)
        path = os.path.dirname(path)
    for each in reversed(missing):
        try:
            os.mkdir(each, 0o700)
        except FileExistsError:  # by another run at the same time, or a file: the caller's next attempt tells
            if not os.path.isdir(each):
                say(f"cannot keep records: {each} is no folder")
                return False
        except OSError as error:
            say(f"cannot keep records: cannot make the folder {each}: {why(error)}")
            return False
    return True
