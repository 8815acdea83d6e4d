"""Starting a program: fork, session of its own, exec; and what the kernel said where it could not be.

fork and not posix_spawn: the folder, the umask and the niceness are the job's, and neither ours before nor after.
"""

from __future__ import annotations

import _signal
import errno
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.runner.signals import Signals

NOT_RUN, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127


class NotStarted(Exception):
    """The program does not run. `code` is the exit code that says so."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Setting:
    """What a program is started with, besides its words and variables."""

    __slots__ = ("folder", "nice", "umask")

    def __init__(self, folder: str = "", umask: int | None = None, nice: int | None = None) -> None:
        self.folder, self.umask, self.nice = os.path.expanduser(folder), umask, nice


def start(
    argv: Sequence[str],
    environment: Mapping[str, str],
    setting: Setting,
    streams: tuple[int, int, int],
    before: Callable[[int], None] | None = None,
) -> tuple[int, str]:
    """The pid of the program in a new session, and a note. Raises NotStarted.

    `before` is called with the pid while the child waits; where we die in it, the child ends without a program.
    """
    reading, writing = os.pipe()
    waiting, going = os.pipe()
    places = _places(argv[0], environment)
    try:
        pid = os.fork()
    except OSError as error:
        for end in (reading, writing, waiting, going):
            os.close(end)
        raise NotStarted(NOT_EXECUTABLE, f"cannot start {argv[0]}: {error.strerror}") from error
    if pid == 0:
        os.close(going)  # or the child would wait for itself where we die
        _become(argv, environment, setting, streams, places, (waiting, writing))
    os.close(writing)
    os.close(waiting)
    try:
        if before is not None:
            before(pid)
        os.write(going, b"!")
    except BrokenPipeError:
        pass  # it has failed already, and said so
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(going)
    said = b""
    while part := os.read(reading, 512):  # ends with the exec, which closes the other end
        said += part
    os.close(reading)
    note = ""
    for line in said.decode().splitlines():
        stage, number = line.split()
        if stage == "nice":
            note = f"the niceness {setting.nice} was refused: {os.strerror(int(number)).lower()}"
            continue
        os.waitpid(pid, 0)
        raise _trouble(stage, int(number), argv[0], setting)
    return pid, note


def _become(
    argv: Sequence[str],
    environment: Mapping[str, str],
    setting: Setting,
    streams: tuple[int, int, int],
    places: Sequence[str],
    ends: tuple[int, int],
) -> None:
    """Never returns: this is the child."""
    stage = "setup"
    waiting, report = ends
    try:
        os.setsid()
        for target, source in enumerate(streams):
            os.dup2(source, target)
        _signal.set_wakeup_fd(-1)
        for number in (_signal.SIGPIPE, _signal.SIGXFSZ):  # Python ignores these, and exec would hand that on
            _signal.signal(number, _signal.SIG_DFL)
        if setting.folder:
            stage = "folder"
            os.chdir(setting.folder)
        if setting.umask is not None:
            os.umask(setting.umask)
        if setting.nice is not None:
            try:
                os.setpriority(os.PRIO_PROCESS, 0, setting.nice)
            except OSError as error:
                os.write(report, f"nice {error.errno}\n".encode())
        stage = "exec"
        if not os.read(waiting, 1):
            os._exit(NOT_RUN)
        _exec(argv, environment, places)
    except OSError as error:
        os.write(report, f"{stage} {error.errno}\n".encode())
    except (ValueError, UnicodeError):  # a NUL byte in a word or a variable
        os.write(report, f"exec {errno.EINVAL}\n".encode())
    finally:
        os._exit(NOT_FOUND)


def _exec(argv: Sequence[str], environment: Mapping[str, str], places: Sequence[str]) -> None:
    refused: OSError | None = None
    for place in places:
        try:
            os.execve(place, [*argv], environment)
        except OSError as error:
            if error.errno == errno.ENOEXEC:  # a script without #!, as shells take it
                os.execve("/bin/sh", ["sh", place, *argv[1:]], environment)
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                refused = refused or error
    raise refused or FileNotFoundError(errno.ENOENT, "not found")


def _places(program: str, environment: Mapping[str, str]) -> list[str]:
    if "/" in program:
        return [program]
    path = environment.get("PATH") or os.defpath
    return [f"{folder or '.'}/{program}" for folder in path.split(":")]


def _trouble(stage: str, number: int, program: str, setting: Setting) -> NotStarted:
    cause = os.strerror(number).lower()
    if stage == "folder":
        return NotStarted(NOT_RUN, f"cannot enter the working directory {setting.folder}: {cause}")
    if stage == "exec" and number == errno.ENOENT:
        path = program if program.startswith("/") else os.path.join(setting.folder, program)
        if "/" in program and os.path.exists(path):
            return NotStarted(NOT_FOUND, f"cannot start {program}: the interpreter in its first line does not exist")
        hint = "" if "/" in program else " on PATH"
        return NotStarted(NOT_FOUND, f"cannot start {program}: there is no such program{hint}")
    if stage == "exec" and number == errno.EACCES:
        return NotStarted(NOT_EXECUTABLE, f"cannot start {program}: it is not executable ({cause})")
    return NotStarted(NOT_EXECUTABLE, f"cannot start {program}: {cause}")


def capture(
    argv: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None, most: int = 1 << 22,
    asked: Signals | None = None,
) -> tuple[int, bytes]:  # fmt: skip
    """Exit code and output of a small program; -1 where it took too long, said too much or we are asked to stop.

    Raises NotStarted.
    """
    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    try:
        pid, _ = start(argv, os.environ if environment is None else environment, Setting(), (null, writing, null))
    except NotStarted:
        os.close(reading)
        raise
    finally:
        os.close(writing)
        os.close(null)
    output = bytearray()
    until = time.monotonic() + seconds
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    if asked:
        poll.register(asked.descriptor, select.POLLIN)
    while (left := until - time.monotonic()) > 0 and len(output) <= most and not (asked and asked.stop):
        ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
        if reading in ready:
            part = os.read(reading, 65536)
            if not part:
                break
            output += part
        elif asked:
            asked.drain()
    os.close(reading)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return (os.waitstatus_to_exitcode(status), bytes(output)) if len(output) <= most else (-1, b"")
        if time.monotonic() > until or len(output) > most or (asked and asked.stop):
            os.killpg(pid, _signal.SIGKILL)
            os.waitpid(pid, 0)
            return -1, b""
        select.poll().poll(1)
