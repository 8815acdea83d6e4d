"""The suite itself: each way to break a provider fails the check that is there for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.host.protocol import Host
from reconciler.model.change import Action, Change
from reconciler.model.errors import ApplyError, HostError, ObserveError
from reconciler.model.state import Observation, Observed, State
from reconciler.provider import Provider, Wanted
from reconciler.testing.conformance import ProviderConformance
from reconciler.testing.memory import MemoryProvider
from tests.conformance.test_memory import Memory

NOTES = Path("/memory/notes.jsonl")


class TakesFailureForAbsence(MemoryProvider):
    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        try:
            return super().observe(host, wanted)
        except ObserveError:
            return Observation(())


class WritesWhileObserving(MemoryProvider):
    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        host.write(Path("/memory/cache"), b"seen")
        return super().observe(host, wanted)


class TidiesForeignLines(MemoryProvider):
    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        super().apply(host, changes)
        tidy = [line.rstrip() for line in (host.read(NOTES) or b"").split(b"\n")]
        host.write(NOTES, b"\n".join(tidy))


class IgnoresBefore(MemoryProvider):
    """Writes what is wanted over whatever is there."""

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        found = {item.id: item.state for item in self.observe(host, ()).found}
        super().apply(host, [self._forced(change, found.get(change.id)) for change in changes])

    def _forced(self, change: Change, stands: State | None) -> Change:
        plain = change.action in {Action.CREATE, Action.UPDATE, Action.DELETE}
        return replace(change, before=stands) if plain else change


class ForgetsHowItStood(MemoryProvider):
    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        super().apply(host, [replace(change, exact=None) for change in changes])


class WritesLineByLine(MemoryProvider):
    """Empties the file first and then fills it: a crash in between loses everything."""

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        try:
            content = host.read(NOTES) or b""
            edited = self._edited(content, changes)
            if edited != content:
                host.write(NOTES, b"")
                host.write(NOTES, edited)
        except HostError as error:
            raise ApplyError(error.message) from error


class ForgetsAField(MemoryProvider):
    def observe(self, host: Host, wanted: Sequence[Wanted]) -> Observation:
        seen = super().observe(host, wanted)
        return replace(seen, found=tuple(self._less(item) for item in seen.found))

    def _less(self, item: Observed) -> Observed:
        return replace(item, state=State({k: v for k, v in item.state.attributes.items() if k != "tags"}))


class AppliesOnlyOnce(MemoryProvider):
    """Adds a line each time it is asked to create one."""

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        created = [c for c in changes if c.action is Action.CREATE and c.after is not None and not c.exact]
        super().apply(host, [change for change in changes if change not in created])
        added = [self.document(change.id, change.after or State({})).encode() for change in created]
        host.write(NOTES, b"\n".join([*added, host.read(NOTES) or b""]))


class CleansTexts(MemoryProvider):
    def document(self, id: Any, state: State) -> str:
        return super().document(id, state).replace("%", "")


class TakesOneStaleChangeLightly(MemoryProvider):
    """Applies a batch change by change, so that the first are written when a later one conflicts."""

    def apply(self, host: Host, changes: Sequence[Change]) -> None:
        for change in changes:
            super().apply(host, [change])


BROKEN = [
    (TakesFailureForAbsence, "test_an_unreadable_backend_is_not_an_empty_one"),
    (TakesFailureForAbsence, "test_a_fault_while_observing_is_never_taken_for_absence"),
    (WritesWhileObserving, "test_observing_writes_nothing"),
    (TidiesForeignLines, "test_foreign_bytes_are_never_touched"),
    (IgnoresBefore, "test_a_stale_change_conflicts_and_writes_nothing"),
    (IgnoresBefore, "test_creating_over_something_else_conflicts"),
    (IgnoresBefore, "test_updating_what_is_gone_conflicts"),
    (ForgetsHowItStood, "test_every_change_can_be_undone_byte_for_byte"),
    (ForgetsHowItStood, "test_what_somebody_changed_by_hand_comes_back_as_they_had_it"),
    (WritesLineByLine, "test_after_a_fault_at_any_call_a_second_run_converges"),
    (WritesLineByLine, "test_after_a_fault_at_any_call_it_can_be_undone"),
    (ForgetsAField, "test_what_is_created_updated_and_deleted_is_observed_so"),
    (ForgetsAField, "test_nothing_is_left_to_change_after_an_apply"),
    (AppliesOnlyOnce, "test_changes_applied_twice_are_applied_once"),
    (CleansTexts, "test_a_hostile_text_is_kept_exactly_or_refused"),
    (TakesOneStaleChangeLightly, "test_a_stale_change_conflicts_and_writes_nothing"),
]
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "test_after_a_fault_at_any_call_a_second_run_converges": ("crash after",),
    "test_after_a_fault_at_any_call_it_can_be_undone": ("crash after",),
    "test_a_hostile_text_is_kept_exactly_or_refused": ("100%",),
}


@pytest.mark.parametrize(("broken", "check"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_the_suite_catches(broken: type[MemoryProvider], check: str) -> None:
    class Broken(Memory):
        def provider(self) -> Provider:
            return broken()

    suite = ProviderConformance()
    suite.harness = Broken()  # type: ignore[misc]
    with pytest.raises((AssertionError, pytest.fail.Exception, HostError, ApplyError)):
        getattr(suite, check)(*ARGUMENTS.get(check, ()))
    suite.harness = Memory()  # type: ignore[misc]
    getattr(suite, check)(*ARGUMENTS.get(check, ()))
