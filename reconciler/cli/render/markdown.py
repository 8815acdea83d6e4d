"""A plan as a pull-request comment: a marker line, the verdict, dangers, one table, folded details.

Never longer than its limit in UTF-8 bytes: what does not fit is counted, and dangerous steps are the last to go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from reconciler.cli.render.characters import several, visible
from reconciler.cli.render.gates import Gate, gate_lines, rows
from reconciler.cli.render.outline import (
    closing,
    drift_rows,
    facts,
    is_dangerous,
    origin,
    summary,
    veto_hint,
    veto_label,
    veto_sentence,
)
from reconciler.cli.render.steps import ABSENT, Body, Field, Reader
from reconciler.model.mask import Mask
from reconciler.model.plan import ApplyStep, Plan

_SPECIAL = re.compile(r"[&<\\`*\[\]|~@$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|#(?=[0-9])|(?<=:)//")
_LONG = 240  # characters of one sentence before it is cut short outside of the details
_OWN = 20  # lines of one gate before the rest is only counted
_LEAST = 100  # bytes that the shortest entry takes
_TABLE = "| Step | Action | Resource | What changes, or why | Manifest |\n| ---: | :--- | :--- | :--- | :--- |"


def plan_markdown(
    plan: Plan, *, taken: datetime, mask: Mask, limit: int = 60_000, apply_with: str | None = None
) -> str:
    """The comment; its first line is the same for every plan of one host, so that an older one can be replaced.

    `limit` is kept from 10,000 bytes on.
    """
    page = _Page(Reader.of(plan, mask, taken), limit)
    head, end = page.head(), page.end(apply_with)
    page.left -= size(head) + size(end) + 1000  # headings and the notes on what is omitted
    refusals, dangers = page.refusals(), page.dangers()
    drift, table, details = page.drift(), page.table(), page.details()
    return "\n\n".join(part for part in (head, refusals, dangers, table, details, drift, end) if part) + "\n"


def inline(text: str, longest: int = _LONG) -> str:
    """Text that means nothing to markdown or HTML, wherever it stands; notifies nobody."""
    return _SPECIAL.sub(_entity, _cut(text, longest))


def _entity(match: re.Match[str]) -> str:
    if match[0] == "@":
        return "&#64;<!-- -->"
    return "".join(f"&#{ord(char)};" for char in match[0])


def html_code(text: str, longest: int = _LONG) -> str:
    """The text as code, also where only HTML is read: in a summary."""
    return f"<code>{inline(text, longest)}</code>"


def code(text: str, longest: int = _LONG) -> str:
    """The text as code, in a paragraph, a list or a table."""
    shown = _cut(text, longest)
    plain = shown and shown == shown.strip() and not any(char in shown for char in "`|")
    return f"`{shown}`" if plain else html_code(shown, longest + 1)


def prose(text: str) -> str:
    """A sentence of ours, in which backticks in pairs mean code."""
    pieces = _cut(text, 2 * _LONG).split("`")
    if len(pieces) % 2 == 0 or not all(piece.strip() for piece in pieces[1::2]):
        return inline(text, 2 * _LONG)
    return "".join(code(piece) if index % 2 else inline(piece, 2 * _LONG) for index, piece in enumerate(pieces))


def _cut(text: str, longest: int) -> str:
    shown = visible(text)
    return shown if len(shown) <= longest else shown[:longest] + "…"


def fence(lines: Iterable[str], language: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    content = "\n".join(lines)
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", content)), default=0))
    return f"{ticks}{language}\n{content}\n{ticks}"


def size(text: str) -> int:
    return len(text.encode())


@dataclass(slots=True)
class _Page:
    """One comment; `left` is the room that is still free."""

    reader: Reader
    left: int

    def head(self) -> str:
        plan = self.reader.plan
        marker = re.sub(r"[^A-Za-z0-9.]+", "-", plan.host.name)[:80]
        parts = [
            f"<!-- reconciler plan {marker} -->",
            f"### {inline(self._clean(summary(plan)))}",
            inline(self._clean(origin(plan))),
        ]
        return "\n".join((parts[0], "\n\n".join(parts[1:])))

    def refusals(self) -> str:
        plan = self.reader.plan
        notices = [f"> **Note:** {prose(self._clean(text))}" for text in plan.notices]
        shown = [text + "\n" for text in self._fit(notices, len(notices), "note")]
        vetoes = []
        for veto in plan.vetoes:
            hint = prose(self._clean(veto_hint(veto)))
            text = f"- **{inline(veto_label(veto))}**: {prose(self._clean(veto_sentence(veto)))}"
            vetoes.append(f"{text}<br>What to do: {hint}" if hint else text)
        if vetoes:
            shown += ["#### Why it is refused\n", *self._fit(vetoes, len(vetoes), "reason")]
        return "\n".join(shown).strip()

    def dangers(self) -> str:
        """In full as far as there is room, but every one at least with its name and its dangers."""
        steps = [step for step in self.reader.plan.steps if isinstance(step, ApplyStep) and is_dangerous(step.change)]
        if not steps:
            return ""
        short = self._fit(map(self._danger, steps), len(steps), "dangerous step")
        if len(short) == len(steps):
            for index, step in enumerate(steps):
                full = self._block(step, self.reader.full(step.change), unfold=True)
                more = size(full) - size(short[index])
                if more <= self.left:
                    short[index] = full
                    self.left -= more
        return "#### Dangerous, so read these first\n\n" + "\n\n".join(short)

    def table(self) -> str:
        if not self.reader.plan.steps:
            return ""
        title = "What it would do otherwise, in this order" if self.reader.plan.vetoes else "Steps, in this order"
        found = rows(self.reader.plan)
        shown: dict[int, str] = {}
        for gates in (True, False):  # what is waited for stays, even where a step has to go
            for index, row in enumerate(found):
                if isinstance(row, Gate) is gates and self.left >= _LEAST and self._take(text := self._row(row)):
                    shown[index] = text
        missing = sum(_steps(row) for index, row in enumerate(found) if index not in shown)
        note = [f"\n{_omitted(several(missing, 'step'))}"] if missing else []
        return "\n".join([f"#### {title}\n", _TABLE, *(shown[index] for index in sorted(shown)), *note])

    def details(self) -> str:
        steps = [s for s in self.reader.plan.steps if isinstance(s, ApplyStep) and not is_dangerous(s.change)]
        blocks = (self._block(step, self.reader.full(step.change)) for step in steps)
        return "\n\n".join(self._fit(blocks, len(steps), "detailed step"))

    def drift(self) -> str:
        plan = self.reader.plan
        found = [f"- {code(name)}: {prose(self._clean(fate))}" for name, fate in drift_rows(plan)]
        alone = [f"- {code(str(s.id))}: {prose(self._clean(s.reason))}" for s in plan.skipped if not s.drift]
        title = "#### Drift (on the host, since the last apply)\n"
        shown = [title, *self._fit(found, len(found), "resource")] if found else []
        shown += [""] if found and alone else []
        shown += ["#### Left alone\n", *self._fit(alone, len(alone), "resource")] if alone else []
        return "\n".join(shown)

    def end(self, apply_with: str | None) -> str:
        plan, clockwork = self.reader.plan, self.reader.clockwork
        times = clockwork.sentence if plan.changes else ""
        said = [times, *(() if plan.vetoes else facts(plan))]
        start, _, command = closing(plan, apply_with).partition(": ")
        last = f"**{inline(start)}{':' if command else ''}**{' ' + code(self._clean(command)) if command else ''}"
        return "\n\n".join(part for part in (inline(" ".join(filter(None, said)), 2 * _LONG), last) if part)

    def _danger(self, step: ApplyStep) -> str:
        labels = ", ".join(danger.label for danger in self.reader.full(step.change).dangers)
        return f"- {self._title(step)}{f' **({labels})**' if labels else ''}"

    def _title(self, step: ApplyStep) -> str:
        title = self.reader.title(step)
        verb = f"<b>{title.number}. {title.sign} {title.action}</b>"
        return f"{verb} {html_code(title.name)}: {inline(title.reason)}"

    def _row(self, row: ApplyStep | Gate) -> str:
        if isinstance(row, Gate):
            head, own = gate_lines(row)
            who, _, what = head.removeprefix("then verify ").partition(": ")
            more = (f"and {several(len(own) - _OWN, 'more line')}",) if len(own) > _OWN else ()
            cell = "<br>".join(inline(self._clean(line)) for line in (what, *own[:_OWN], *more))
            return f"| {row.numbers} | verify | {inline(who)} | {cell} | |"
        title, body = self.reader.title(row), self.reader.short(row.change)
        both = [item for item in body.fields if item.before and item.after]
        shown = [*map(inline, body.conditions), *(_difference(item, 80) for item in both)]
        what = "; ".join(shown[:4]) + ("; …" if len(shown) > 4 else "")
        place = code(title.place) if title.place else ""
        action = f"{title.sign} {title.action}"
        return f"| {title.number} | {action} | {code(title.name)} | {what or inline(title.reason)} | {place} |"

    def _block(self, step: ApplyStep, body: Body, *, unfold: bool = False) -> str:
        lines = [f"<details{' open' if unfold else ''}><summary>{self._title(step)}</summary>", ""]
        for danger in body.dangers:
            hint = f"<br>{prose(danger.hint)}" if danger.hint else ""
            lines.append(f"- **{danger.label}**: {prose(danger.message)}{hint}")
        lines += [f"- {inline(each)}" for each in body.conditions]
        lines += [f"- {_difference(item, 4000)}" for item in body.fields]
        lines += [f"- {inline(run)}" for run in body.runs]
        if body.raw:
            lines += [f"- {inline(body.where)}:"] if body.where else []
            lines += ["", fence((f"{sign} {line}" for sign, line in body.raw), "diff")]
        return "\n".join([*lines, "", "</details>"])

    def _fit(self, texts: Iterable[str], count: int, what: str) -> list[str]:
        """The texts that there is room for; whatever is left out of `count` is counted in a line of its own."""
        kept: list[str] = []
        for text in texts:
            if self._take(text):
                kept.append(text)
            if self.left < _LEAST:
                break
        missing = count - len(kept)
        return [*kept, _omitted(several(missing, what))] if missing else kept

    def _take(self, text: str) -> bool:
        """Whether there is room for the text; it is then taken."""
        need = size(text) + 2
        fits = need <= self.left
        self.left -= need if fits else 0
        return fits

    def _clean(self, text: str) -> str:
        return self.reader.clean(text)


def _difference(item: Field, longest: int) -> str:
    sides = [side if side == ABSENT else code(side, longest) for side in (item.before, item.after) if side]
    return f"{code(item.name)}: {' → '.join(sides)}"


def _omitted(what: str) -> str:
    return f"**{what} omitted here to keep this short; `reconcile plan` shows everything.**"


def _steps(row: ApplyStep | Gate) -> int:
    return len(row.steps) if isinstance(row, Gate) else 1
