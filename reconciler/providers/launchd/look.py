"""Observe: every plist of ours, whether launchd holds it, and foreign plists that run what a wanted one would.

Reads only. A change that is not finished counts as not begun: where a wanted state's plist is there but launchd does
not hold it, and the inventory does not know it yet, what the inventory knows is reported.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.host.protocol import Host
from reconciler.model.address import NAME_PATTERN, ResourceId
from reconciler.model.data import Json
from reconciler.model.job import unwrapped
from reconciler.model.lazy import pattern
from reconciler.model.state import Observation, Observed, Ownership, State
from reconciler.provider import Wanted
from reconciler.providers.launchd import control
from reconciler.providers.launchd.definition import (
    DIGEST,
    ID,
    Form,
    Plist,
    argv_of,
    contract,
    document,
    expand,
    label_of,
    load,
    mark_of,
    parse,
    unmarked_text,
)
from reconciler.providers.launchd.session import Entry, Session, listing, session

PROVIDER = "launchd"
KINDS = {"automation": "Automation", "service": "Service"}
_FILE = pattern(rf"reconciler\.(?P<kind>automation|service)\.(?P<name>{NAME_PATTERN})\.plist")


@dataclass(frozen=True, slots=True)
class File:
    """One plist as found. `plist` is None where it is not one."""

    path: Path
    scope: str
    entry: Entry
    content: bytes
    plist: Plist | None

    @property
    def label(self) -> str:
        found = self.plist.get("Label") if self.plist else None
        return found if isinstance(found, str) else self.path.stem

    @property
    def background(self) -> bool:
        return bool(self.plist) and (self.plist or {}).get("LimitLoadToSessionType") == "Background"

    @property
    def digest(self) -> str | None:
        return mark_of(self.plist or {}, DIGEST)


def id_of(name: str) -> ResourceId | None:
    """The address that a file name of ours stands for."""
    match = _FILE.fullmatch(name)
    return ResourceId(KINDS[match["kind"]], match["name"]) if match else None


def is_ours(file: File, id_: ResourceId) -> bool:
    return mark_of(file.plist or {}, ID) == str(id_)


def read(host: Host, folder: Path, scope: str, entry: Entry) -> File | None:
    """A plist, or None where it went meanwhile."""
    path = folder / entry.name
    content = host.read(path)
    return None if content is None else File(path, scope, entry, content, load(content))


def state_of(id_: ResourceId, file: File, here: Session) -> State:
    if file.plist is None:
        return State({"keys": {"not a property list": len(file.content)}})
    return parse(id_, file.plist, Form(here.home, file.background))


def same(one: State | None, other: State | None, here: Session) -> bool:
    """Whether two states mean the same here, however they spell home and the scope."""
    if one is None or other is None:
        return one is other
    return one == other or _spelled(one, here) == _spelled(other, here)


def _spelled(state: State, here: Session) -> dict[str, Json]:
    found = {name: value for name, value in state.attributes.items() if name != "loaded"}
    if isinstance(directory := found.get("directory"), str):
        found["directory"] = contract(expand(directory, here.home), here.home)
    return found


def restore_data(file: File, domain: str) -> dict[str, Json]:
    """What puts a plist back exactly. Latin-1 carries any byte through JSON. `domain` "": it is not loaded."""
    return {
        "path": str(file.path),
        "label": file.label,
        "content": file.content.decode("latin-1"),
        "mode": file.entry.mode,
        "domain": domain,
    }


def observe(host: Host, wanted: Sequence[Wanted]) -> Observation:
    """One look at the folders of one's own scope and of those named in `wanted`."""
    here = session(host)
    states = [state for item in wanted for state in (item.desired, item.applied) if state is not None]
    scopes = sorted({here.scope, *(here.scope_of(state) for state in states)})
    look = _Look(host, here, {item.id: item for item in wanted})
    for scope in scopes:
        look.read_folder(scope)
    found = look.ours()
    seen = {item.id for item in found}
    missing = [item for item in wanted if item.desired is not None and item.id not in seen | look.unfinished]
    found += look.in_the_way(missing)
    return Observation(tuple(sorted(found, key=lambda item: (item.id, item.where))), look.facts())


