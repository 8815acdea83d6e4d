"""Compare desired, last applied and observed, and say per resource what must change and why. Pure.

Whether a change is allowed is not decided here: `guards` does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from reconciler.engine.reasons import EDITED, absent, explain, mark_lost
from reconciler.engine.standing import by_address, by_place, where
from reconciler.model.address import Place, ResourceId
from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.frozen import dataclass
from reconciler.model.intent import Difference, Intent, Request
from reconciler.model.job import called
from reconciler.model.plan import Skip, Veto
from reconciler.model.resource import DriftPolicy
from reconciler.model.state import Observed, Owned, Snapshot, State, without_ignored
from reconciler.provider import HasMark, Provider


def diff(
    intents: Sequence[Intent],
    snapshot: Snapshot,
    request: Request,
    providers: Mapping[str, Provider],
    revision: str,
    elsewhere: frozenset[ResourceId] = frozenset(),
) -> Difference:
    """The difference between the intents and the snapshot, in order of address.

    `elsewhere` holds the addresses that the manifests place on other hosts.
    """
    pass_ = _Pass(snapshot, request, providers, revision, elsewhere)
    wanted = {intent.id: intent for intent in intents}
    for id_ in sorted(wanted.keys() | pass_.places.keys() | pass_.applied.keys() | elsewhere | request.release):
        if id_ in pass_.elsewhere:
            pass_.placed_elsewhere(id_)
        elif request.targets and id_ not in request.targets:
            pass_.untouched += id_ in wanted
        elif id_ in request.release:
            pass_.release(id_)
        elif id_ in wanted:
            pass_.wanted(wanted[id_])
        else:
            pass_.unwanted(id_)
    return pass_.difference()


@dataclass(slots=True)
class _Pass:
    """Accumulates one difference; lives no longer than one call of `diff`."""

    snapshot: Snapshot
    request: Request
    providers: Mapping[str, Provider]
    revision: str
    elsewhere: frozenset[ResourceId]
    changes: list[Change] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    vetoes: list[Veto] = field(default_factory=list)
    remember: list[Owned] = field(default_factory=list)
    forget: list[ResourceId] = field(default_factory=list)
    owned: dict[ResourceId, Owned] = field(default_factory=dict)
    unchanged: int = 0
    untouched: int = 0  # wanted, but not a target
    ours: Mapping[Place, Observed] = field(init=False)
    foreign: Mapping[Place, Sequence[Observed]] = field(init=False)
    places: Mapping[ResourceId, Sequence[Observed]] = field(init=False)  # ours by address, in order of the backends
    applied: Mapping[ResourceId, Owned] = field(init=False)

    def __post_init__(self) -> None:
        self.ours, self.foreign = by_place(self.snapshot)
        self.places = by_address(self.ours)
        self.applied = {entry.id: entry for entry in self.snapshot.inventory}

    def wanted(self, intent: Intent) -> None:
        """A resource that the manifests ask for."""
        observed = self.ours.get(intent.place)
        if intent.resource.suspend:
            self.skipped.append(Skip(intent.id, "suspended in its manifest: left exactly as it is"))
        elif observed is None:
            self._absent(intent)
        elif observed.trouble is not None:
            self.vetoes.append(Veto("ownership", observed.trouble, intent.id, "repair it by hand, then plan again"))
        else:
            self._present(intent, observed)
        if not intent.resource.suspend:
            self._leave_others(intent)

    def _leave_others(self, intent: Intent) -> None:
        """Take it out of the backends that it moves away from, once it stands in its new one."""
        for observed in self.places.get(intent.id, ()):
            if observed.provider != intent.provider:
                self._delete(observed, Cause.PENDING, f"it moves to {intent.provider}")
                self.owned[intent.id] = self._entry(intent, intent.state)

    def _applied(self, intent: Intent) -> Owned | None:
        """What we last applied, in the backend that is to hold it now."""
        entry = self.applied.get(intent.id)
        return entry if entry is not None and entry.provider == intent.provider else None

    def _absent(self, intent: Intent) -> None:
        foreign = self.foreign.get(intent.place, [])
        applied, before = self._applied(intent), self.applied.get(intent.id)
        if intent.id in self.request.adopt:
            self._adopt(intent, foreign)
        elif applied is not None and foreign:
            self.vetoes.append(mark_lost(intent.id, foreign[0]))
        elif before is not None and before.provider != intent.provider:
            self._change(intent, Action.CREATE, None, Cause.PENDING, f"it moves from {before.provider}")
        elif applied is None:
            reason = "asked for by `reconcile self`" if intent.id.reserved else "new in the manifests"
            self._change(intent, Action.CREATE, None, Cause.NEW, reason)
        else:
            self._put_back(intent, *absent(applied, self.snapshot))

    def _put_back(self, intent: Intent, cause: Cause, what: str) -> None:
        """What was applied and is not there."""
        if cause is not Cause.DRIFT:
            self._change(intent, Action.CREATE, None, cause, what)
        elif intent.resource.drift is DriftPolicy.REVERT or intent.provider in self.snapshot.unsupported:
            self._change(intent, Action.CREATE, None, cause, f"{what}: it is put back")
        else:
            self._leave_drift(intent, what)

    def _adopt(self, intent: Intent, foreign: Sequence[Observed]) -> None:
        if len(foreign) != 1:
            found = "nothing on the host" if not foreign else f"{len(foreign)} things on the host"
            message = (
                f"cannot adopt {intent.id}: {found} runs the same command"
                if not foreign
                else (
                    f"cannot adopt {intent.id}: {found} run the same command: {', '.join(o.where for o in foreign)}"
                )
            )
            hint = "remove all but one" if foreign else "check the manifest's command, or just apply it"
            self.vetoes.append(Veto("ownership", message, intent.id, hint))
            return
        reason = "taken over from an entry that you wrote yourself"
        self._change(intent, Action.ADOPT, foreign[0], Cause.REQUESTED, reason)

    def _present(self, intent: Intent, observed: Observed) -> None:
        desired = without_ignored(intent.state, observed.state, intent.resource.ignore)
        applied = self._applied(intent)
        if observed.state == desired:
            self.unchanged += 1
            entry = self._entry(intent, desired)
            if applied is None or replace(applied, revision=entry.revision) != entry:
                self.remember.append(entry)
            return
        cause, reason = explain(desired, observed, applied.state if applied else None)
        if cause is Cause.DRIFT and intent.resource.drift is not DriftPolicy.REVERT:
            self._leave_drift(intent, observed.idle or EDITED)
            return
        self._change(replace(intent, state=desired), Action.UPDATE, observed, cause, reason)

    def _leave_drift(self, intent: Intent, what: str) -> None:
        policy = intent.resource.drift
        self.skipped.append(Skip(intent.id, f"{what}; left so because its manifest says drift: {policy}", drift=True))

    def unwanted(self, id_: ResourceId) -> None:
        """Something of ours that no manifest asks for."""
        standing = self.places.get(id_, [])
        for observed in standing:
            self._unwanted(id_, observed)
        entry = self.applied.get(id_)
        if not standing and entry and (why := self.snapshot.unsupported.get(entry.provider)):
            self.skipped.append(Skip(id_, f"no manifest asks for it; nobody can tell whether it still stands: {why}"))
        elif not standing and self._may_prune():
            self.forget.append(id_)
            if entry is not None and self.snapshot.left_with(entry) is not None:
                _, what = absent(entry, self.snapshot)
                self.skipped.append(Skip(id_, f"no manifest asks for it; {what}: it may still run where it was"))

    def _unwanted(self, id_: ResourceId, observed: Observed) -> None:
        applied = self.applied.get(id_)
        if self.snapshot.inventory_lost:
            self.skipped.append(Skip(id_, "no manifest asks for it; not pruned while the inventory is being rebuilt"))
            if applied is not None:
                self.remember.append(applied)
        elif applied is None:
            reason = "carries our mark but is not in the inventory: adopt it with a manifest, or release it"
            self.skipped.append(Skip(id_, reason))
        elif not self.request.whole_tree:
            pass  # a single file speaks only of what stands in it
        elif not self.request.prune.enabled:
            self.skipped.append(Skip(id_, "no manifest asks for it; pruning is switched off in the settings"))
        elif observed.trouble is not None:
            self.vetoes.append(Veto("ownership", observed.trouble, id_, "repair it by hand, then plan again"))
        else:
            reason = "`reconcile self` takes it out" if id_.reserved else "no manifest asks for it any more"
            self._delete(observed, Cause.REMOVED, reason)

    def _may_prune(self) -> bool:
        return self.request.whole_tree and self.request.prune.enabled and not self.snapshot.inventory_lost

    def placed_elsewhere(self, id_: ResourceId) -> None:
        """A resource of other hosts: shown, and left alone even where it stands here."""
        here = id_ in self.places
        left = "; what stands here is left as it is" if here else ""
        self.skipped.append(Skip(id_, f"placed on other hosts{left}"))

    def _delete(self, observed: Observed, cause: Cause, reason: str) -> None:
        self._give_up(observed, Action.DELETE, cause, reason)

    def _job(self, state: State) -> Json:
        """What the runner is told by the line that stands there, as far as that is known."""
        call = called(state.attributes.get("command"))
        return self.snapshot.jobs.get(call[1]) if call is not None else None

    def release(self, id_: ResourceId) -> None:
        """Give up ownership: what was adopted and never changed comes back as it was, all else stays as it is."""
        observed = next(iter(self.places.get(id_, ())), None)
        if observed is None or observed.trouble is not None:
            message = observed.trouble if observed and observed.trouble else "nothing on this host carries its mark"
            self.vetoes.append(Veto("ownership", f"cannot release {id_}: {message}", id_))
            return
        adopted = self.request.adopted.get(id_)
        if adopted is None or (adopted.place, adopted.after) != (observed.place, observed.state):
            provider, left = self.providers[observed.provider], observed.document
            if isinstance(provider, HasMark):
                left = provider.unmarked(id_, observed.state, left)
            wrapped = called(observed.state.attributes.get("command")) is not None
            runner = "; it still runs through `reconcile exec`, so it needs reconciler" if wrapped else ""
            reason = f"released: it stays and is yours again{runner}"
            self._give_up(observed, Action.RELEASE, Cause.REQUESTED, reason, left)
            return
        reason = "released: what you had before its adoption comes back, and is yours again"
        self._give_up(observed, Action.RELEASE, Cause.REQUESTED, reason, adopted.document_before)
        self.changes[-1] = replace(self.changes[-1], after=adopted.before, exact=adopted.restore)

    def _give_up(
        self, observed: Observed, action: Action, cause: Cause, reason: str, left: str | None = None
    ) -> None:
        """`left` is the document of what stays; None: nothing does."""
        after = observed.state if left is not None else None
        self.changes.append(
            Change(
                id=observed.id,
                provider=observed.provider,
                action=action,
                before=observed.state,
                after=after,
                cause=cause,
                reason=reason,
                where=observed.where,
                document_before=observed.document,
                document_after=left,
                restore=observed.restore,
                job_before=self._job(observed.state),
                job_after=self._job(after) if after is not None else None,
            )
        )

    def _change(self, intent: Intent, action: Action, observed: Observed | None, cause: Cause, reason: str) -> None:
        self.changes.append(
            Change(
                id=intent.id,
                provider=intent.provider,
                action=action,
                before=observed.state if observed else None,
                after=intent.state,
                cause=cause,
                reason=f"{reason} ({intent.why})" if intent.why and action is Action.CREATE else reason,
                where=where(intent, observed, self.snapshot.host),
                document_before=observed.document if observed else None,
                document_after=self.providers[intent.provider].document(intent.id, intent.state),
                restore=observed.restore if observed else None,
                job_before=self._job(observed.state) if observed else None,
                job_after=intent.job.settings if intent.job else None,
            )
        )
        self.owned[intent.id] = self._entry(intent, intent.state)

    def _entry(self, intent: Intent, state: State) -> Owned:
        resource = intent.resource
        keeper = self.snapshot.keeper(intent.provider)
        return Owned(intent.id, intent.provider, state, resource.protect, self.revision, resource.depends_on, keeper)

    def difference(self) -> Difference:
        return Difference(
            changes=tuple(self.changes),
            skipped=tuple(self.skipped),
            vetoes=tuple(self.vetoes),
            unchanged=self.unchanged,
            untouched=self.untouched,
            remember=tuple(self.remember),
            forget=tuple(self.forget),
            owned=self.owned,
        )
