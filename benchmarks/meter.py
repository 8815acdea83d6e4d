"""Runs one command and prints `seconds peak-bytes exit-code`. Run with `python -I -S` as the user to measure as.

Imports next to nothing: the peak that the kernel reports for a child is never below that of its parent.
"""

import os
import sys
import time


def main() -> None:
    stdout, stderr, *argv = sys.argv[1:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, stderr, flags, 0o600),
    ]
    started = time.perf_counter()
    child = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 1024
    print(f"{seconds:.6f} {usage.ru_maxrss * unit} {os.waitstatus_to_exitcode(status)}")


main()
