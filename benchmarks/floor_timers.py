"""The least that it takes to have timers. Usage: floor_timers.py look | together | singly FOLDER-OF-UNITS UNIT-FOLDER

`look` reads what stands and asks the manager once; `together` writes everything, reloads once and enables all in one
call; `singly` does that for each timer by itself.
"""

import os
import subprocess
import sys


def main() -> None:
    how, source, target = sys.argv[1:]
    names = sorted(os.listdir(source))
    timers = [name for name in names if name.endswith(".timer")]
    if how == "look":
        systemctl("list-units", "--all", "--output=json", "reconciler-*")
        same = [name for name in names if content(source, name) == content(target, name)]
        sys.exit(len(same) != len(names))
    groups = [timers] if how == "together" else [[timer] for timer in timers]
    os.makedirs(target, exist_ok=True)
    for group in groups:
        for timer in group:
            for name in (timer, timer.removesuffix(".timer") + ".service"):
                write(os.path.join(target, name), content(source, name))
        systemctl("daemon-reload")
        systemctl("enable", "--now", *group)


def content(folder: str, name: str) -> bytes:
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def write(path: str, data: bytes) -> None:
    with open(path + ".new", "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def systemctl(*words: str) -> None:
    subprocess.run(["systemctl", "--user", "--quiet", *words], check=True, stdout=subprocess.DEVNULL)


main()
