"""The processes of a job: who belongs to it, and are they still the same. Reads /proc, else asks `ps`.

A process is a pid with its time of creation; a pid alone may be somebody else by now.
"""

from __future__ import annotations

import os
import sys

LINUX = sys.platform == "linux"
MARK = "RECONCILER_RUNNER"  # in the environment of every process of a job: which runner started it
TICKS = os.sysconf("SC_CLK_TCK") if LINUX else 100
PAGE = os.sysconf("SC_PAGE_SIZE")

Family = dict[int, str]  # pid and its time of creation


class Process:
    """What the kernel tells about one process."""

    __slots__ = ("created", "dead", "group", "parent", "pid", "resident", "seconds", "session")

    def __init__(self, pid: int, fields: list[bytes]) -> None:
        self.pid = pid
        self.dead = fields[0] in (b"Z", b"X")
        self.parent, self.group, self.session = int(fields[1]), int(fields[2]), int(fields[3])
        self.seconds = sum(map(int, fields[11:15])) / TICKS  # with that of children that have ended
        self.created = fields[19].decode()
        self.resident = int(fields[21]) * PAGE


def look(pid: int) -> Process | None:
    """One process, or None where it has gone."""
    if not LINUX:
        from reconciler.runner.ps import table

        return table().get(pid)
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        raw = os.read(descriptor, 4096)
        return Process(pid, raw[raw.rindex(b")") + 2 :].split())
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def created(pid: int) -> str:
    """When the process was made, as the system counts it; empty where it has gone."""
    process = look(pid)
    return process.created if process else ""


def same(pid: int, born: str) -> bool:
    """Whether that very process lives. A zombie does not."""
    if pid <= 0 or not born:
        return False
    process = look(pid)
    return process is not None and process.created == born and not process.dead


def boot() -> str:
    """Which boot of the machine this is; times of creation count from it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().strip().decode()
    except OSError:
        return ""


def below(family: Family) -> list[Process]:
    """The living members of a family and their descendants, by the kernel's lists of children: cheap to repeat."""
    if not LINUX:
        processes = everybody()
        grown = _grown(family, processes, 0, "")
        return [one for one in processes if one.pid in grown]
    found: dict[int, Process] = {}
    ahead = [pid for pid, born in family.items() if same(pid, born)]
    while ahead:
        pid = ahead.pop()
        process = look(pid)
        if process is None or pid in found:
            continue
        found[pid] = process
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                    ahead += map(int, file.read().split())
        except OSError:  # gone meanwhile, or a kernel without these lists: the look before a kill sees everybody
            continue
    return list(found.values())


def everybody() -> list[Process]:
    """All processes of the machine."""
    if not LINUX:
        from reconciler.runner.ps import table

        return list(table().values())
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [process for name in names if (process := look(int(name))) is not None]


def snapshot(job: int, mark: str, known: Family) -> Family:
    """Everybody who belongs to the job: children of children, its group and session, those who carry its mark."""
    return _grown({**known, job: known.get(job, created(job))}, everybody(), job, mark)


def _grown(family: Family, processes: list[Process], job: int, mark: str) -> Family:
    us = os.getpid()
    alive = {one.pid: one for one in processes if not one.dead and one.pid != us}
    found = {pid: born for pid, born in family.items() if pid in alive and alive[pid].created == born}
    if job in alive and job not in found:
        job = 0  # the job has gone for good, and its number is somebody else's
    for one in alive.values():
        if (job and job in (one.group, one.session)) or (mark and marked(one.pid, mark)):
            found[one.pid] = one.created
    grew = True
    while grew:
        fresh = {one.pid: one.created for one in alive.values() if one.parent in found and one.pid not in found}
        found |= fresh
        grew = bool(fresh)
    return found


def marked(pid: int, mark: str) -> bool:
    """Whether the process was started with our mark in its environment, however far it has moved away since."""
    if not LINUX:
        from reconciler.runner.ps import environments

        return f"{MARK}={mark}" in environments().get(pid, "").split()
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"{MARK}={mark}".encode() in file.read().split(b"\0")
    except OSError:  # gone, or somebody else's
        return False


def signal_each(family: Family, number: int) -> None:
    """Signal every member that is still the same process."""
    for pid, born in family.items():
        if same(pid, born):
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                continue


def end(job: int, mark: str, known: Family) -> Family:
    """SIGKILL everybody, and look again until nobody new is there. Those who would not die."""
    import select

    family: Family = {}
    for pause in (0.0, 0.002, 0.01, 0.05, 0.2, 0.5, 1.0):
        select.poll().poll(pause * 1000)
        family = snapshot(job, mark, {**known, **family})
        if not family:
            break
        signal_each(family, 9)
    return family
