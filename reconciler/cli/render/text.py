"""A plan for a terminal: verdict, notices, refusals, dangers, steps in order, drift, closing words.

Same plan, same instant, same text. The dangerous steps are never shortened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from datetime import datetime
from itertools import groupby

from reconciler.cli.render.characters import Palette, cells, visible, wrap
from reconciler.cli.render.gates import Gate, gate_lines, rows
from reconciler.cli.render.outline import (
    closing,
    drift_rows,
    facts,
    is_dangerous,
    legend,
    verdict,
    veto_hint,
    veto_label,
    veto_sentence,
)
from reconciler.cli.render.steps import MANY, Body, Field, Reader
from reconciler.model.change import Action
from reconciler.model.frozen import dataclass
from reconciler.model.mask import Mask
from reconciler.model.plan import ApplyStep, Plan

SIGN_STYLES = {
    Action.CREATE: "green",
    Action.UPDATE: "yellow",
    Action.REPLACE: "magenta",
    Action.DELETE: "red",
    Action.ADOPT: "cyan",
    Action.RELEASE: "cyan",
    Action.NONE: "",
}
_RAW_STYLES = {"-": "red", "+": "green", " ": ""}


def plan_text(
    plan: Plan,
    *,
    taken: datetime,
    mask: Mask,
    colour: bool = False,
    width: int = 100,
    details: bool = True,
    apply_with: str | None = None,
) -> str:
    """The whole plan. `apply_with` is the command that would carry it out; "" where none should be named."""
    reader = Reader.of(plan, mask, taken)
    page = _Page(reader, Palette(colour), max(width, 40), details)
    page.head()
    page.refusals()
    page.dangers()
    page.steps()
    page.drift()
    page.end(apply_with)
    return "\n".join(page.lines) + "\n"


@dataclass(slots=True)
class _Page:
    """The lines so far. Each method adds one section, with an empty line before it, or nothing."""

    reader: Reader
    palette: Palette
    width: int
    details: bool
    lines: list[str] = field(default_factory=list)
    times_shown: bool = False

    def head(self) -> None:
        plan = self.reader.plan
        style = "alarm" if plan.vetoes else "bold"
        self.lines.append(self.palette.paint(style, self.reader.clean(verdict(plan))))
        for notice in plan.notices:
            self.lines.append("")
            self._sentence("", "Note: " + self.reader.clean(notice), "yellow")

    def refusals(self) -> None:
        vetoes = self.reader.plan.vetoes
        if not vetoes:
            return
        self._heading("Why it is refused:", "alarm")
        for veto in vetoes:
            text = f"[{veto_label(veto)}] {veto_sentence(veto)}"
            self._sentence("  ", text, "red", further="      ")
            if hint := veto_hint(veto):
                self._sentence("      ", f"what to do: {hint}", "")

    def dangers(self) -> None:
        steps = [step for step in self._changes() if is_dangerous(step.change)]
        if not steps:
            return
        self._heading("Dangerous, so read these first:", "alarm")
        for index, step in enumerate(steps):
            self.lines += [""] if index else []
            self._title(step)
            self._body(self.reader.full(step.change))

    def steps(self) -> None:
        plan = self.reader.plan
        if not plan.steps:
            return
        many = len(plan.changes) > MANY
        start = "What it would do otherwise, in this order" if plan.vetoes else "Steps, in this order"
        self._heading(f"{start} ({legend(plan)}):" if plan.changes else f"{start}:", "bold")
        if many and self.details:
            text = f"More than {MANY} changes: harmless ones are shown in short; `-o json` shows all of each."
            self._sentence("", text, "dim")
            self.lines.append("")
        roomy = self.details and not many
        for row in self._folded():
            self.lines += [""] if roomy and self.lines[-1] else []
            if isinstance(row, Gate):
                head, own = gate_lines(row)
                self._sentence("  ", f"{row.numbers}. {head}", "", further="      ")
                for line in own:
                    self._sentence("      ", line, "", further="         ")
            elif isinstance(row, tuple):
                self._shown_above(row)
            else:
                self._title(row)
                if self.details:
                    self._body(self.reader.full(row.change) if roomy else self.reader.short(row.change))

    def _folded(self) -> Iterator[ApplyStep | Gate | tuple[ApplyStep, ...]]:
        """The rows; dangerous steps, which have been shown, come as tuples of one action."""
        for action, group in groupby(rows(self.reader.plan), key=_shown_already):
            if action is None:
                yield from group
            else:
                yield tuple(row for row in group if isinstance(row, ApplyStep))

    def _shown_above(self, steps: tuple[ApplyStep, ...]) -> None:
        first, last = self.reader.title(steps[0]), steps[-1].number
        sign = self.palette.paint(SIGN_STYLES[first.action], f"{first.sign} {first.action}")
        if len(steps) == 1:
            self.lines.append(f"  {first.number}. {sign} {first.name}: shown above")
        else:
            self.lines.append(f"  {first.number}-{last}. {sign} {len(steps):,} resources: shown above")

    def drift(self) -> None:
        plan = self.reader.plan
        found = drift_rows(plan)
        if found:
            self._heading("Drift (on the host, since the last apply):", "bold")
            for name, fate in found:
                self._sentence("  ", f"{name}: {fate}", "", further="      ")
        alone = [skip for skip in plan.skipped if not skip.drift]
        if alone:
            self._heading("Left alone:", "bold")
            for skip in alone:
                self._sentence("  ", f"{skip.id}: {skip.reason}", "", further="      ")

    def end(self, apply_with: str | None) -> None:
        plan, clockwork = self.reader.plan, self.reader.clockwork
        said = [clockwork.sentence] if self.times_shown else []
        said += () if plan.vetoes else facts(plan)
        if said:
            self.lines.append("")
            self._each("", said)
        self.lines += ["", self.palette.paint("bold", self.reader.clean(closing(plan, apply_with)))]

    def _title(self, step: ApplyStep) -> None:
        title = self.reader.title(step)
        place = f" ({title.place})" if title.place else ""
        start = f"  {title.number}. {title.sign} {title.action} {title.name}{place}:"
        sign = self.palette.paint(SIGN_STYLES[title.action], f"{title.sign} {title.action}")
        shown = (
            f"  {title.number}. {sign} {self.palette.paint('bold', title.name)}{self.palette.paint('dim', place)}:"
        )
        if cells(start) + 1 + cells(title.reason) <= self.width:
            self.lines.append(f"{shown} {title.reason}")
        else:
            self.lines.append(shown)
            self._sentence("      ", title.reason, "")

    def _body(self, body: Body) -> None:
        for danger in body.dangers:
            self._sentence("      ", f"! {danger.label}: {danger.message}", "alarm", further="        ")
            if danger.hint:
                self._sentence("        ", danger.hint, "")
        self._each("      ", body.conditions)
        for item in body.fields:
            self._field(item)
        self._each("      ", body.runs)
        self.times_shown |= any(": " in run for run in body.runs)
        if body.raw and body.where:
            self.lines.append(f"      {self.palette.paint('dim', body.where + ':')}")
        for sign, line in body.raw:
            self.lines.append("      " + self.palette.paint(_RAW_STYLES[sign], f"{sign} {line}"))

    def _field(self, item: Field) -> None:
        if item.before is None or item.after is None:
            self.lines.append(f"      {item.name}: {item.after or item.before}")
            return
        line = f"      {item.name}: {item.before} -> {item.after}"
        if len(line) <= self.width:
            self.lines.append(line)
        else:
            self.lines += [f"      {item.name}:", f"           {item.before}", f"        -> {item.after}"]

    def _changes(self) -> Iterable[ApplyStep]:
        return (step for step in self.reader.plan.steps if isinstance(step, ApplyStep))

    def _heading(self, text: str, style: str) -> None:
        self.lines += ["", self.palette.paint(style, visible(text)), ""]

    def _each(self, indent: str, sentences: Iterable[str]) -> None:
        for text in sentences:
            self._sentence(indent, text, "")

    def _sentence(self, indent: str, text: str, style: str, further: str | None = None) -> None:
        """Wrapped words; `further` is the indent of the lines after the first."""
        further = indent if further is None else further
        for index, line in enumerate(wrap(self.reader.clean(text), self.width - len(further))):
            self.lines.append((further if index else indent) + self.palette.paint(style, line))


def _shown_already(row: ApplyStep | Gate) -> Action | None:
    return row.change.action if isinstance(row, ApplyStep) and is_dangerous(row.change) else None
