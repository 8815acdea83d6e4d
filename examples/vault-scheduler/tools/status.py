"""Prints how many files stand in each folder of the vault, and the size of its log. Changes nothing."""

from __future__ import annotations

import vault


def counts() -> dict[str, int]:
    return {name: len(vault.files(name)) for name in vault.FOLDERS}


def log_size() -> str:
    return f"{vault.LOG.stat().st_size / 2**20:.2f} MB" if vault.LOG.exists() else "not created yet"


def text() -> str:
    lines = [f"{name + ':':<14}{count} {'file' if count == 1 else 'files'}" for name, count in counts().items()]
    return "\n".join([*lines, f"{'Log:':<14}{log_size()}"]) + "\n"


if __name__ == "__main__":
    print(text(), end="")
