"""`python -m reconciler.supervisor COMMAND --state DIR`: the resident process, and what can be said to it."""

from __future__ import annotations

import argparse
import os
import sys

from reconciler.supervisor.control import Trouble, ask, run, said, start
from reconciler.supervisor.place import Place

_TARGETS = {"stop": ("POST", "/stop"), "retry": ("POST", "/retry"), "status": ("GET", "/status")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reconciler.supervisor", description=__doc__)
    parser.add_argument("command", choices=("run", "start", *_TARGETS))
    parser.add_argument("--state", required=True, help="the state folder that it belongs to")
    parser.add_argument("--stay", action="store_true", help="run, start: go on with nothing to do")
    parser.add_argument("--ready", type=int, default=-1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    place = Place(options.state)
    try:
        if options.command == "run":
            return run(place, ready=options.ready, stay=options.stay)
        if options.command == "start":
            os.write(1, f"{start(place, stay=options.stay)}\n".encode())
            return 0
    except Trouble as trouble:
        os.write(2, f"{trouble}\n".encode())
        return 1
    answer = ask(place, *_TARGETS[options.command], 600.0)
    told = said(options.command, answer) if answer else "no supervisor runs"
    os.write(1, f"{told}\n".encode())
    return 0 if answer else 1


if __name__ == "__main__":
    sys.exit(main())
