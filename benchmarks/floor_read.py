"""The floor of loading: open and read every file below a folder, and nothing more. Usage: floor_read.py FOLDER"""

import os
import sys

total = 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123  pathlib would be half of this script
            total += len(file.read())
print(total)
