"""`reconcile doctor`: what this machine offers and what is in the way. Looks only, and never stops half-way."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click

from reconciler.cli.session import DEFAULT_PATH, output_option, print_json, wants_colour
from reconciler.host.protocol import Host
from reconciler.model.errors import LoadError, ReconcileError
from reconciler.settings import FILE_NAME, Folders, Settings, closed_to_others, find, folders, read, this_machine

_LITTLE, _TOO_LITTLE = 100 * 2**20, 10 * 2**20  # bytes free for the journal
_DAEMONS = frozenset({"cron", "crond"})


class Mark(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `hint` says what to do about it."""

    name: str
    mark: Mark
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the checks look. `system` is the root of the file system."""

    host: Host
    folders: Folders
    tree: Path
    system: Path = Path("/")


@click.command
@output_option("text", "json")
def command(output: str) -> int:
    """Check what this machine offers and what is in the way. Changes nothing.

    \b
    Exit code: 1 when a check fails, else 0.
    """
    from reconciler.host.readonly import ReadOnlyHost

    places, tree = folders(os.environ, root=os.geteuid() == 0), Path(DEFAULT_PATH)
    try:
        settings = read(tree, None)
    except ReconcileError:  # told by the check of the settings
        settings = Settings()
    host = ReadOnlyHost(this_machine(places, settings), lambda what: click.echo(what, err=True))
    found = examine(Machine(host, places, tree))
    failed = any(finding.mark is Mark.FAIL for finding in found)
    if output == "json":
        checks = [{"name": f.name, "result": str(f.mark), "message": f.message, "hint": f.hint} for f in found]
        print_json({"ok": not failed, "checks": checks})
    else:
        from reconciler.cli.render.findings import findings_text

        rows = [(str(f.mark), f.name, f.message, f.hint) for f in found]
        sys.stdout.write(findings_text(rows, colour=wants_colour(sys.stdout, os.environ)))
    return int(failed)


def examine(machine: Machine) -> list[Finding]:
    """Every check, each to its end: one that fails to look is a finding too."""
    found: list[Finding] = []
    for name, check in _CHECKS:
        try:
            found.extend(check(machine))  # what it found before it failed stays
        except LoadError as error:
            found.append(_unsound(name, error))
        except ReconcileError as error:
            found.append(Finding(name, Mark.FAIL, error.message, error.hint or ""))
        except OSError as error:
            found.append(Finding(name, Mark.FAIL, f"cannot look at {error.filename}: {error.strerror}"))
    return found


def _unsound(name: str, error: LoadError) -> Finding:
    first, more = error.problems[0], len(error.problems) - 1
    rest = f" (and {more} more: `reconcile validate` shows them)" if more else ""
    return Finding(name, Mark.FAIL, f"{first.place}: {first.message}{rest}", first.hint or "")


def _platform(machine: Machine) -> Iterator[Finding]:
    import platform

    from reconciler import __version__

    facts = machine.host.facts()
    yield Finding("reconcile", Mark.OK, f"version {__version__} on Python {platform.python_version()}")
    yield Finding("host", Mark.OK, f"{facts.name} ({facts.platform}), as {facts.user}")


def _settings(machine: Machine) -> Iterator[Finding]:
    from reconciler.cli.doctor_backends import listed_plugins

    path = find(machine.tree)
    if path is None:
        yield Finding("settings", Mark.OK, f"no {FILE_NAME} here, so the defaults hold")
        return
    listed_plugins(machine.tree)
    yield Finding("settings", Mark.OK, f"{path} is valid")


def _plugins(machine: Machine) -> Iterator[Finding]:
    from reconciler.cli.doctor_backends import listed_plugins
    from reconciler.registry import registry

    try:
        names = listed_plugins(machine.tree)
    except LoadError:  # told by the check of the settings
        names = ()
    beside = find(machine.tree) if names else None
    if not names:
        yield Finding("plugins", Mark.OK, f"none listed; built in: {', '.join(registry().providers)}")
    for name in names:
        try:
            registry((name,), beside.parent if beside is not None else None)
            yield Finding("plugins", Mark.OK, f"{name} is found")
        except (ReconcileError, ImportError, AttributeError) as error:
            hint = getattr(error, "hint", None) or "reinstall it, or take it out of `plugins`"
            yield Finding("plugins", Mark.FAIL, str(error), hint)


def _backends(machine: Machine) -> Iterator[Finding]:
    """Can each backend be used, be read, and will it run what it holds?"""
    from reconciler.cli.doctor_backends import about, inventory, known, wanted

    host, registry = machine.host, known(machine.tree)
    owned = inventory(host, machine.folders.state)
    doubtful = False
    try:
        asked = wanted(host, machine.tree, owned, registry)
    except ReconcileError as error:  # anything but the manifests is told below, by the backend that it is about
        if isinstance(error, LoadError):
            yield _unsound("manifests", error)
        doubtful = not isinstance(error, LoadError)
        asked = wanted(host, None, owned, registry)
    for name, provider in registry.providers.items():
        for said in about(host, name, provider, asked.get(name, ()), doubtful=doubtful):
            mark = Mark.OK if said.good else Mark.FAIL if said.needed else Mark.WARN
            yield Finding(said.name, mark, said.message, said.hint)


def _runner(machine: Machine) -> Iterator[Finding]:
    """Root may write automations of other users; those must be able to start the runner and all that it needs."""
    if machine.host.facts().user != "root":
        return
    closed = closed_to_others(machine.folders)
    if not closed:
        yield Finding("runner", Mark.OK, "automations of other users can go through it")
        return
    cause = f"other users cannot get into {' and '.join(map(str, closed))}"
    hint = "install Python and reconciler where everybody may read them (/opt, /usr/local), not in a home folder"
    message = f"{cause}: automations with `user` start without it, unbounded and unrecorded"
    yield Finding("runner", Mark.WARN, message, hint)


def _folders(machine: Machine) -> Iterator[Finding]:
    state, cache = machine.folders.state, machine.folders.cache
    yield _writable("state", state, Mark.FAIL, "RECONCILER_STATE_DIR")
    yield _space(state)
    yield _writable("cache", cache, Mark.WARN, "RECONCILER_CACHE_DIR")


def _writable(name: str, folder: Path, trouble: Mark, variable: str) -> Finding:
    near = _nearest(folder)
    hint = f"correct its owner and mode, or name another folder in {variable}"
    if not near.is_dir():
        return Finding(name, trouble, f"{near} is not a folder", hint)
    if not os.access(near, os.R_OK | os.W_OK | os.X_OK):
        return Finding(name, trouble, f"{near} is not writable for you", hint)
    return Finding(name, Mark.OK, f"{folder}{'' if near == folder else ' will be made when it is needed'}")


def _space(folder: Path) -> Finding:
    status = os.statvfs(_nearest(folder))
    free = status.f_bavail * status.f_frsize
    message = f"{free // 2**20:,} MiB free for the journal"
    if free >= _LITTLE:
        return Finding("disk", Mark.OK, message)
    hint = "free some space: without it nothing is applied, and nothing can be undone"
    return Finding("disk", Mark.FAIL if free < _TOO_LITTLE else Mark.WARN, message, hint)


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next((each for each in (folder, *folder.absolute().parents) if each.exists()), Path("/"))


def _journal(machine: Machine) -> Iterator[Finding]:
    from reconciler.jobs import lacking
    from reconciler.journal.journal import FILE, Journal
    from reconciler.past import half_undone

    state = machine.folders.state
    if not (state / FILE).exists():
        yield Finding("journal", Mark.OK, "none yet; the first apply begins it")
    else:
        with Journal.open(state, clock=machine.host.clock, read_only=True) as journal:
            trouble, interrupted, inventory = journal.set_aside, journal.interrupted(), journal.inventory()
            failed = half_undone(journal)
        if trouble is not None:
            yield Finding("journal", Mark.FAIL, trouble, "keep a copy of it if its history matters to you")
        else:
            message = f"{state / FILE} is readable and owns {len(inventory):,} of the host's entries"
            yield Finding("journal", Mark.OK, message)
        for message, hint in lacking(state, inventory):
            yield Finding("runs", Mark.FAIL, message, hint)
        if failed is not None:
            message = f"rollout {failed.number} ({failed.verb}) failed and could not be undone completely"
            hint = "repair what `reconcile status` names, then `reconcile resume`"
            yield Finding("journal", Mark.FAIL, message, hint)
        if interrupted is not None:
            message = f"rollout {interrupted.number} ({interrupted.verb}) did not finish, unless it is running now"
            yield Finding("journal", Mark.WARN, message, "the next `reconcile apply` finishes or undoes it")
    aside = sorted(path.name for path in state.glob("journal-*.broken.db"))
    if aside:
        message = f"{', '.join(aside)} in {state}: broken, set aside earlier"
        yield Finding("journal", Mark.WARN, message, "delete what you no longer need")


def _lock(machine: Machine) -> Iterator[Finding]:
    from reconciler.journal.lock import holder

    found = holder(machine.folders.state)
    if found is None:
        yield Finding("lock", Mark.OK, "nobody is applying")
    else:
        since = found.started.strftime("%Y-%m-%dT%H:%M:%SZ")
        yield Finding("lock", Mark.OK, f"held by pid {found.pid} ({found.purpose}) on {found.host} since {since}")


def _tools(machine: Machine) -> Iterator[Finding]:
    from importlib.util import find_spec

    git = machine.host.which("git")
    hint = "install git: revisions are called by a digest until then"
    yield Finding("git", Mark.OK, git) if git else Finding("git", Mark.WARN, "there is no `git` program", hint)
    if find_spec("ryaml") is not None:
        yield Finding("yaml", Mark.OK, "the fast reader is installed")
    else:
        message = "the fast reader is not installed; large trees load slowly the first time"
        yield Finding("yaml", Mark.WARN, message, "pip install 'reconciler[fast]'")


def _time_zone(machine: Machine) -> Iterator[Finding]:
    """Plans count next runs in the machine's zone; cron counts in its own. They must be the same."""
    from reconciler.cli.zones import compare

    name = machine.host.facts().timezone
    if not name:
        hint = "make /etc/localtime a link into /usr/share/zoneinfo, or name the zone in /etc/timezone"
        yield Finding("time zone", Mark.WARN, "the host does not say its time zone, so plans show UTC", hint)
        return
    daemons = machine.host.processes(_DAEMONS)[:1]
    views, other = compare(daemons[0] if daemons else None, machine.system)
    if other:
        hint = "make them agree, and restart cron: it keeps the zone that it was started with"
        differ = f"{' and '.join(other)} {'differs' if len(other) == 1 else 'differ'} from /etc/localtime"
        message = f"{differ}: plans may show other times than cron keeps"
        yield Finding("time zone", Mark.WARN, message, hint)
    else:
        same = f", the same in {', '.join(views)}" if views else ""
        yield Finding("time zone", Mark.OK, f"{name}{same}")


_CHECKS: tuple[tuple[str, Callable[[Machine], Iterator[Finding]]], ...] = (
    ("host", _platform),
    ("settings", _settings),
    ("plugins", _plugins),
    ("backends", _backends),
    ("runner", _runner),
    ("state", _folders),
    ("journal", _journal),
    ("lock", _lock),
    ("tools", _tools),
    ("time zone", _time_zone),
)
