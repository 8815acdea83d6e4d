"""One label on the host: read it, take it down, put it up. Each is idempotent; none knows of changes.

The order makes a kill between any two steps harmless: a label is gone from launchd before its plist changes, so
launchd never runs a definition that is older than the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.errors import ApplyError
from reconciler.providers.launchd import control
from reconciler.providers.launchd.definition import DIGEST, Plist, load, mark_of
from reconciler.providers.launchd.look import File, read
from reconciler.providers.launchd.session import Session, listing, make_folder

MODE = 0o644
_SPAWN_WAIT = (0.1, 0.2, 0.4, 0.8)  # registered and yet not started was seen; then a plain kickstart helps


@dataclass(frozen=True, slots=True)
class Unit:
    """A plist as it shall stand. `domain` is where it shall be loaded; None: nowhere."""

    path: Path
    label: str
    content: bytes
    domain: str | None
    mode: int = MODE

    @property
    def plist(self) -> Plist:
        return load(self.content) or {}


def at(host: Host, path: Path, scope: str) -> File | None:
    """The file at a path. Raises HostError."""
    entry = listing(host, path.parent).get(path.name)
    return read(host, path.parent, scope, entry) if entry else None


def present(host: Host, here: Session, scope: str) -> tuple[str, ...]:
    """The domains of a scope that there are now, the preferred first."""
    return tuple(name for name in here.domains(scope) if control.domain(host, name) is not None)


def loaded_in(host: Host, here: Session, scope: str, label: str) -> tuple[str, ...]:
    """Every domain that holds a label: all are asked, for a label may be where nobody expects it."""
    return tuple(name for name in here.domains(scope) if control.job(host, f"{name}/{label}") is not None)


def stands(host: Host, here: Session, scope: str, unit: Unit) -> bool:
    """Whether the file and what launchd holds are this unit already."""
    found = at(host, unit.path, scope)
    if found is None or found.content != unit.content or found.entry.mode != unit.mode:
        return False
    domains = loaded_in(host, here, scope, unit.label)
    if domains != ((unit.domain,) if unit.domain else ()):
        return False
    job = control.job(host, f"{unit.domain}/{unit.label}") if unit.domain else None
    return job is None or control.is_that(job, mark_of(unit.plist, DIGEST))


def take_down(host: Host, here: Session, scope: str, label: str) -> None:
    """Unload a label wherever it is. Its plist stays."""
    for name in loaded_in(host, here, scope, label):
        control.bootout(host, f"{name}/{label}")


def put_up(host: Host, here: Session, scope: str, unit: Unit, *, afresh: bool = False) -> None:
    """Make a unit stand: unload what there is, write, enable, load, look. Raises WrongDomain, ApplyError, HostError.

    `afresh`: even if it seems to stand; after a failure a label may be on its way out.
    """
    if not afresh and stands(host, here, scope, unit):
        return
    make_folder(host, unit.path.parent)
    for key in ("StandardOutPath", "StandardErrorPath"):
        log = unit.plist.get(key)
        if isinstance(log, str) and "/reconciler/" in log:  # folders of other people are theirs
            make_folder(host, Path(log).parent)
    take_down(host, here, scope, unit.label)
    found = at(host, unit.path, scope)
    if found is None or found.content != unit.content or found.entry.mode != unit.mode:
        host.write(unit.path, unit.content, mode=unit.mode)
    if unit.domain is not None:
        load_unit(host, unit, unit.domain)


def load_unit(host: Host, unit: Unit, domain: str) -> None:
    """Load a plist that is written, and see it started where it shall start at once."""
    target = f"{domain}/{unit.label}"
    plist = unit.plist
    control.enable(host, target)
    control.bootstrap(host, domain, unit.label, unit.path, mark_of(plist, DIGEST))
    if plist.get("RunAtLoad") is not True:
        return
    for pause in _SPAWN_WAIT:
        job = control.job(host, target)
        if job is None:
            raise ApplyError(f"cannot load {unit.path}: {target} vanished right after it was loaded")
        if job.pid is not None or job.exit_code is not None:
            return
        host.clock.sleep(pause)
    control.kickstart(host, target)


def remove(host: Host, here: Session, scope: str, label: str, path: Path) -> None:
    """Unload a label and remove its plist. What it logged stays."""
    take_down(host, here, scope, label)
    host.remove(path)
