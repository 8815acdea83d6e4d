"""Notes every new file of Inbox in Needs_Action. Files of people are only read, never moved.

A file that was changed in the last two seconds may still be arriving: it waits for the next run.
"""

from __future__ import annotations

import time

import vault

SETTLED = 2.0  # seconds


def main() -> None:
    noted, now = 0, time.time()
    known = {*vault.files("Needs_Action"), *vault.files("Done")}
    for name in vault.files("Inbox"):
        if f"{name}.md" in known or name in known:
            continue
        try:
            about = (vault.folder("Inbox") / name).stat()
        except FileNotFoundError:
            continue  # somebody took it meanwhile
        if 0 <= now - about.st_mtime < SETTLED:
            continue
        text = f"# {vault.readable(name)}\n\nArrived in Inbox, {about.st_size} bytes. Nobody has looked at it yet.\n"
        vault.write(vault.folder("Needs_Action") / f"{name}.md", text)
        vault.say("watcher", f"new in Inbox: {vault.readable(name)}")
        noted += 1
    vault.say("watcher", f"{noted} new")


if __name__ == "__main__":
    main()
