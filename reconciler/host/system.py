"""What the operating system says about itself: facts, time zone, running processes.

Reads only, and needs no program: /proc, /etc and the account database.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

from reconciler.host.protocol import FileStatus
from reconciler.model.errors import HostError
from reconciler.model.lazy import pattern
from reconciler.model.state import HostFacts

ZONE_FOLDERS = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/var/db/timezone/zoneinfo")
_ZONE_NAME = pattern(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
_COMM_LENGTH = 15  # Linux cuts command names to this


def host_facts(root: Path = Path("/")) -> HostFacts:
    """Name, platform, user and time zone of this machine."""
    platform: str = sys.platform
    if platform not in {"linux", "darwin"}:
        raise HostError(f"cannot work on {platform}: only Linux and macOS are supported")
    return HostFacts(os.uname().nodename, platform, user_name(os.geteuid()), time_zone(root))


def user_name(uid: int) -> str:
    """The account of a user id, or the id as text where the account database does not know it."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """The group of an id, or the id as text where the database does not know it."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def user_id(name: str) -> int:
    """The number of an account, by name or as digits."""
    import pwd

    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        cause = "there is no such account"
        raise HostError(f"cannot find the user {name}: {cause}", hint="create it, or correct the manifest") from None


def group_id(name: str) -> int:
    """The number of a group, by name or as digits."""
    import grp

    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise HostError(f"cannot find the group {name}: there is no such group") from None


def file_status(path: Path) -> FileStatus:
    """What stands at a path. Raises OSError."""
    about = path.lstat()
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link"))
    kind = next((name for test, name in kinds if test(about.st_mode)), "other")
    return FileStatus(kind, stat.S_IMODE(about.st_mode), user_name(about.st_uid), group_name(about.st_gid))


def time_zone(root: Path = Path("/")) -> str:
    """IANA name of the machine's zone: where /etc/localtime points, else what /etc/timezone says; "" where unknown.

    Never `TZ`: that is the zone of one session, and cron keeps the time of the machine.
    """
    return _linked_zone(root / "etc/localtime") or _named_zone(root / "etc/timezone")


def _named_zone(file: Path) -> str:
    try:
        return _valid(file.read_text("ascii").strip())
    except (OSError, UnicodeDecodeError):
        return ""


def _linked_zone(link: Path) -> str:
    try:
        near = str(link.readlink())
    except OSError:
        return ""
    return _valid(_after_zoneinfo(near)) or _valid(_after_zoneinfo(os.path.realpath(link)))


def _after_zoneinfo(path: str) -> str:
    name = re.split(r"zoneinfo[^/]*/", path)[-1]
    return name.removeprefix("posix/").removeprefix("right/")


def _valid(name: str) -> str:
    """The name where the zone database has such a file, else ""."""
    if _ZONE_NAME.fullmatch(name) and any(Path(folder, name).is_file() for folder in ZONE_FOLDERS):
        return name
    return ""


def is_running(pid: int) -> bool:
    """Whether there is such a process, whoever's it is."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def running(names: frozenset[str]) -> tuple[int, ...]:
    """Ids of living processes with one of these command names, ascending."""
    platform: str = sys.platform
    return from_proc(names) if platform == "linux" else from_psutil(names)


def from_proc(names: frozenset[str], proc: Path = Path("/proc")) -> tuple[int, ...]:
    """The same by reading Linux's /proc: a tenth of the time that a library takes to load."""
    wanted = {name[:_COMM_LENGTH].encode() for name in names}
    try:
        with os.scandir(proc) as entries:
            ids = sorted(int(entry.name) for entry in entries if entry.name.isdigit())
    except OSError as error:
        raise HostError(f"cannot list processes: {proc}: {error.strerror}") from error
    found = tuple(pid for pid in ids if _stat_field(proc, pid, "comm") in wanted and _alive(proc, pid))
    if not found and _stat_field(proc, 1, "comm") is None:
        raise HostError(
            f"cannot list processes: {proc} hides those of other users",
            hint="run as root, or mount /proc without hidepid",
        )
    return found


def _stat_field(proc: Path, pid: int, name: str) -> bytes | None:
    """Content of /proc/PID/name, or None where the process is gone or hidden."""
    try:
        return (proc / str(pid) / name).read_bytes().rstrip(b"\n")
    except OSError:
        return None


def _alive(proc: Path, pid: int) -> bool:
    """A zombie keeps its name but runs nothing. The state follows the last `)`: names may hold one."""
    stat = _stat_field(proc, pid, "stat")
    return stat is not None and stat.rpartition(b")")[2].split()[0] not in {b"Z", b"X"}


def boot_id() -> str:
    """Which boot of the machine this is; "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def lives(pid: int, created: str) -> bool:
    """Whether that very process lives: a pid with its time of creation, as /proc counts it or `ps` writes it."""
    if pid <= 0 or not created:
        return False
    platform: str = sys.platform
    if platform == "linux":
        stat = _stat_field(Path("/proc"), pid, "stat")
        fields = stat.rpartition(b")")[2].split() if stat else []
        return len(fields) > 19 and fields[19].decode() == created and fields[0] not in {b"Z", b"X"}
    from reconciler.host.process import run

    asked = run(
        ["ps", "-o", "lstart=", "-p", str(pid)], timeout=5, stdin=b"", environment={"LC_ALL": "C", **os.environ}
    )
    return "_".join(asked.stdout.decode("utf-8", "replace").split()) == created


def from_psutil(names: frozenset[str]) -> tuple[int, ...]:
    """The same on any platform."""
    import psutil  # type: ignore[import-untyped,unused-ignore]

    try:
        found = [process for process in psutil.process_iter(["name", "status"]) if process.info["name"] in names]
    except (psutil.Error, OSError) as error:
        raise HostError(f"cannot list processes: {error}") from error
    return tuple(sorted(process.pid for process in found if process.info["status"] != psutil.STATUS_ZOMBIE))
