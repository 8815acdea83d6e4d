"""The processes of a machine without /proc, as `ps` lists them. A look is kept for a moment: it costs a program."""

from __future__ import annotations

import time

from reconciler.runner.tree import PAGE, Process

KEPT = 0.05  # seconds that a look is good for
_ROW = ["ps", "-axo", "pid=,ppid=,pgid=,rss=,time=,stat=,lstart="]
_looks: dict[str, tuple[float, str]] = {}


def table() -> dict[int, Process]:
    """Every process. The session is that of the group: `ps` on macOS does not tell it."""
    found = {}
    for line in _asked("table", _ROW).splitlines():
        words = line.split()
        if len(words) >= 11 and words[0].isdigit():
            pid, parent, group, resident = words[0], words[1], words[2], int(words[3])
            fields = [words[5][:1], parent, group, "0", *["0"] * 7, str(round(_seconds(words[4]) * 100)), "0"]
            fields += ["0"] * 6 + ["_".join(words[6:11]), "0", str(resident * 1024 // PAGE)]
            found[int(pid)] = Process(int(pid), [field.encode() for field in fields])
    return found


def environments() -> dict[int, str]:
    """Command line and environment of our own processes, as one text each."""
    found = {}
    for line in _asked("environments", ["ps", "-axEww", "-o", "pid=,command="]).splitlines():
        pid, _, rest = line.strip().partition(" ")
        if pid.isdigit():
            found[int(pid)] = rest
    return found


def _asked(key: str, argv: list[str]) -> str:
    from reconciler.runner.start import capture

    at, text = _looks.get(key, (0.0, ""))
    if time.monotonic() - at > KEPT:
        text = capture(argv, 5.0)[1].decode("utf-8", "replace")
        _looks[key] = (time.monotonic(), text)
    return text


def _seconds(clock: str) -> float:
    """`1-02:03:04.56` or `2:03.45` as seconds."""
    days, _, rest = clock.rpartition("-")
    seconds = 0.0
    for part in rest.split(":"):
        seconds = seconds * 60 + float(part)
    return float(days or 0) * 86400 + seconds
