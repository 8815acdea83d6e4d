"""Whose launchd this is: user, home, folders and domains; what lies in a folder, with owner and mode. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.host.protocol import Completed, Host
from reconciler.model.errors import HostError
from reconciler.model.lazy import pattern
from reconciler.model.state import State

TIMEOUT = 20.0
DAEMONS = Path("/Library/LaunchDaemons")
# `ls -ln` with LC_ALL=C, the same in both families: mode, links, owner, group, size, three words of date, name.
_ENTRY = pattern(r"(?P<mode>[-bcdlps][-rwxsStT]{9})\S?\s+\d+\s+(?P<uid>\d+)\s+\d+\s+\d+(?:\s+\S+){3} (?P<name>.+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One regular file in a folder."""

    name: str
    uid: int
    mode: int  # the nine permission bits


@dataclass(frozen=True, slots=True)
class Session:
    """Who runs this. Root is the system; everybody else has agents."""

    uid: int
    home: str

    @property
    def scope(self) -> str:
        return "system" if self.uid == 0 else "user"

    def scope_of(self, state: State | None) -> str:
        named = state.attributes.get("scope") if state is not None else None
        return named if isinstance(named, str) else self.scope

    def folder(self, scope: str) -> Path:
        return DAEMONS if scope == "system" else Path(self.home, "Library", "LaunchAgents")

    def domains(self, scope: str) -> tuple[str, ...]:
        """Where a label of this scope can be, the preferred first."""
        return ("system",) if scope == "system" else (f"gui/{self.uid}", f"user/{self.uid}")

    def owner(self, scope: str) -> int:
        """Whose the plists must be, or launchd refuses them."""
        return 0 if scope == "system" else self.uid


def session(host: Host) -> Session:
    """Ask who runs this. Raises HostError."""
    uid = _output(host, ["id", "-u"]).strip()
    home = _output(host, ["printenv", "HOME"]).removesuffix("\n")
    if not uid.isdigit() or not home.startswith("/"):
        raise HostError(f"cannot tell whose launchd this is: uid {uid!r}, home {home!r}", hint="set HOME")
    return Session(int(uid), home.rstrip("/") or "/")


def listing(host: Host, folder: Path) -> dict[str, Entry]:
    """The regular files in a folder by name; none where there is no such folder. Raises HostError."""
    done = host.query(["ls", "-lnA", str(folder)], timeout=TIMEOUT)
    if done.code != 0:
        if b"No such file or directory" in done.stderr:
            return {}
        raise HostError(f"cannot list {folder}: {words(done)}")
    found: dict[str, Entry] = {}
    for line in done.stdout.decode("utf-8", "surrogateescape").split("\n"):
        match = _ENTRY.fullmatch(line)
        if match is not None and match["mode"].startswith("-"):
            found[match["name"]] = Entry(match["name"], int(match["uid"]), _bits(match["mode"]))
    return found


def make_folder(host: Host, folder: Path) -> None:
    """A folder with those above it; one that exists is fine. Raises HostError."""
    done = host.execute(["mkdir", "-p", str(folder)], timeout=TIMEOUT)
    if done.code != 0:
        raise HostError(
            f"cannot make the folder {folder}: {words(done)}", hint="correct who owns the folder above it"
        )


def words(done: Completed) -> str:
    """What a failed program said, on one line."""
    text = (done.stderr or done.stdout).decode("utf-8", "replace")
    said = "; ".join(line.strip() for line in text.splitlines() if line.strip())[:300]
    return f"status {done.code}: {said}" if said else f"status {done.code}, and it said nothing"


def _output(host: Host, argv: Sequence[str]) -> str:
    done = host.query(argv, timeout=TIMEOUT)
    if done.code != 0:
        raise HostError(f"cannot run {' '.join(argv)}: {words(done)}")
    return done.stdout.decode("utf-8", "surrogateescape")


def _bits(mode: str) -> int:
    bits = 0
    for letter in mode[1:]:
        bits = bits * 2 + (letter not in "-ST")
    return bits
