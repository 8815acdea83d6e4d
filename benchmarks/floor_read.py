"""The floor of loading: open and read every file of a folder, and nothing more. Usage: floor_read.py FOLDER"""

import os
import sys

total = 0
for entry in os.scandir(sys.argv[1]):
    with open(entry.path, "rb") as file:  # noqa: PTH123  pathlib would be half of this script
        total += len(file.read())
print(total)
