"""Runs the scripts named as arguments one after the other, then says how the vault stands and writes Dashboard.md.

A script that is missing, fails, or takes longer than STEP_LIMIT seconds costs the next one nothing; the exit status
is 1 then. One that takes too long is ended with its process group; whoever left that, the runner's timeout ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import status
import vault

GRACE = 5.0  # seconds between asking and killing


def end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


def step(script: str, limit: float) -> bool:
    """Whether it went well. Its output goes where ours goes: nothing is held in memory, no pipe can fill up."""
    if not Path(script).is_file():
        vault.say("cycle", f"{script}: there is no such script", "ERROR")
        return False
    process = subprocess.Popen([sys.executable, script], stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        end(process)
        vault.say("cycle", f"{script}: ended, it took longer than {limit:g} s", "ERROR")
        return False
    except BaseException:
        end(process)
        raise
    if code != 0:
        vault.say("cycle", f"{script}: failed with exit status {code}", "ERROR")
    return code == 0


def main(scripts: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    limit = float(os.environ.get("STEP_LIMIT", "300"))
    failed = [script for script in scripts if not step(script, limit)]
    shown = ", ".join(f"{name}: {count}" for name, count in status.counts().items())
    vault.say("cycle", f"done, {len(scripts) - len(failed)} of {len(scripts)} went well. {shown}")
    vault.write(vault.ROOT / "Dashboard.md", f"# Vault\n\n```\n{status.text()}```\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
