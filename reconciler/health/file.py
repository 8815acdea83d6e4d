"""The file probe: a file that must be there (or must not), fresh, large enough, with the right content."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from reconciler.health.match import mismatch
from reconciler.host.limits import OUTPUT_LIMIT, TooLong
from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.duration import format_duration
from reconciler.model.errors import HostError


def check(options: Mapping[str, Json], host: Host, timeout: float) -> str | None:
    """Look at the file as it is now."""
    try:
        path = Path(str(options["path"])).expanduser()
        modified = host.modified(path)
        if modified is None:
            return f"{path} should exist, but there is no such file" if options.get("exists", True) else None
        if not options.get("exists", True):
            return f"{path} should be absent, but it exists"
        return _too_old(options, path, host, modified) or _wrong_content(options, path, host, timeout)
    except HostError as error:
        return error.message
    except RuntimeError as error:  # `~` with no home folder behind it
        return f"cannot find {options['path']}: {error}"


def _too_old(options: Mapping[str, Json], path: Path, host: Host, modified: datetime) -> str | None:
    limit = options.get("maxAge")
    age = (host.clock.now() - modified).total_seconds()
    if not isinstance(limit, int | float) or age <= limit:
        return None
    return f"{path} should have changed within {format_duration(limit)}, but last did {format_duration(int(age))} ago"


def _wrong_content(options: Mapping[str, Json], path: Path, host: Host, timeout: float) -> str | None:
    minimum = options.get("minSize")
    if isinstance(minimum, int) and minimum > 0:
        why = _too_small(path, minimum, host, timeout)
        if why is not None:
            return why
    if "matches" not in options:
        return None
    try:
        content = host.read(path) or b""
    except TooLong:
        return f"{path} cannot be searched: it is longer than {OUTPUT_LIMIT} bytes"
    return mismatch(options["matches"], content, f"the content of {path}")


def _too_small(path: Path, minimum: int, host: Host, timeout: float) -> str | None:
    """Measured by reading at most one byte less than asked for; a large file is not read at all, but asked about."""
    if minimum > OUTPUT_LIMIT:
        argv = ["find", "-H", str(path), "-prune", "-type", "f", "-size", f"+{minimum - 1}c"]
        large = host.query(argv, timeout=timeout).stdout != b""
        return None if large else f"{path} should have at least {minimum} bytes, but has less"
    try:
        content = host.read(path, limit=minimum - 1) or b""
    except TooLong:
        return None
    return f"{path} should have at least {minimum} bytes, but has {len(content)}"
