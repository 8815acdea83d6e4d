"""The bounds that every host keeps, and the errors that a caller may want to tell apart."""

from __future__ import annotations

from reconciler.model.errors import HostError

OUTPUT_LIMIT = 16 * 2**20  # of `query` and `execute`, both streams together
PROBE_TAIL = 64 * 2**10  # of `probe_command`: the end of the output is what tells


class TooLong(HostError):
    """A file is longer than the limit given to `read`. It exists and can be read."""


class NoService(HostError):
    """Nothing listens on a Unix socket: there is no such socket, or nobody is behind it."""
