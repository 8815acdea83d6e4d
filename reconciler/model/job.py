"""What the runner is told about an automation: a document with a name that its content decides.

A job file never changes: a line that names one means the same for ever, and an undone change finds its old one.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.data import Json, canonical_text
from reconciler.model.frozen import dataclass
from reconciler.model.state import State

DIGEST_LENGTH = 12  # hex digits of SHA-256
PROGRAM = "reconcile"
SHELL = ("/bin/sh", "-c")  # what runs a command that is a line of text


@dataclass(frozen=True, slots=True)
class Job:
    """The settings of one automation's runs."""

    name: str  # of the automation
    settings: Mapping[str, Json]

    @property
    def content(self) -> bytes:
        return (canonical_text({"v": 1, **self.settings}) + "\n").encode("utf-8", "surrogateescape")

    @property
    def digest(self) -> str:
        from hashlib import sha256  # loads OpenSSL, and most automations have no settings

        return sha256(self.content).hexdigest()[:DIGEST_LENGTH]

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.digest}.json"


def called(command: Json) -> tuple[str, str] | None:
    """Name and digest ("" without a job file) in a command that goes through the runner; None for any other."""
    if not isinstance(command, list | tuple) or len(command) < 5 or command[1] != "exec" or "--" not in command:
        return None
    if str(command[0]).rpartition("/")[2] != PROGRAM:
        return None
    name, _, digest = str(command[2]).partition("@")
    return name, digest


def unwrapped(state: State) -> State:
    """The state as a person would have written it: the bare command and its folder, without the runner."""
    command = state.attributes.get("command")
    if not isinstance(command, list | tuple) or called(command) is None:
        return state
    at = command.index("--")
    bare: list[Json] = list(command[at + 1 :])
    script = len(bare) == 3 and bare[:2] == list(SHELL)
    found: dict[str, Json] = {**state.attributes, "command": bare[2] if script else bare}
    if "--in" in command[:at]:
        found["directory"] = command[command.index("--in") + 1]
    return State(found)
