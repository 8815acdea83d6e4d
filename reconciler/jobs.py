"""What runs of automations need on disk: their job files, and the launcher that schedulers call.

Both are written before the first line that names them. A job file never changes: an undone change finds its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import reconciler
from reconciler.model.data import Json
from reconciler.model.errors import ReconcileError
from reconciler.model.intent import Intent
from reconciler.model.job import Job, called
from reconciler.model.state import Owned
from reconciler.settings import Folders

FOLDER = "jobs"
_FEW = 16  # files up to which each is forced to disk by itself


def missing(state: Path, jobs: Iterable[Job]) -> list[Job]:
    """The jobs whose files are not there, by one look at the folder."""
    there = _present(state)
    return [job for job in jobs if there.get(job.file_name) != len(job.content)]


def _present(state: Path) -> dict[str, int]:
    """The job files that are there, with their sizes."""
    try:
        with os.scandir(state / FOLDER) as entries:
            return {entry.name: entry.stat().st_size for entry in entries}
    except OSError:
        return {}


def prepare(folders: Folders, intents: Sequence[Intent], runner: str) -> None:
    """Write what is not there yet. Raises ReconcileError; nothing on the host has changed by then."""
    run = any(called(intent.state.attributes.get("command")) for intent in intents)
    try:
        if run and runner == str(folders.launcher.absolute()):
            _write_launcher(folders.launcher)
        _write_jobs(folders.state, missing(folders.state, (i.job for i in intents if i.job is not None)))
    except OSError as error:
        raise ReconcileError(
            f"cannot prepare the runs of automations: {error.strerror or error}",
            where=str(error.filename or folders.state),
            hint="nothing was changed; make room or set RECONCILER_STATE_DIR and RECONCILER_BIN_DIR",
        ) from error


def remembered(state: Path, intents: Sequence[Intent], inventory: Sequence[Owned]) -> dict[str, Json]:
    """Settings of the runs as they are now, by digest, of those automations whose settings are about to change."""
    wanted = {intent.id: intent.job.digest for intent in intents if intent.job is not None}
    found: dict[str, Json] = {}
    for entry in inventory:
        call = called(entry.state.attributes.get("command"))
        if call is None or not call[1] or wanted.get(entry.id) == call[1]:
            continue
        known = settings(state, *call)
        if known is not None:
            found[call[1]] = known
    return found


def lacking(state: Path, inventory: Sequence[Owned]) -> tuple[tuple[str, str], ...]:
    """What the schedulers' lines call and is not there any more: a sentence each, and what to do."""
    programs: dict[str, list[str]] = {}
    files: dict[str, str] = {}
    for entry in inventory:
        command = entry.state.attributes.get("command")
        if (call := called(command)) is not None:
            programs.setdefault(str(cast("Sequence[str]", command)[0]), []).append(call[0])
            if call[1]:
                files[f"{call[0]}-{call[1]}.json"] = call[0]
    gone = [(path, names) for path, names in sorted(programs.items()) if not os.access(path, os.X_OK)]
    lost = sorted(files[name] for name in files.keys() - _present(state).keys())
    hint = "`reconcile apply` puts it back"
    found = [(f"{path} is gone or not executable, so {_first(names)} cannot run", hint) for path, names in gone]
    if lost:
        found.append(
            (f"the job file of {_first(lost)} is gone from {state / FOLDER}: it runs without settings", hint)
        )
    return tuple(found)


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"Automation/{min(names)}{more}"


def settings(state: Path, name: str, digest: str) -> Json:
    """What a job file says; None where it cannot be read."""
    return _read(state / FOLDER / f"{name}-{digest}.json")


def forget(state: Path, kept: Collection[str]) -> None:
    """Remove job files whose digest nobody names any more. Best effort: what stays costs a few bytes."""
    try:
        with os.scandir(state / FOLDER) as entries:
            gone = [Path(entry.path) for entry in entries if entry.name[:-5].rpartition("-")[2] not in kept]
        for path in gone:
            path.unlink()
    except OSError:
        return


def _read(path: Path) -> Json:
    import json

    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return {name: value for name, value in found.items() if name != "v"} if isinstance(found, Mapping) else None


def _write_jobs(state: Path, jobs: Sequence[Job]) -> None:
    if not jobs:
        return
    folder = state / FOLDER
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o755, exist_ok=True)
    if os.geteuid() == 0:  # automations of other users read what they are told; nothing in it is secret
        state.chmod(state.stat().st_mode | 0o011)
    for job in jobs:
        _write(folder / job.file_name, job.content, 0o644, synced=len(jobs) <= _FEW)
    if len(jobs) > _FEW:
        os.sync()


def _write_launcher(path: Path) -> None:
    from reconciler.runner.launcher import launcher

    package = Path(reconciler.__file__).parent
    text = launcher(sys.executable, str(package), str(Path(sys.executable).with_name("reconcile"))).encode()
    try:
        if path.read_bytes() == text and os.access(path, os.X_OK):
            return
    except FileNotFoundError:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _write(path, text, 0o755, synced=True)


def _write(path: Path, content: bytes, mode: int, *, synced: bool) -> None:
    """Replace a file as a whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if synced:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
