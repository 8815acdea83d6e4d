"""Whether a cron daemon is there to run what a table holds. Reads only."""

from __future__ import annotations

from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.errors import HostError

ABSENT = "no cron daemon is running on this host"
NAMES = frozenset({"cron", "crond", "fcron", "bcron-sched", "busybox"})
_PID_FILES = (Path("/run/crond.pid"), Path("/var/run/crond.pid"), Path("/var/run/cron.pid"), Path("/run/cron.pid"))


def running(host: Host) -> bool | None:
    """A daemon named by a pid file (one cheap look), else any process with a daemon's name. None: nobody can tell.

    Where processes of other users are hidden, a pid file that names one of those is believed.
    """
    if host.facts().platform == "darwin":
        return True  # launchd starts cron as soon as there is a table
    noted: list[int] = []
    for file in _PID_FILES:
        if (text := (_read(host, file) or b"").strip()).isdigit():
            noted.append(int(text))
            if _is_cron(host, noted[-1]):
                return True
    try:
        plain = host.processes(NAMES - {"busybox"})
        return bool(plain) or any(_runs_crond(host, process) for process in host.processes(frozenset({"busybox"})))
    except HostError:
        return True if any(_is_hidden(host, process) for process in noted) else None


def _is_cron(host: Host, process: int) -> bool:
    name = (_read(host, Path(f"/proc/{process}/comm")) or b"").strip().decode("ascii", "replace")
    return name in NAMES and (name != "busybox" or _runs_crond(host, process))


def _is_hidden(host: Host, process: int) -> bool:
    return _read(host, Path(f"/proc/{process}/comm")) is None


def _runs_crond(host: Host, process: int) -> bool:
    """busybox is many programs; its arguments say which."""
    return b"crond" in (_read(host, Path(f"/proc/{process}/cmdline")) or b"")


def _read(host: Host, path: Path) -> bytes | None:
    try:
        return host.read(path)
    except HostError:
        return None
