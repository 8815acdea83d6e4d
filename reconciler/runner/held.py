"""Input for a program, whole before it starts: with a pipe, our death half-way would look like its end."""

from __future__ import annotations

import os


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
