"""The floor: read the wanted table, read the installed one, compare, install where they differ.

Usage: floor.py WANTED [--plan]. Prints how many lines differ. No manifests, no checks, no journal.
"""

import subprocess
import sys


def main() -> None:
    path = sys.argv[1]
    with open(path, "rb") as file:  # noqa: PTH123  pathlib would be a tenth of this script
        wanted = file.read()
    installed = subprocess.run(["crontab", "-l"], capture_output=True, check=False).stdout
    if installed == wanted:
        print(0)
        return
    print(len(set(wanted.splitlines()) - set(installed.splitlines())))
    if "--plan" not in sys.argv:
        subprocess.run(["crontab", path], check=True)


main()
