"""Writes a plan for every file of Inbox that stands in Needs_Action and has none yet.

A plan that is there is never touched: people tick things off in it.
"""

from __future__ import annotations

import vault

SHOWN = 5  # lines of the file that stand in its plan
READ = 4096  # bytes


def plan(name: str) -> str:
    with (vault.folder("Inbox") / name).open("rb") as file:
        lines = file.read(READ).decode("utf-8", "replace").splitlines()
    quoted = "".join(f"> {vault.readable(line)}\n" for line in lines[:SHOWN]) or "> (empty)\n"
    steps = "- [ ] read it\n- [ ] decide\n- [ ] move its note from Needs_Action to Done\n"
    return f"# Plan for {vault.readable(name)}\n\n{quoted}\n{steps}"


def main() -> None:
    planned = 0
    waiting, plans = set(vault.files("Needs_Action")), set(vault.files("Plans"))
    for name in vault.files("Inbox"):
        if f"{name}.md" not in waiting or f"{name}.plan.md" in plans:
            continue
        try:
            text = plan(name)
        except FileNotFoundError:
            continue  # somebody took it meanwhile
        vault.write(vault.folder("Plans") / f"{name}.plan.md", text)
        vault.say("planner", f"planned {vault.readable(name)}")
        planned += 1
    vault.say("planner", f"{planned} planned")


if __name__ == "__main__":
    main()
