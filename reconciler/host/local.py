"""This machine: files, programs and sockets for real, each call bounded in time and size.

The only place of the engine that starts processes. Never a shell, never an unbounded wait.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from reconciler.host import system
from reconciler.host.limits import OUTPUT_LIMIT, TooLong
from reconciler.host.protocol import Clock, Completed, FileStatus, Listener, Response
from reconciler.model.errors import HostError
from reconciler.model.state import HostFacts


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class LocalHost:
    """The machine that this process runs on, as the user that it runs as."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        name: str = "",
        labels: tuple[str, ...] = (),
        runner: str = "",
        state: str = "",
        shared: bool = False,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self._name = name  # what the settings call this machine
        self._told = {"labels": labels, "runner": runner, "state": state, "shared": shared}
        self._tidied: set[Path] = set()  # folders that hold nothing of writers that died

    def facts(self) -> HostFacts:
        facts = system.host_facts()
        return replace(facts, name=self._name or facts.name, **self._told)  # type: ignore[arg-type]

    def which(self, program: str) -> str | None:
        if "/" in program:
            return str(Path(program).absolute()) if _executable(Path(program)) else None
        for folder in os.get_exec_path():
            if folder and _executable(Path(folder, program)):
                return str(Path(folder, program).absolute())
        return None

    def query(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        return self.execute(argv, timeout=timeout, stdin=stdin)

    def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        from reconciler.host.process import run

        return run(argv, timeout=timeout, stdin=stdin, environment={**os.environ, "LC_ALL": "C"})

    def probe_command(
        self, argv: Sequence[str], *, timeout: float, directory: str | None, environment: Mapping[str, str]
    ) -> Completed:
        from reconciler.host.process import run_for_tail

        folder = None if directory is None else _expanded(directory)
        return run_for_tail(argv, timeout=timeout, directory=folder, environment={**os.environ, **environment})

    def read(self, path: Path, *, limit: int = OUTPUT_LIMIT) -> bytes | None:
        try:
            with _trouble("read", path):
                # O_NONBLOCK: opening a named pipe must not wait for its writer.
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except _Absent:
            return None
        try:
            with _trouble("read", path):
                return _content(file, path, limit)
        finally:
            os.close(file)

    def write(
        self, path: Path, content: bytes, *, mode: int = 0o600, owner: str | None = None, group: str | None = None
    ) -> None:
        temporary = path.with_name(f".reconciler-{os.getpid()}-{os.urandom(4).hex()}.tmp")
        with _trouble("write", path, absent=False):
            if path.parent not in self._tidied:
                self._tidied.add(path.parent)
                _remove_abandoned(path.parent)
            try:
                _write_synced(temporary, content, mode, _ids(owner, group))
                temporary.rename(path)
            except BaseException:
                with suppress(OSError):
                    temporary.unlink()
                raise
            _sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        with suppress(_Absent), _trouble("remove", path):
            path.unlink()
            _sync_folder(path.parent)

    def processes(self, names: frozenset[str]) -> tuple[int, ...]:
        return system.running(names)

    def modified(self, path: Path) -> datetime | None:
        with suppress(_Absent), _trouble("look at", path):
            return datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return None

    def connect(self, address: str, port: int, *, timeout: float) -> None:
        from reconciler.host.network import connect

        connect(address, port, timeout=timeout)

    def request(
        self,
        socket: Path,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = {},
        timeout: float,
        limit: int = OUTPUT_LIMIT,
        each: Callable[[bytes], None] | None = None,
    ) -> Response:
        from reconciler.host.unix_http import request

        return request(socket, method, target, body=body, headers=headers, timeout=timeout, limit=limit, each=each)

    def status(self, path: Path) -> FileStatus | None:
        with suppress(_Absent), _trouble("look at", path):
            return system.file_status(path)
        return None

    def listeners(self) -> tuple[Listener, ...]:
        from reconciler.host.sockets import listeners

        return listeners()

    def can_bind(self, address: str, port: int, protocol: str) -> str | None:
        from reconciler.host.sockets import can_bind

        return can_bind(address, port, protocol)

    def report(self, text: str) -> None:
        """Nobody listens here: who applies a step wraps this host."""


class _Absent(Exception):
    """There is no such file."""


@contextmanager
def _trouble(verb: str, path: Path, *, absent: bool = True) -> Iterator[None]:
    """Errors of the operating system as HostError; a missing file as _Absent where that is an answer."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        if absent:
            raise _Absent from error
        cause = "takes no such file" if path.parent.is_dir() else "does not exist"
        raise HostError(f"cannot {verb} {path}: its folder {path.parent} {cause}") from error
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise HostError(f"cannot {verb} {path}: {cause}", hint=_HINTS.get(error.errno or 0)) from error
    except ValueError as error:
        raise HostError(f"cannot {verb} {str(path)!r}: {error}") from error


_HINTS = {
    errno.ENOSPC: "free some space on that disk and run again",
    errno.EDQUOT: "free some of your disk quota and run again",
    errno.EROFS: "that disk is mounted read-only",
}


def _executable(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.X_OK)
    except OSError:  # in a folder that may not be searched: shells go on too
        return False


def _expanded(directory: str) -> str:
    try:
        return str(Path(directory).expanduser())
    except RuntimeError as error:
        user = directory.partition("/")[0].removeprefix("~")
        cause = f"there is no user {user} with a home folder" if user else "the user has no home folder"
        raise HostError(f"cannot find the folder {directory}: {cause}") from error


def _content(file: int, path: Path, limit: int) -> bytes:
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode):
        raise HostError(f"cannot read {path}: it is not a regular file")
    if about.st_size > limit:
        raise _too_long(path, limit)
    parts: list[bytes] = []
    size = 0
    while part := os.read(file, min(2**20, limit + 1 - size)):
        parts.append(part)
        size += len(part)
        if size > limit:  # grew while it was read, or lies in /proc, where sizes are 0
            raise _too_long(path, limit)
    return b"".join(parts)


def _too_long(path: Path, limit: int) -> TooLong:
    return TooLong(f"cannot read {path}: it is longer than {limit} bytes")


def _ids(owner: str | None, group: str | None) -> tuple[int, int]:
    """The numbers of both, -1 where none is named."""
    return (-1 if owner is None else system.user_id(owner)), (-1 if group is None else system.group_id(group))


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files whose writers died before they could rename or remove them."""
    for path in folder.glob(".reconciler-*-*.tmp"):
        writer = path.name.split("-")[1]
        if writer.isdecimal() and not system.is_running(int(writer)):
            path.unlink(missing_ok=True)


def _write_synced(path: Path, content: bytes, mode: int, ids: tuple[int, int]) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if ids != (-1, -1):
            os.fchown(file, *ids)  # before the mode: changing the owner takes set-user-id bits away
        os.fchmod(file, mode)  # exactly this mode, whatever the umask
        view = memoryview(content)
        while view:
            view = view[os.write(file, view) :]
        _sync(file)
    finally:
        os.close(file)


def _sync(file: int) -> None:
    """To the disk itself: on macOS `fsync` alone stops at the drive's cache."""
    import fcntl

    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with suppress(OSError):  # network file systems do not know it
            fcntl.fcntl(file, full)
            return
    os.fsync(file)


def _sync_folder(folder: Path) -> None:
    """Make a rename or removal in `folder` survive a power cut."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # a file system without synced folders
            raise
    finally:
        os.close(file)
