"""A program in a terminal of its own: a pseudo-terminal, and a screen that shows what the program drew."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

_TOKEN = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b|\r|\n|[^\x1b\r\n]+")


class Screen:
    """Rows of text as a terminal of one width would show them; only what this program's output uses is known."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows = [""]
        self.row = self.column = 0

    def feed(self, text: str) -> None:
        for token in _TOKEN.finditer(text):
            count, command = token.groups()
            if command == "A":
                self.row = max(0, self.row - int(count or 1))
            elif command == "J":
                self.rows = [*self.rows[: self.row], self.rows[self.row][: self.column]]
            elif command == "m":
                continue
            elif command is not None or token[0] == "\x1b":
                raise AssertionError(f"an unknown sequence: {token[0]!r}")
            elif token[0] == "\r":
                self.column = 0
            elif token[0] == "\n":
                self._down()
            else:
                self._print(token[0])

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append("")

    def _print(self, text: str) -> None:
        for char in text:
            if self.column == self.width:
                self.column = 0
                self._down()
            line = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = line[: self.column] + char + line[self.column + 1 :]
            self.column += 1

    @property
    def text(self) -> str:
        return "\n".join(self.rows)


class Terminal:
    """One program whose standard error (and input) is a terminal."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], *, width: int = 80, height: int = 24
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(width, height)
        self.before: list[Any] = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.process = subprocess.Popen(
            list(argv),
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        self.drawn = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        os.close(self._ours)
        os.close(self._theirs)

    def resize(self, width: int, height: int) -> None:
        """As a window would: the kernel sends SIGWINCH."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def read(self, seconds: float) -> None:
        """Take what is drawn within this time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and select.select([self._ours], [], [], left)[0]:
            self.drawn += os.read(self._ours, 65536)

    def until(self, condition: Callable[[str], bool], seconds: float = 20.0) -> str:
        """Everything drawn so far, once the condition holds for it."""
        deadline = time.monotonic() + seconds
        while not condition(self.text):
            assert time.monotonic() < deadline, self.text
            self.read(0.05)
        return self.text

    def end(self, seconds: float = 20.0) -> int:
        """Wait for the end of the program; its exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            self.read(0.05)
        self.read(0.2)
        assert termios.tcgetattr(self._theirs) == self.before
        return self.process.returncode

    @property
    def text(self) -> str:
        return self.drawn.decode()

    def screen(self, width: int = 80) -> str:
        screen = Screen(width)
        screen.feed(self.text)
        return screen.text
