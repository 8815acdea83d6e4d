"""A plan, or the problems of a tree, as JSON for programs: reason codes, field differences, refusals, next runs.

`format` grows by one when a field changes its meaning or goes; new fields may come at any time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.cli.render.characters import HIDDEN
from reconciler.cli.render.outline import manifest_place
from reconciler.cli.render.runs import Clockwork
from reconciler.model.change import Action, Cause, Change, Hazard, field_diffs
from reconciler.model.codec import encode
from reconciler.model.data import Json
from reconciler.model.errors import Problem
from reconciler.model.mask import Mask
from reconciler.model.plan import ApplyStep, Plan, Step, VerifyStep, Veto
from reconciler.model.state import State

FORMAT = 1


def plan_json(plan: Plan, *, taken: datetime, mask: Mask) -> Json:
    """The whole plan, masked. What a provider keeps to put things back is never shown."""
    clockwork = Clockwork(taken, plan.host.timezone)
    return {
        "format": FORMAT,
        "verdict": "refused" if plan.vetoes else "changes" if plan.steps else "nothing",
        "host": encode(plan.host),
        "path": plan.path,
        "revision": encode(plan.revision),
        "fingerprint": plan.fingerprint,
        "counts": _counts(plan),
        "notices": [mask.text(notice) for notice in plan.notices],
        "vetoes": [_veto(veto, mask) for veto in plan.vetoes],
        "steps": [_step(step, plan, clockwork, mask) for step in plan.steps],
        "skipped": [
            {"id": str(skip.id), "reason": mask.text(skip.reason), "drift": skip.drift} for skip in plan.skipped
        ],
    }


def problems_json(problems: Sequence[Problem]) -> Json:
    """What stands in place of any answer where the manifests are invalid. Secrets in the excerpts are hidden."""
    mask = Mask("excerpt")
    shown = [replace(each, excerpt=mask.text(each.excerpt) if each.excerpt else None) for each in problems]
    return {"format": FORMAT, "verdict": "invalid", "valid": False, "problems": encode(tuple(shown))}


def _counts(plan: Plan) -> Json:
    return {
        **{action.value: plan.count(action) for action in Action if action is not Action.NONE},
        "unchanged": plan.unchanged,
        "skipped": len(plan.skipped),
        "drift": sum(change.cause is Cause.DRIFT for change in plan.changes) + sum(s.drift for s in plan.skipped),
        "verify": sum(isinstance(step, VerifyStep) for step in plan.steps),
        "hazards": sum(len(change.hazards) for change in plan.changes),
        "vetoes": len(plan.vetoes),
    }


def _veto(veto: Veto, mask: Mask) -> Json:
    return {
        "guard": veto.guard,
        "message": mask.text(veto.message),
        "id": str(veto.id) if veto.id else None,
        "hint": mask.text(veto.hint) if veto.hint else None,
        "accept": veto.accept,
    }


def _step(step: Step, plan: Plan, clockwork: Clockwork, mask: Mask) -> Json:
    head: dict[str, Json] = {"number": step.number, "needs": list(step.needs)}
    if isinstance(step, ApplyStep):
        more = {"type": "change", "batch": step.batch, "afterAll": step.after_all}
        source = ":".join(filter(None, manifest_place(plan, step.change.id)))
        return head | more | _change(step.change, source, clockwork, mask)
    return head | {
        "type": "verify",
        "id": str(step.id),
        "provider": step.provider,
        "within": step.within,
        "stableFor": step.stable_for,
        "backend": step.backend,
        "probes": [{"type": probe.type, "options": mask.json(probe.options)} for probe in step.probes],
    }


def _change(change: Change, source: str, clockwork: Clockwork, mask: Mask) -> dict[str, Json]:
    return {
        "id": str(change.id),
        "provider": change.provider,
        "action": change.action.value,
        "cause": change.cause.value,
        "reason": mask.text(change.reason),
        "source": source or None,
        "where": mask.text(change.where) or None,
        "fields": [
            _field(diff.path, diff.before, diff.after, mask) for diff in field_diffs(change.before, change.after)
        ],
        "document": {
            "before": _document(change.document_before, mask),
            "after": _document(change.document_after, mask),
        },
        "hazards": [_hazard(hazard, mask) for hazard in change.hazards],
        "runs": {"before": _runs(change.before, clockwork), "after": _runs(change.after, clockwork)},
    }


def _field(path: tuple[str, ...], before: Json, after: Json, mask: Mask) -> Json:
    return {"path": list(path), "before": mask.at(path, before), "after": mask.at(path, after)}


def _document(document: str | None, mask: Mask) -> Json:
    return None if document is None else mask.text(document)


def _hazard(hazard: Hazard, mask: Mask) -> Json:
    return {
        "danger": hazard.danger.value,
        "message": mask.text(hazard.message),
        "hint": mask.text(hazard.hint) if hazard.hint else None,
        "blocking": hazard.blocking,
    }


def _runs(state: State | None, clockwork: Clockwork) -> Json:
    return [run.isoformat() for run in clockwork.runs(state, 3)]


def json_text(value: Json) -> str:
    """JSON that is safe to print: every hidden character is escaped, everything else stays readable."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return HIDDEN.sub(_escaped, text) + "\n"


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match[0] == "\n" else json.dumps(match[0])[1:-1]
