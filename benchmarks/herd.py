"""Starts a command many times at once and waits for all; fails where one does. Usage: herd.py COUNT COMMAND…"""

import os
import sys

command = sys.argv[2:]
null = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
for _ in range(int(sys.argv[1])):
    os.posix_spawnp(command[0], command, os.environ, file_actions=null)
codes = {os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(int(sys.argv[1]))}
sys.exit(codes != {0})
