"""Whether everybody on a machine means the same time zone: /etc and cron. Reads files only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reconciler.host.system import ZONE_FOLDERS


def compare(daemon: int | None, system: Path) -> tuple[list[str], list[str]]:
    """Everybody with an opinion besides /etc/localtime, and those of them whose rules are not the same.

    `daemon` is the process id of cron; what only root may read of it counts as no opinion.
    """
    local = _bytes(system / "etc/localtime") or _rules("UTC")
    views = dict(_views(daemon, system))
    return list(views), [view for view, zone in views.items() if _rules(zone) != local]


def _views(daemon: int | None, system: Path) -> Iterator[tuple[str, str]]:
    named = (_bytes(system / "etc/timezone") or b"").decode("ascii", "replace").strip()
    if named:
        yield "/etc/timezone", named
    for variable in _variables(daemon, system):
        if variable.startswith("TZ=") and variable != "TZ=":
            yield f"the cron daemon ({variable})", variable.removeprefix("TZ=")


def _variables(process: int | None, system: Path) -> list[str]:
    content = _bytes(system / "proc" / str(process) / "environ") if process is not None else None
    return (content or b"").decode("utf-8", "replace").split("\0")


def _rules(zone: str) -> bytes | None:
    """The content of a zone, by name or by path, as the C library finds it."""
    name = zone.removeprefix(":")
    return next((found for folder in ZONE_FOLDERS if (found := _bytes(Path(folder) / name)) is not None), None)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
