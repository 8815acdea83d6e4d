"""The bounds that every host keeps, and the error of a file that is longer than was asked for."""

from __future__ import annotations

from reconciler.model.errors import HostError

OUTPUT_LIMIT = 16 * 2**20  # of `query` and `execute`, both streams together
PROBE_TAIL = 64 * 2**10  # of `probe_command`: the end of the output is what tells


class TooLong(HostError):
    """A file is longer than the limit given to `read`. It exists and can be read."""
