"""A plan or the problems of a tree as GitHub workflow commands: one annotation per line.

Worst first, because GitHub shows only ten of each level.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.cli.render.characters import several, visible
from reconciler.cli.render.outline import (
    DANGERS,
    SIGNS,
    is_dangerous,
    manifest_place,
    refusing,
    verdict,
    veto_hint,
    veto_label,
    veto_sentence,
)
from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change, Hazard
from reconciler.model.errors import Problem
from reconciler.model.mask import Mask
from reconciler.model.plan import Plan

SHOWN = 10  # annotations of one level that GitHub shows per step of a job


def plan_annotations(plan: Plan, *, mask: Mask, root: str = "") -> str:
    """Refusals as errors, dangers as warnings, the rest as notices. `root` leads from the checkout to here."""
    page = _Annotations(plan, mask, root)
    lines = [page.veto(index) for index in range(len(plan.vetoes))]
    lines += [page.hazard(change, hazard) for change in plan.changes for hazard in change.hazards
              if not refusing(hazard, plan)]  # fmt: skip
    removals = (Action.DELETE, Action.REPLACE)
    lines += [page.change("warning", change) for change in plan.changes if change.action in removals]
    calm = [change for change in plan.changes if not is_dangerous(change)]
    lines += [page.change("notice", change) for change in calm[: SHOWN - 1]]
    more = len(calm) - (SHOWN - 1)
    rest = f" ({several(more, 'more change')} not annotated)" if more > 0 else ""
    lines.append(command("notice", page.clean(verdict(plan)) + rest, title="Plan"))
    return "\n".join(lines) + "\n"


def problems_annotations(problems: Iterable[Problem], *, root: str = "") -> str:
    """One error for each problem of the manifests."""
    return "".join(
        command(
            "error",
            visible(problem.message) + (f" ({visible(problem.hint)})" if problem.hint else ""),
            file=joined(root, problem.file),
            line=str(problem.line) if problem.line else "",
            col=str(problem.column) if problem.line and problem.column else "",
        )
        + "\n"
        for problem in problems
    )


def command(level: str, message: str, **properties: str) -> str:
    """One workflow command; empty properties are left out."""
    shown = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{level}{' ' if shown else ''}{shown}::{_data(visible(message))}"


def joined(root: str, file: str) -> str:
    return f"{root.rstrip('/')}/{file}" if root and not file.startswith("/") else file


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")


class _Annotations:
    """The lines of one plan."""

    __slots__ = ("_mask", "_plan", "_root")

    def __init__(self, plan: Plan, mask: Mask, root: str) -> None:
        self._plan, self._mask, self._root = plan, mask, root

    def veto(self, index: int) -> str:
        veto = self._plan.vetoes[index]
        hint = veto_hint(veto)
        text = self.clean(veto_sentence(veto) + (f"; what to do: {hint}" if hint else ""))
        return command("error", text, **self._place(veto.id), title=f"Refused ({veto_label(veto)})")

    def hazard(self, change: Change, hazard: Hazard) -> str:
        text = f"{change.id}: {hazard.message}" + (f"; {hazard.hint}" if hazard.hint else "")
        return command(
            "warning", self.clean(text), **self._place(change.id), title=f"Danger ({DANGERS[hazard.danger]})"
        )

    def change(self, level: str, change: Change) -> str:
        text = f"{SIGNS[change.action]} {change.action} {change.id}: {change.reason}"
        return command(level, self.clean(text), **self._place(change.id), title=f"To {change.action}")

    def clean(self, text: str) -> str:
        return visible(self._mask.text(text))

    def _place(self, id_: ResourceId | None) -> dict[str, str]:
        file, line = manifest_place(self._plan, id_)
        return {"file": joined(self._root, file), "line": line} if file else {}
