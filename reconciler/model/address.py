"""ResourceId, the address of a resource: `Kind/name`. Parsing and printing live together.

An address says what a thing is called, never its version, host or provider.
"""

from __future__ import annotations

import re
from typing import NamedTuple

KIND_PATTERN = r"[A-Z][A-Za-z0-9]{0,62}"
NAME_PATTERN = r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?"
RESERVED = "reconciler-"  # names that begin so are kept for what reconciler installs for itself
_ADDRESS = re.compile(f"({KIND_PATTERN})/({NAME_PATTERN})")


class ResourceId(NamedTuple):
    """Identity of a resource. Sorts by kind, then name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def reserved(self) -> bool:
        """Whether only `reconcile self` may install it."""
        return self.name.startswith(RESERVED)


class Place(NamedTuple):
    """A resource in one backend: while it moves, it stands in two."""

    provider: str
    id: ResourceId


def parse_address(text: str) -> ResourceId:
    """`Automation/daily-brief` as a ResourceId. Raises ValueError on anything else."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an address; write Kind/name, for example Automation/backup")
    return ResourceId(match[1], match[2])
