"""The floor of a recorded run: start a command, wait, append a line to a file. Usage: floor_run.py SPOOL COMMAND…"""

import os
import sys
import time

started = time.time()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
code = os.waitstatus_to_exitcode(status)
line = f'{{"started":{started},"ended":{time.time()},"exit":{code},"cpu":{usage.ru_utime + usage.ru_stime}}}\n'
spool = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.write(spool, line.encode())
os._exit(code)
