"""Carry out one change: check its precondition, do it, and put back what stood where that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from reconciler.host.protocol import Host
from reconciler.model.change import Action, Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict, ReconcileError
from reconciler.model.state import State
from reconciler.providers.launchd.control import WrongDomain
from reconciler.providers.launchd.definition import Form, dump, label_of, load, render, unmarked, without_flags
from reconciler.providers.launchd.look import is_ours, same, state_of
from reconciler.providers.launchd.session import Session
from reconciler.providers.launchd.unit import Unit, at, loaded_in, present, put_up, remove, take_down


class Work:
    """One change on one host."""

    def __init__(self, host: Host, here: Session, change: Change) -> None:
        self._host = host
        self._here = here
        self._change = change
        self._label = label_of(change.id)
        known = change.after if change.after is not None else change.before
        self._scope = here.scope_of(known)
        self._path = here.folder(self._scope) / f"{self._label}.plist"
        self._found = at(host, self._path, self._scope)

    def check(self) -> None:
        """Raises Conflict where the host is neither as before, nor as after, nor in between."""
        action = self._change.action
        if action is Action.ADOPT:
            self._check_adopt()
        elif action is Action.RELEASE:
            self._check_release()
        elif self._found is None:
            if self._change.before is not None and self._change.after is not None:
                raise self._conflict("its plist is gone")
        elif not is_ours(self._found, self._change.id):
            raise self._conflict("a plist without our mark stands in its place")
        elif not (self._is(self._change.before) or self._is(self._change.after)):
            raise self._conflict("its plist is not as it was")

    def carry_out(self) -> None:
        """Raises ApplyError or HostError, with everything as before wherever that could be."""
        action = self._change.action
        if action is Action.ADOPT:
            self._guarded(self._adopt)
        elif action is Action.RELEASE:
            self._guarded(self._release)
        elif self._change.after is None:
            self._guarded(lambda: remove(self._host, self._here, self._scope, self._label, self._path))
        else:
            self._guarded(self._put)

    def _is(self, state: State | None) -> bool:
        found = None if self._found is None else state_of(self._change.id, self._found, self._here)
        return same(found, state, self._here)

    def _guarded(self, act: Callable[[], None]) -> None:
        """Do it; where that fails, what stood in our own place comes back, file and job."""
        stood = loaded_in(self._host, self._here, self._scope, self._label)
        try:
            act()
        except ReconcileError as error:
            try:
                self._put_back(stood)
            except ReconcileError as second:
                message = f"{error.message}; and what stood before could not be put back: {second.message}"
                raise ApplyError(message, where=str(self._path), hint=error.hint) from error
            raise ApplyError(error.message, where=str(self._path), hint=error.hint) from error

    def _put_back(self, stood: tuple[str, ...]) -> None:
        for note in (_note(self._change.restore), _note(self._change.exact)):
            if note and note["path"] != str(self._path):  # the foreign plist of an adoption
                self._put_back_foreign(note)
        if self._found is None:
            remove(self._host, self._here, self._scope, self._label, self._path)
        else:
            domain = stood[0] if stood else None
            old = Unit(self._path, self._label, self._found.content, domain, self._found.entry.mode)
            put_up(self._host, self._here, self._scope, old, afresh=True)

    def _put_back_foreign(self, note: Mapping[str, Json]) -> None:
        if self._change.action is Action.ADOPT:
            put_up(self._host, self._here, self._scope, self._noted(note), afresh=True)
        else:
            foreign = self._noted(note)
            remove(self._host, self._here, self._scope, foreign.label, foreign.path)

    def _put(self) -> None:
        """Exactly as it stood, where the change says how; else rendered, in the first domain that takes it."""
        note = _note(self._change.exact)
        if note:
            put_up(self._host, self._here, self._scope, self._noted(note))
            return
        if self._change.exact:
            raise ApplyError(f"cannot put back {self._change.id}: launchd ran it without a plist, which nobody has")
        after = without_flags(cast(State, self._change.after))
        choices = self._domains(after)
        for domain in choices:
            try:
                put_up(self._host, self._here, self._scope, self._rendered(after, domain))
            except WrongDomain:
                if domain == choices[-1]:
                    raise
            else:
                return

    def _rendered(self, after: State, domain: str) -> Unit:
        form = Form(self._here.home, background=domain.startswith("user/"))
        return Unit(self._path, self._label, dump(render(self._change.id, after, form)), domain)

    def _domains(self, after: State) -> tuple[str, ...]:
        """The domains to try: that of the screen first; without anybody there, that of the user."""
        found = present(self._host, self._here, self._scope)
        if after.attributes.get("session") == "gui":
            found = tuple(name for name in found if not name.startswith("user/"))
        if not found:
            wish = " at the screen" if after.attributes.get("session") == "gui" else ""
            raise ApplyError(
                f"cannot load {self._change.id}: nobody is logged in{wish}, so there is no launchd domain for it",
                hint="log in and apply again, or use scope: system",
            )
        if self._found is not None and self._found.background and not after.attributes.get("session"):
            stood = [name for name in loaded_in(self._host, self._here, self._scope, self._label) if name in found]
            found = tuple(dict.fromkeys((*stood, *found)))  # where it runs already
        return found

    def _noted(self, note: Mapping[str, Json]) -> Unit:
        domain = cast(str, note["domain"])
        there = domain if domain in present(self._host, self._here, self._scope) else None
        content = cast(str, note["content"]).encode("latin-1")
        return Unit(Path(cast(str, note["path"])), cast(str, note["label"]), content, there, cast(int, note["mode"]))

    # A foreign plist becomes ours, and back

    def _check_adopt(self) -> None:
        if self._found is not None and is_ours(self._found, self._change.id):
            if not self._is(self._change.after):
                raise self._conflict("another plist carries its mark")
            return
        note = _note(self._change.restore)
        foreign = at(self._host, Path(cast(str, note["path"])), self._scope) if note else self._found
        if foreign is None or foreign.content != (_content(note) if note else self._released()):
            raise self._conflict("the plist to take over is no longer as it was")
        if self._found is not None and foreign.path != self._path:
            raise self._conflict("a plist without our mark stands in its place")

    def _adopt(self) -> None:
        note = _note(self._change.restore)
        if not note or note["path"] == str(self._path):
            self._put()
            return
        foreign = self._noted(note)
        take_down(self._host, self._here, self._scope, foreign.label)
        self._put()
        standing = at(self._host, foreign.path, self._scope)
        if standing is not None and standing.content == foreign.content:
            self._host.remove(foreign.path)

    def _check_release(self) -> None:
        if self._found is not None and is_ours(self._found, self._change.id):
            if not self._is(self._change.before):
                raise self._conflict("its plist is not as it was")
            return
        note = _note(self._change.exact)
        left = at(self._host, Path(cast(str, note["path"])), self._scope) if note else self._found
        if left is None or left.content != (_content(note) if note else self._released()):
            raise self._conflict("its plist is gone, or carries our mark no more")

    def _release(self) -> None:
        """Only the file loses our mark: what runs goes on, and what launchd holds does no harm."""
        note = _note(self._change.exact)
        if not note:
            if self._found is not None and self._found.content != self._released():
                self._host.write(self._path, self._released(), mode=self._found.entry.mode)
            return
        foreign = self._noted(note)
        take_down(self._host, self._here, self._scope, self._label)
        if foreign.path != self._path:
            if at(self._host, foreign.path, self._scope) is None:
                self._host.write(foreign.path, foreign.content, mode=foreign.mode)
            self._host.remove(self._path)
        put_up(self._host, self._here, self._scope, foreign)

    def _released(self) -> bytes:
        """Our plist, as it was before, without our mark."""
        note = _note(self._change.restore) or _note(self._change.exact)
        plist = load(_content(note)) if note else None
        if plist is None:
            state = without_flags(cast(State, self._change.before))
            background = self._found is not None and self._found.background
            plist = render(self._change.id, state, Form(self._here.home, background))
        return dump(unmarked(plist))

    def _conflict(self, cause: str) -> Conflict:
        return Conflict(
            f"cannot {self._change.action} {self._change.id}: {cause}",
            where=str(self._path),
            hint=f"look at it with `plutil -p {self._path}`, then plan again",
        )


def _note(data: Json) -> Mapping[str, Json] | None:
    """How a plist stood, from `Observed.restore`; None where there is no such note, or none with a plist."""
    return data if isinstance(data, Mapping) and "content" in data else None


def _content(note: Mapping[str, Json]) -> bytes:
    return cast(str, note["content"]).encode("latin-1")