class _Look:
    """One pass over the folders and domains; each domain is asked for once, and only where it matters."""

    def __init__(self, host: Host, here: Session, wanted: Mapping[ResourceId, Wanted]) -> None:
        self._host = host
        self._here = here
        self._wanted = wanted
        self._folders: dict[str, dict[str, Entry]] = {}
        self._files: dict[ResourceId, File] = {}
        self._unmarked: dict[ResourceId, File] = {}
        self._domains: dict[str, control.Domain | None] = {}
        self._disabled: dict[str, frozenset[str]] = {}
        self.unfinished: set[ResourceId] = set()

    def read_folder(self, scope: str) -> None:
        folder = self._here.folder(scope)
        self._folders[scope] = listing(self._host, folder)
        for name, entry in sorted(self._folders[scope].items()):
            id_ = id_of(name)
            file = read(self._host, folder, scope, entry) if id_ is not None else None
            if id_ is not None and file is not None:
                (self._files if is_ours(file, id_) else self._unmarked)[id_] = file

    def ours(self) -> list[Observed]:
        needed = {file.scope for file in self._files.values()}
        needed |= {self._here.scope_of(item.desired or item.applied) for item in self._wanted.values()}
        for scope in sorted(needed):
            self._ask(scope)
        items = [self._ours(id_, file) for id_, file in self._files.items()]
        return [item for item in [*items, *self._orphans()] if item is not None]

    def _ask(self, scope: str) -> None:
        for name in self._here.domains(scope):
            self._domains[name] = control.domain(self._host, name)
        first = next((name for name in self._here.domains(scope) if self._domains[name] is not None), None)
        self._disabled[scope] = control.disabled(self._host, first) if first else frozenset()

    def _ours(self, id_: ResourceId, file: File) -> Observed | None:
        item, state = self._wanted.get(id_), state_of(id_, file, self._here)
        desired, applied = (item.desired, item.applied) if item else (None, None)
        for known in (desired, applied):
            if known is not None and same(state, known, self._here):
                state = known  # spelled as they spell it
        in_doubt = desired == state and not same(applied, desired, self._here)
        domains = self._loaded_in(file)
        if not self._is_loaded(file, domains):
            if in_doubt:
                return self._not_begun(id_, applied, file)
            if item is None or desired == state:
                state = State({**state.attributes, "loaded": False})
        return self._observed(id_, file, state, Ownership.OURS, self._trouble(file, domains))

    def _not_begun(self, id_: ResourceId, applied: State | None, file: File) -> Observed | None:
        if applied is None:
            self.unfinished.add(id_)
            return None
        return Observed(id_, PROVIDER, applied, Ownership.OURS, str(file.path), document(id_, applied))

    def _loaded_in(self, file: File) -> tuple[str, ...]:
        return tuple(
            name
            for name in self._here.domains(file.scope)
            if (found := self._domains.get(name)) and control.holds(self._host, found, [file.label])
        )

    def _is_loaded(self, file: File, domains: Sequence[str]) -> bool:
        """Whether launchd holds what the file says: it may have been edited, loaded, and put back unloaded."""
        own = own_domain(file, self._here)
        if own not in domains:
            return self._domains.get(own) is None and not file.background  # it waits for a login
        job = control.job(self._host, f"{own}/{file.label}")
        return job is not None and control.is_that(job, file.digest)

    def _trouble(self, file: File, domains: Sequence[str]) -> str | None:
        owner = self._here.owner(file.scope)
        if file.entry.uid != owner:
            belongs = f"{file.path} belongs to the user with id {file.entry.uid}, and launchd wants {owner}"
            return f"{belongs}: `sudo chown {owner} {shlex.quote(str(file.path))}`"
        if file.entry.mode & 0o022:
            others = f"{file.path} can be written by others (mode {file.entry.mode:o}), and launchd refuses that"
            return f"{others}: `chmod go-w {shlex.quote(str(file.path))}`"
        if file.label in self._disabled.get(file.scope, ()):
            return f"somebody disabled {file.label}: `launchctl enable {own_domain(file, self._here)}/{file.label}`"
        own = own_domain(file, self._here)
        for name in domains:
            if name != own:  # as `launchctl load` does over SSH
                where = f"{file.label} is loaded in {name}, although its plist is for {own}"
                return f"{where}: `launchctl bootout {name}/{file.label}`"
        return None

    def _orphans(self) -> list[Observed]:
        """Labels that launchd still runs without a plist, where nobody wants them any more."""
        found: list[Observed] = []
        for id_, item in self._wanted.items():
            if id_ in self._files or item.desired is not None:
                continue
            scope, label = self._here.scope_of(item.applied), label_of(id_)
            for name in self._here.domains(scope):
                domain = self._domains.get(name)
                if id_ not in self._unmarked and domain and control.holds(self._host, domain, [label]):
                    state = State({"missing": ["plist"], "loaded": True})
                    restore: Json = {"domain": name, "label": label}
                    found.append(Observed(id_, PROVIDER, state, Ownership.OURS, f"{name}/{label}", "", restore))
                    break
        return found

    def in_the_way(self, missing: Iterable[Wanted]) -> list[Observed]:
        """Foreign plists that run what a wanted resource, which is not there yet, would run."""
        found: list[Observed] = []
        foreign: dict[str, list[File]] = {}
        for item in missing:
            scope = self._here.scope_of(item.desired)
            if scope not in foreign:
                foreign[scope] = self._foreign(scope)
            argv = argv_of(unwrapped(item.desired).attributes["command"]) if item.desired else []
            for file in foreign[scope]:
                if file.plist and file.plist.get("ProgramArguments") == argv:
                    state = state_of(item.id, file, self._here)
                    if (
                        item.id.kind == "Automation"
                    ):  # without a folder launchd starts it in /, and a manifest at home
                        state = State({"directory": "/", **state.attributes})
                    found.append(self._observed(item.id, file, state, Ownership.FOREIGN, None))
        return found

    def _foreign(self, scope: str) -> list[File]:
        folder = self._here.folder(scope)
        readable = [
            entry
            for name, entry in sorted(self._folders[scope].items())
            if name.endswith(".plist") and (self._here.uid in (0, entry.uid) or entry.mode & 0o004)
        ]
        ours = {file.path for file in self._files.values()}
        files = [read(self._host, folder, scope, entry) for entry in readable if folder / entry.name not in ours]
        return [file for file in files if file is not None]

    def _observed(
        self, id_: ResourceId, file: File, state: State, ownership: Ownership, trouble: str | None
    ) -> Observed:
        domains = self._loaded_in(file)
        exact = not {"keys", "missing"} & state.attributes.keys()
        text = document(id_, state) if exact else file.content.decode("utf-8", "replace")
        text = text if ownership is Ownership.OURS else unmarked_text(text)
        restore = restore_data(file, domains[0] if domains else "")
        return Observed(id_, PROVIDER, state, ownership, str(file.path), text, restore, trouble)

    def facts(self) -> dict[str, Json]:
        """What a review needs to know."""
        return {
            "uid": self._here.uid,
            "domains": sorted(name for name, found in self._domains.items() if found is not None),
            "unmarked": {str(id_): str(file.path) for id_, file in self._unmarked.items()},
        }


def own_domain(file: File, here: Session) -> str:
    """The domain that a plist is for: that of the screen, unless it says that nobody need be logged in."""
    return here.domains(file.scope)[-1 if file.background else 0]
