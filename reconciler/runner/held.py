"""Input for a program: a text, whole before it starts, or a file. Nothing here waits without an end.

With a pipe for a text, our death half-way would look like its end.
"""

from __future__ import annotations

import os
import select
import stat
import time

from reconciler.runner.job import Job
from reconciler.runner.signals import Signals
from reconciler.runner.start import NOT_RUN, NotStarted
from reconciler.runner.text import why

WRITER = 30.0  # seconds that a FIFO may be without a writer


def source(job: Job, folder: str, asked: Signals) -> int:
    """A descriptor with the input of the job. Raises NotStarted."""
    path = os.path.join(os.path.expanduser(folder), os.path.expanduser(job.stdin_file))
    try:
        if job.stdin is not None:
            return held(job.stdin.encode("utf-8", "surrogatepass"))
        return opened(path, min(WRITER, job.longest or WRITER), asked)
    except OSError as error:
        raise NotStarted(NOT_RUN, f"cannot open the input of the job, {path}: {why(error)}") from error


def opened(path: str, seconds: float, asked: Signals) -> int:
    """The file, to be read; where it is a FIFO, with somebody who writes into it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            _await_writer(descriptor, seconds, asked)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _await_writer(fifo: int, seconds: float, asked: Signals) -> None:
    poll, until = select.poll(), time.monotonic() + seconds
    for each in (fifo, asked.descriptor):
        poll.register(each, select.POLLIN)
    while not asked.stop and (left := until - time.monotonic()) > 0:
        if fifo in {each for each, _ in poll.poll(left * 1000 + 0.5)}:
            return
        asked.drain()
    raise OSError(f"nobody wrote into this FIFO for {seconds:g} s")


def held(text: bytes) -> int:
    """A descriptor without a name that holds the text, at its beginning."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
    else:
        folder = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - made there with O_EXCL, and unlinked at once
        path = f"{folder}/reconcile-{os.urandom(8).hex()}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.unlink(path)
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
