"""The least that it takes to have timers. Usage: floor_timers.py look | together | singly FOLDER-OF-UNITS UNIT-FOLDER

`look` reads what stands and asks the manager once; `together` writes everything, reloads once and enables all in one
call; `singly` does that for each timer by itself.
"""

import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    how, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    names = sorted(path.name for path in source.iterdir())
    if how == "look":
        systemctl("list-units", "--all", "--output=json", "reconciler-*")
        sys.exit(any((source / name).read_bytes() != (target / name).read_bytes() for name in names))
    timers = [name for name in names if name.endswith(".timer")]
    groups = [timers] if how == "together" else [[timer] for timer in timers]
    target.mkdir(parents=True, exist_ok=True)
    for group in groups:
        for timer in group:
            for name in (timer, timer.removesuffix(".timer") + ".service"):
                write(target / name, (source / name).read_bytes())
        systemctl("daemon-reload")
        systemctl("enable", "--now", *group)


def write(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def systemctl(*words: str) -> None:
    subprocess.run(["systemctl", "--user", "--quiet", *words], check=True, stdout=subprocess.DEVNULL)


main()
