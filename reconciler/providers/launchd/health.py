"""Whether launchd really runs what it holds: loaded, the definition that was written, and not failing at once."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.providers.launchd import control
from reconciler.providers.launchd.definition import label_of
from reconciler.providers.launchd.look import File, own_domain
from reconciler.providers.launchd.session import Session, session
from reconciler.providers.launchd.unit import at, present

PATIENCE = 5.0  # seconds for a service to get its process
_CANNOT_START = {78: "a folder, a log file or its program cannot be used", 126: "its program cannot be run",
                 127: "its program is not found"}  # fmt: skip


def health(host: Host, ids: Sequence[ResourceId]) -> dict[ResourceId, str]:
    """Why some of these will not run, by address. Raises HostError."""
    here, found = session(host), {}
    for id_ in ids:
        files = (at(host, here.folder(scope) / f"{label_of(id_)}.plist", scope) for scope in _scopes(here))
        file = next((found for found in files if found is not None), None)
        why = "its plist is gone" if file is None else _one(host, here, id_, file)
        if why is not None:
            found[id_] = why
    return found


def _scopes(here: Session) -> tuple[str, ...]:
    return (here.scope, "user" if here.scope == "system" else "system")


def _one(host: Host, here: Session, id_: ResourceId, file: File) -> str | None:
    domain = own_domain(file, here)
    target = f"{domain}/{file.label}"
    if domain not in present(host, here, file.scope):
        return None  # it is loaded at the next login
    job = control.job(host, target)
    if job is None:
        return f"{target} is not loaded"
    if not control.is_that(job, file.digest):
        return f"launchd runs an older definition of {target} than {file.path} holds"
    if id_.kind == "Service":
        return _service(host, target, file)
    cause = _CANNOT_START.get(job.exit_code or 0)
    return f"{target} ended with status {job.exit_code} last time: {cause}" if cause else None


def _service(host: Host, target: str, file: File) -> str | None:
    """A service has a process, or ended as its restart policy allows."""
    keep = (file.plist or {}).get("KeepAlive")
    deadline = host.clock.monotonic() + PATIENCE
    while True:
        job = control.job(host, target)
        if job is None:
            return f"{target} is no longer loaded"
        if job.pid is not None or (job.exit_code == 0 and keep is not True):
            return None
        if job.exit_code not in (None, 0):
            cause = _CANNOT_START.get(job.exit_code or 0)
            return f"{target} ended with status {job.exit_code}{f': {cause}' if cause else ''}"
        if host.clock.monotonic() >= deadline:
            return f"{target} is loaded, but has no process (state: {job.state or 'unknown'})"
        host.clock.sleep(0.2)
