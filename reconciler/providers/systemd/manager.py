"""The programs of systemd, asked and told: which managers answer, what they run, whether new units are sound.

Knows no resource; texts of programs are understood here and nowhere else.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from reconciler.host.protocol import Completed, Host
from reconciler.model.errors import ApplyError, HostError, ObserveError
from reconciler.model.frozen import dataclass

Scope: TypeAlias = Literal["user", "system"]
SCOPES: tuple[Scope, ...] = ("system", "user")
LOOK, WORK = 15.0, 110.0  # seconds: a start may take systemd's own 90
_ABOUT = "Version,UnitPath,SystemState,UnitsLoadTimestamp,UnitsLoadFinishTimestamp"
_SILENT = ("Failed to connect to bus", "System has not been booted", "Failed to get D-Bus connection")
_JUDGE = (
    'd=$(mktemp -d) && trap \'rm -rf "$d"\' EXIT && cd "$d" && tar -xf - || exit; '
    '[ -z "$1" ] || export SYSTEMD_UNIT_PATH="$1" SYSTEMD_ENVIRONMENT_GENERATOR_PATH=; '
    'shift; systemd-analyze verify "$@" 2>&1'
)
_NO_PROGRAM = (
    "install that program, or correct the `command` in the manifest: its file is not there, or may not be run"
)
_HINTS = {
    "user": "log in as that user, or set XDG_RUNTIME_DIR=/run/user/$(id -u), with `loginctl enable-linger` done once",
    "system": "this machine was not booted by systemd: write `scope: user` where a user manager runs",
}


@dataclass(frozen=True, slots=True)
class Instance:
    """One manager that answers: where its units lie, and since when it knows them."""

    scope: Scope
    folder: str  # where our units go
    path: tuple[str, ...]  # every unit folder, the first wins
    loaded: datetime | None


@dataclass(frozen=True, slots=True)
class Silent:
    """A manager that is not there, with the reason in words for people."""

    scope: Scope
    why: str
    hint: str


class Unit(NamedTuple):
    """What a manager says about one unit that it knows."""

    load: str
    active: str
    sub: str


def default_scope(user: str) -> Scope:
    """Whose manager is meant where a manifest does not say."""
    return "system" if user == "root" else "user"


def ask(host: Host, scope: Scope) -> Instance | Silent:
    """Whether a manager answers. "No manager" is an answer; anything else that goes wrong is not."""
    done = host.query(systemctl(scope, "--timestamp=us+utc", "show", f"--property={_ABOUT}"), timeout=LOOK)
    said = _text(done.stderr)
    if done.code != 0 and said.startswith(_SILENT):
        return Silent(scope, f"the {scope} manager of systemd does not answer: {said.splitlines()[0]}", _HINTS[scope])
    if done.code != 0:
        raise ObserveError(f"cannot ask the {scope} manager of systemd: {said or f'exit status {done.code}'}")
    about = _properties(done.stdout)
    if about.get("SystemState") == "stopping":
        return Silent(scope, f"the {scope} manager of systemd is stopping", "wait until the machine is up again")
    path = tuple(about.get("UnitPath", "").split())
    folder = path[0].removesuffix(".control") if path else ""
    if not folder.startswith("/") or not folder.endswith(f"/systemd/{scope}"):
        raise ObserveError(
            f"cannot tell where the {scope} manager of systemd keeps units: it says {about.get('UnitPath', '')!r}",
            hint="unset SYSTEMD_UNIT_PATH" if path else "see what `systemctl` runs on this host",
        )
    times = [_time(about.get(name, "")) for name in ("UnitsLoadTimestamp", "UnitsLoadFinishTimestamp")]
    return Instance(scope, folder, path, max((time for time in times if time is not None), default=None))


def units(host: Host, scope: Scope, *patterns: str) -> dict[str, Unit]:
    """What the manager knows of units with such names, in one call."""
    done = _asked(host, scope, "list-units", "--all", "--output=json", "--", *patterns)
    try:
        rows = json.loads(done.stdout or b"[]")
        return {row["unit"]: Unit(row["load"], row["active"], row["sub"]) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise ObserveError(f"cannot understand the units of the {scope} manager: {error}") from error


def show(host: Host, scope: Scope, properties: str, names: Sequence[str]) -> dict[str, Mapping[str, str]]:
    """Properties of these units, by name. Costs 0.4 ms for each: ask only about suspects."""
    if not names:
        return {}
    done = _asked(host, scope, "show", f"--property=Id,{properties}", "--", *names)
    blocks = [_properties(block) for block in done.stdout.split(b"\n\n")]
    return {block["Id"]: block for block in blocks if "Id" in block}


def tell(host: Host, scope: Scope, verb: str, *names: str, options: Sequence[str] = ()) -> None:
    """One command for all of these units. Raises ApplyError with what systemd says."""
    done = host.execute(systemctl(scope, verb, *options, *(("--", *names) if names else ())), timeout=WORK)
    if done.code != 0:
        said = _text(done.stderr) or f"exit status {done.code}"
        raise ApplyError(
            f"cannot {verb} units of the {scope} manager: {said}", hint=journal(scope, names[0]) if names else None
        )


def start(host: Host, scope: Scope, names: Sequence[str]) -> None:
    """Start all of them in one call. Raises ApplyError with the last words of one that failed."""
    done = host.execute(systemctl(scope, "start", "--", *names), timeout=WORK)
    if done.code == 0:
        return
    known = units(host, scope, *names)
    failed = [name for name in names if name not in known or known[name].active != "active"] or list(names)
    about = host.query(systemctl(scope, "status", "--full", "--lines=5", "--", failed[0]), timeout=LOOK)
    last = " | ".join(line.strip() for line in _text(about.stdout).splitlines() if line.strip())
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    said = " ".join(_text(done.stderr).split())
    raise ApplyError(f"cannot start {failed[0]}{more}: {last or said}"[:2000], hint=journal(scope, failed[0]))


def verify(host: Host, manager: Instance, files: Mapping[str, bytes]) -> None:
    """Let systemd judge new unit files in a folder of their own. Raises ApplyError with its complaints.

    First beside the units that came with systemd only, because reading what else the machine has takes four times as
    long (measured). Whoever is refused there is judged again beside everything.
    """
    shipped = ":".join(folder for folder in manager.path if folder.endswith(f"/lib/systemd/{manager.scope}"))
    complaint = ""
    for path in (shipped, ""):
        complaint = _complaint(host, manager.scope, path, files)
        if not complaint:
            return
    hint = _NO_PROGRAM if " is not executable" in complaint else None
    raise ApplyError(f"cannot install units: systemd-analyze verify refuses them: {complaint}", hint=hint)


def _complaint(host: Host, scope: Scope, path: str, files: Mapping[str, bytes]) -> str:
    """What systemd says against these files, or nothing. `path`: folders of other units; empty: the usual ones."""
    options = ["--user"] if scope == "user" else []
    arguments = [path, *options, "--man=no", *(f"./{name}" for name in sorted(files))]
    done = host.query(["sh", "-c", _JUDGE, "verify", *arguments], timeout=WORK, stdin=_packed(files))
    lines = _text(done.stdout + done.stderr).splitlines()
    ours = [line for line in lines if any(name in line for name in files)]
    if done.code == 0 and not ours:
        return ""
    said = "; ".join(line.rsplit("/", 1)[-1] if line.startswith("/tmp/") else line for line in ours or lines)  # noqa: S108
    return said or str(done.code)


def _packed(files: Mapping[str, bytes]) -> bytes:
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def systemctl(scope: Scope, *arguments: str) -> list[str]:
    return ["systemctl", f"--{scope}", "--no-pager", "--no-ask-password", *arguments]


def run(host: Host, *argv: str) -> None:
    """One of the small programs that make folders and links."""
    done = host.execute(argv, timeout=LOOK)
    if done.code != 0:
        raise ApplyError(f"cannot run {argv[0]}: {_text(done.stderr)}")


def _asked(host: Host, scope: Scope, *arguments: str) -> Completed:
    done = host.query(systemctl(scope, *arguments), timeout=LOOK)
    if done.code != 0:
        raise ObserveError(f"cannot {arguments[0]} of the {scope} manager: {_text(done.stderr) or done.code}")
    return done


def journal(scope: Scope, name: str) -> str:
    """Where a unit's own words are."""
    user = " --user" if scope == "user" else ""
    return f"`journalctl{user} -u {name}` has what it said"


def _properties(block: bytes) -> dict[str, str]:
    pairs = (line.partition("=") for line in _text(block).splitlines())
    return {name: value for name, equals, value in pairs if equals}


def _time(text: str) -> datetime | None:
    """`Sat 2026-11-21 03:24:20.123456 UTC`; None where there is none."""
    try:  # not strptime: it costs the import of two modules
        return datetime.fromisoformat(text.partition(" ")[2].removesuffix(" UTC") + "+00:00")
    except ValueError:
        return None


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace").strip()


def programs_missing(host: Host) -> str | None:
    """The first program that is needed and not there."""
    try:
        return next((name for name in ("systemctl", "systemd-analyze", "find") if host.which(name) is None), None)
    except HostError as error:
        raise ObserveError(f"cannot look for systemd: {error.message}") from error
