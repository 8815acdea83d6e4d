"""What one step changes, as safe plain lines: dangers, field differences, run times, the raw difference.

Every string that leaves here is masked and free of hidden characters; the media only lay it out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from reconciler.cli.render.characters import visible
from reconciler.cli.render.conditions import conditions
from reconciler.cli.render.gates import awaited
from reconciler.cli.render.outline import DANGERS, SIGNS, manifest_place, refusing
from reconciler.cli.render.runs import Clockwork
from reconciler.model.change import Action, Change, FieldDiff, Hazard, field_diffs
from reconciler.model.data import Json
from reconciler.model.frozen import dataclass
from reconciler.model.job import called, unwrapped
from reconciler.model.mask import Mask
from reconciler.model.plan import ApplyStep, Plan, VerifyStep
from reconciler.model.state import State

MANY = 60  # changes from which harmless ones are shown in short
ABSENT = "(not set)"
_ON_OFF = ("off", "on")


@dataclass(frozen=True, slots=True)
class Title:
    """The one line that says what happens to what, and why."""

    number: int
    sign: str
    action: Action
    name: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute before and after, as text; None where there is nothing to set beside the other."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Danger:
    """One hazard in words."""

    label: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Body:
    """Everything below the title. `raw` holds lines with their sign: `-`, `+` or a space."""

    dangers: tuple[Danger, ...]
    conditions: tuple[str, ...]  # how it stands and should not, in words
    fields: tuple[Field, ...]
    runs: tuple[str, ...]
    where: str
    raw: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns the steps of one plan into titles and bodies."""

    plan: Plan
    mask: Mask
    clockwork: Clockwork
    gates: dict[int, VerifyStep]

    @classmethod
    def of(cls, plan: Plan, mask: Mask, taken: datetime) -> Reader:
        gates = {step.number: step for step in plan.steps if isinstance(step, VerifyStep)}
        return cls(plan, mask, Clockwork(taken, plan.host.timezone), gates)

    def clean(self, text: str) -> str:
        return visible(self.mask.text(text))

    def title(self, step: ApplyStep) -> Title:
        change = step.change
        return Title(
            number=step.number,
            sign=SIGNS[change.action],
            action=change.action,
            name=visible(str(change.id)),
            place=visible(":".join(filter(None, manifest_place(self.plan, change.id)))),
            reason=self.clean("; ".join(filter(None, (change.reason, awaited(step, self.gates))))),
        )

    def full(self, change: Change) -> Body:
        """All there is to say."""
        raw = self._raw(change)
        shown = change.action in (Action.CREATE, Action.DELETE, Action.RELEASE) and raw
        said, diffs = ((), self._runs(change)) if shown else self._differences(change)
        fields = self._fields(change, diffs)
        return Body(self._dangers(change), said, fields, self.clockwork.lines(change), self.clean(change.where), raw)

    def short(self, change: Change) -> Body:
        """What changes, once: the fields of an update, the line of anything else."""
        said, diffs = self._differences(change)
        fields = self._fields(change, diffs)
        raw = () if change.before and change.after and (said or fields) else self._raw(change)
        return Body(self._dangers(change), said, () if raw else fields, (), "", raw)

    def _dangers(self, change: Change) -> tuple[Danger, ...]:
        return tuple(self._danger(hazard) for hazard in change.hazards)

    def _danger(self, hazard: Hazard) -> Danger:
        label = DANGERS[hazard.danger]
        if refusing(hazard, self.plan):
            return Danger(label, "a reason for the refusal above", None)
        accepted = " (accepted)" if hazard.blocking and not self.plan.vetoes else ""
        return Danger(label + accepted, self.clean(hazard.message), self.clean(hazard.hint) if hazard.hint else None)

    def _differences(self, change: Change) -> tuple[tuple[str, ...], tuple[FieldDiff, ...]]:
        """What differs: conditions in words, and fields."""
        if change.action is Action.RELEASE:
            return (), ()
        states = [None if state is None else unwrapped(state) for state in (change.before, change.after)]
        diffs = (*field_diffs(*states), *self._runs(change))
        if change.before is None or change.after is None:
            return (), diffs
        said, left = conditions(change.provider, diffs)
        return tuple(map(self.clean, said)), left

    def _fields(self, change: Change, diffs: Sequence[FieldDiff]) -> tuple[Field, ...]:
        both = change.before is not None and change.after is not None and change.action is not Action.RELEASE
        return tuple(self._field(diff, both=both) for diff in diffs)

    def _runs(self, change: Change) -> tuple[FieldDiff, ...]:
        """How runs are started, bounded and judged, before and after, where it can be told."""
        if any(state is not None and "command" not in state.attributes for state in (change.before, change.after)):
            return ()
        before, after = _told(change.before, change.job_before), _told(change.after, change.job_after)
        found = field_diffs(State({"runs": before or {}}), State({"runs": after or {}}))
        if change.before is None or change.after is None or (before is None) == (after is None):
            return found
        return (FieldDiff(("runner",), _ON_OFF[before is not None], _ON_OFF[after is not None]), *found)

    def _field(self, diff: FieldDiff, *, both: bool) -> Field:
        before, after = (self._value(diff.path, value) for value in (diff.before, diff.after))
        if both:
            before, after = before or ABSENT, after or ABSENT
        return Field(visible(".".join(diff.path)), before, after)

    def _value(self, path: Sequence[str], value: Json) -> str | None:
        if value is None:
            return None
        if path[:2] != ("runs", "secrets"):  # references: where a secret is kept, never what it is
            value = self.mask.at(path, value)
        return visible(json.dumps(value, ensure_ascii=False))

    def _raw(self, change: Change) -> tuple[tuple[str, str], ...]:
        before = self._lines(change.document_before)
        after = self._lines(change.document_after)
        if before == after and not _moves(change):  # a line in another place of its table; files stay as they are
            return tuple((" ", line) for line in before) if len(before) == 1 else ()
        if len(before) > 1 and len(after) > 1:
            return _unified(before, after)
        return (*(("-", line) for line in before), *(("+", line) for line in after))

    def _lines(self, document: str | None) -> list[str]:
        if not document:
            return []
        return [visible(line) for line in self.mask.text(document).removesuffix("\n").split("\n")]


def _told(state: State | None, job: Json) -> Json:
    """What the runner is told; None where nothing goes through it."""
    return None if state is None or called(state.attributes.get("command")) is None else job or {}


def _moves(change: Change) -> bool:
    users = [state.attributes.get("user") for state in (change.before, change.after) if state is not None]
    return len(users) == 2 and users[0] != users[1]


def _unified(before: Sequence[str], after: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The lines that differ with three lines around them; a gap is shown as `...`."""
    from difflib import unified_diff

    shown: list[tuple[str, str]] = []
    for line in list(unified_diff(before, after, n=3, lineterm=""))[2:]:
        if line.startswith("@@"):
            shown += [(" ", "...")] if shown else []
        else:
            shown.append((line[0], line[1:]))
    return tuple(shown)
