"""A Mac in memory: a FakeHost with the stand-in for launchctl and the few programs that the launchd provider asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Completed
from reconciler.model.state import HostFacts
from reconciler.testing.launchctl import Launchctl

HOME = "/Users/tester"
AGENTS, DAEMONS = f"{HOME}/Library/LaunchAgents", "/Library/LaunchDaemons"
FACTS = HostFacts(name="mac", platform="darwin", user="tester", timezone="Europe/Berlin")


class MacHost(FakeHost):
    """`owner_ids` maps a path to its owner where that is not whoever runs this; `folders` are those made so far."""

    def __init__(self, *, uid: int = 501, newer: bool = True, drain: float = 0.0) -> None:
        super().__init__(facts=FACTS)
        self.uid = uid
        self.home = HOME if uid else "/var/root"
        self.owner_ids: dict[str, int] = {}
        self.folders: set[str] = {DAEMONS}
        self.launchctl = Launchctl(_Memory(self), self.time.monotonic, uid=uid, newer=newer, drain=drain)
        programs: dict[str, Callable[[Sequence[str], bytes], Completed]] = {
            "launchctl": self.launchctl,
            "id": lambda _argv, _stdin: _said(f"{self.uid}\n"),
            "printenv": lambda _argv, _stdin: _said(f"{self.home}\n"),
            "ls": self._ls,
            "mkdir": self._mkdir,
        }
        self.programs |= programs

    def put(self, path: str, content: bytes, *, mode: int = 0o644, uid: int | None = None) -> None:
        """A file that somebody puts there."""
        self.files[path] = content
        self.modes[path] = mode
        self.owner_ids.pop(path, None)
        if uid is not None:
            self.owner_ids[path] = uid

    def _ls(self, argv: Sequence[str], _stdin: bytes) -> Completed:
        folder = argv[-1]
        inside = sorted(path for path in self.files if str(PurePosixPath(path).parent) == folder)
        if not inside and folder not in self.folders:
            return Completed(1, b"", f"ls: {folder}: No such file or directory\n".encode())
        if folder in self.denied:
            return Completed(1, b"", f"ls: {folder}: Permission denied\n".encode())
        lines = [
            f"{_letters(self.modes.get(path, 0o644))}@ 1 {self.owner_ids.get(path, self.uid)}  20  "
            f"{len(self.files[path])} Jan 15 12:00 {PurePosixPath(path).name}\n"
            for path in inside
        ]
        return _said("".join([f"total {len(lines)}\n", *lines]))

    def _mkdir(self, argv: Sequence[str], _stdin: bytes) -> Completed:
        if argv[-1] in self.denied:
            return Completed(1, b"", f"mkdir: {argv[-1]}: Permission denied\n".encode())
        self.folders.add(argv[-1])
        return _said("")


class _Memory:
    """The files of a FakeHost, as launchd sees them: not through host calls."""

    def __init__(self, host: MacHost) -> None:
        self._host = host

    def read(self, path: str) -> bytes | None:
        return self._host.files.get(path)

    def owner(self, path: str) -> int:
        return self._host.owner_ids.get(path, self._host.uid)

    def mode(self, path: str) -> int:
        return self._host.modes.get(path, 0o644)


def _letters(mode: int) -> str:
    return "-" + "".join(letter if mode & (1 << (8 - place)) else "-" for place, letter in enumerate("rwxrwxrwx"))


def _said(text: str) -> Completed:
    return Completed(0, text.encode("utf-8", "surrogateescape"), b"")
