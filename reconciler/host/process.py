"""Running one program: bounded in time and output, and never outlived by the wait for it.

Starts an argument list in a process group of its own; knows nothing about what programs mean.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, TypeAlias, cast

from reconciler.host.limits import OUTPUT_LIMIT, PROBE_TAIL
from reconciler.host.protocol import Completed
from reconciler.model.errors import CommandTimeout, HostError

GRACE = 1.0  # seconds between SIGTERM and SIGKILL
_CHUNK = 65536
_LEFT_IN_PIPE = 2**20  # at most this much can wait in a pipe when its program ends
_TICK = 0.02  # how often to look for the end of a program where the kernel cannot tell


def run(argv: Sequence[str], *, timeout: float, stdin: bytes, environment: Mapping[str, str]) -> Completed:
    """Run to the end with both streams kept apart. More than OUTPUT_LIMIT bytes of output raises HostError."""
    out, err = bytearray(), bytearray()

    def bounded(target: bytearray, part: bytes) -> None:
        target += part
        if len(out) + len(err) > OUTPUT_LIMIT:
            raise HostError(f"cannot run {argv[0]}: it wrote more than {OUTPUT_LIMIT} bytes")

    process = _start(argv, None, environment, stdin, stderr=subprocess.PIPE)
    sinks = (lambda part: bounded(out, part), lambda part: bounded(err, part))
    return Completed(_attend(process, argv, timeout, sinks), bytes(out), bytes(err))


def run_for_tail(
    argv: Sequence[str], *, timeout: float, directory: str | None, environment: Mapping[str, str]
) -> Completed:
    """Run to the end with both streams as one, of which only the last PROBE_TAIL bytes are kept."""
    tail = bytearray()

    def keep(part: bytes) -> None:
        tail.extend(part)
        del tail[:-PROBE_TAIL]

    process = _start(argv, directory, environment, b"", stderr=subprocess.STDOUT)
    return Completed(_attend(process, argv, timeout, (keep,)), bytes(tail), b"")


def in_foreground(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    user: str = "",
    quiet: bool = False,
    descriptors: Sequence[int] = (),
) -> int:
    """Run at our own terminal until it ends; Ctrl-C is the program's business. Its exit code, 128+n for signal n.

    `user`: as whom, for root. `quiet`: its output goes nowhere. `descriptors` of ours that it has as well.
    """
    nowhere = subprocess.DEVNULL if quiet else None
    # Handlers, not SIG_IGN: the program would inherit that.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        process = subprocess.Popen(
            list(argv), env=environment, stdout=nowhere, stderr=nowhere, pass_fds=descriptors, **_account(user)
        )
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
        code = process.wait()
    except OSError as error:
        raise HostError(f"cannot run {argv[0]}: {(error.strerror or str(error)).lower()}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def _account(user: str) -> dict[str, Any]:
    import pwd

    if not user:
        return {}
    entry = pwd.getpwnam(user)
    home = entry.pw_dir if os.path.isdir(entry.pw_dir) else "/"  # noqa: PTH112
    groups = os.getgrouplist(user, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups, "cwd": home}


def shown(argv: Sequence[str]) -> str:
    """A command line for messages: on one line, and not a long one."""
    text = " ".join(" ".join(argv).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def _start(
    argv: Sequence[str], directory: str | None, environment: Mapping[str, str], stdin: bytes, *, stderr: int
) -> subprocess.Popen[bytes]:
    source = _whole_input(stdin) if stdin else None
    try:
        return subprocess.Popen(
            list(argv),
            bufsize=0,
            stdin=subprocess.DEVNULL if source is None else source,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=directory,
            env=environment,
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        if directory is not None and not os.path.isdir(directory):  # noqa: PTH112
            raise HostError(f"cannot run {shown(argv)}: its folder {directory} does not exist") from error
        hint = f"install {argv[0]}, or check its path and PATH"
        raise HostError(f"cannot run {shown(argv)}: there is no program {argv[0]}", hint=hint) from error
    except OSError as error:
        raise HostError(f"cannot run {shown(argv)}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # a NUL byte in an argument, "=" in the name of a variable
        raise HostError(f"cannot run {shown(argv)!r}: {error}") from error
    finally:
        if source is not None:
            os.close(source)


def _whole_input(stdin: bytes) -> int:
    """A descriptor that holds all of the input before the program starts.

    With a pipe, our death half-way would look like the end of the input, and `crontab -` would install the half.
    """
    try:
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
        else:
            import tempfile

            descriptor, path = tempfile.mkstemp(prefix="reconcile-stdin-")
            os.unlink(path)  # noqa: PTH108
        rest = memoryview(stdin)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError as error:
        raise HostError(f"cannot keep the input of a program: {(error.strerror or str(error)).lower()}") from error
    return descriptor


def _attend(process: subprocess.Popen[bytes], argv: Sequence[str], timeout: float, sinks: Sequence[_Sink]) -> int:
    """Drain the program until it ends; on any trouble its whole group is killed. Its exit code."""
    exchange = _Exchange(process, sinks)
    try:
        if not exchange.until_end(time.monotonic() + timeout):
            raise CommandTimeout(f"cannot finish {shown(argv)}: it ran longer than {timeout:g} s and was killed")
        return process.wait()
    finally:
        if process.returncode is None:
            _kill_group(process)
        exchange.close()


_Sink: TypeAlias = Callable[[bytes], None]


class _Exchange:
    """The pipes of one program, until that program ends: its pipes may live on in a grandchild."""

    def __init__(self, process: subprocess.Popen[bytes], sinks: Sequence[_Sink]) -> None:
        self._process = process
        self._selector = selectors.PollSelector()
        for stream, sink in zip((process.stdout, process.stderr), sinks, strict=False):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, selectors.EVENT_READ, sink)
        self._exit = _exit_descriptor(process.pid)
        if self._exit is not None:
            self._selector.register(self._exit, selectors.EVENT_READ)

    def until_end(self, deadline: float) -> bool:
        """Whether the program ended before the deadline."""
        pause = 0.0005
        while (left := deadline - time.monotonic()) > 0:
            ended = False
            for key, _ in self._selector.select(left if self._exit is not None else min(pause, left)):
                if key.fd == self._exit:
                    ended = True
                else:
                    self._drain(cast(IO[bytes], key.fileobj), key.data, _CHUNK)
            pause = min(pause * 2, _TICK)
            if ended or (self._exit is None and self._process.poll() is not None):
                self._drain_all()
                return True
        return False

    def _drain(self, stream: IO[bytes], sink: _Sink, at_most: int) -> None:
        while at_most > 0:
            try:
                part = os.read(stream.fileno(), _CHUNK)
            except BlockingIOError:
                return
            if not part:
                self._forget(stream)
                return
            sink(part)
            at_most -= len(part)

    def _drain_all(self) -> None:
        for key in tuple(self._selector.get_map().values()):
            if key.data is not None:
                self._drain(cast(IO[bytes], key.fileobj), key.data, _LEFT_IN_PIPE)

    def _forget(self, stream: IO[bytes]) -> None:
        self._selector.unregister(stream)
        stream.close()

    def close(self) -> None:
        self._selector.close()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        if self._exit is not None:
            os.close(self._exit)


def _exit_descriptor(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends, where the kernel has such a thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or a sandbox that does not allow it
        return None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the program and its children: SIGTERM, and SIGKILL for what is left. Never waits for an unkillable one."""
    _signal_group(process, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while _group_lives(process) and time.monotonic() < until:
        time.sleep(0.01)
    _signal_group(process, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)


def _signal_group(process: subprocess.Popen[bytes], signum: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signum)


def _group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group whose members are all dead
        return process.returncode is None
    return True
