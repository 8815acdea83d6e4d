"""What keeps a plan from being carried out: a guard that said no, or a host that is not as it was."""

from __future__ import annotations

from reconciler.model.errors import Refused, StalePlan
from reconciler.model.plan import Plan


def refuse(plan: Plan) -> None:
    """Raises Refused where a guard said no."""
    if not plan.vetoes:
        return
    count, first = len(plan.vetoes), plan.vetoes[0]
    raise Refused(
        f"cannot apply the plan: {count} refusal{'s' if count != 1 else ''}, the first: {first.message}",
        where=str(first.id) if first.id else None,
        hint=first.hint,
    )


def require_same(fingerprint: str, again: Plan) -> None:
    """Raises StalePlan unless the plan made afresh has this fingerprint."""
    if again.fingerprint != fingerprint:
        raise StalePlan(
            "cannot apply the plan: something changed since it was made, so it would no longer do what it says",
            hint="run `reconcile plan` again and read the new plan",
        )
