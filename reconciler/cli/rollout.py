"""What every command that changes the host does: show the plan, ask, carry it out, say how it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from reconciler.app import App, Planned
from reconciler.cli.session import print_json
from reconciler.cli.show_plan import show_plan
from reconciler.journal.journal import Journal
from reconciler.model.errors import ExitCode, ReconcileError
from reconciler.model.rollout import Outcome
from reconciler.refusals import refuse, require_same

Maker = Callable[[Journal], Planned]


def roll_out(app: App, make: Maker, verb: str, *, output: str, yes: bool, fingerprint: str | None = None) -> int:
    """Recover, plan, show, ask unless `yes`, carry out. With a fingerprint, only exactly that plan.

    Where a second try cannot undo an earlier failure either, other changes may still be what mends it.
    """
    with app.writing(verb) as journal:
        halting = {ExitCode.PARTLY, ExitCode.ROLLBACK_FAILED} if journal.interrupted() else {ExitCode.PARTLY}
        recovered = app.resume(journal)
        if recovered is not None:
            _say(recovery(recovered))
            if recovered.code in halting:
                return report(recovered, output, None)
        planned = make(journal)
        if fingerprint is not None:
            require_same(fingerprint, planned.plan)
        if recovered is not None and still_left(recovered, planned):
            return report(recovered, output, planned)
        if output != "json":
            sys.stdout.write(show_plan(planned, output, sys.stdout))
            sys.stdout.flush()
        if planned.plan.vetoes and output == "json":
            _print_outcome(Outcome(0, ExitCode.REFUSED, "refused by a guard"), planned)
        refuse(planned.plan)
        if yes or not planned.plan.steps:
            return report(app.carry_out(planned, journal, verb), output, planned)
    if not _agreed(planned):
        _say("Nothing was changed.")
        return ExitCode.ERROR
    with app.writing(verb) as journal:
        again = make(journal)
        require_same(planned.plan.fingerprint, again.plan)
        return report(app.carry_out(again, journal, verb), output, again)


def still_left(recovered: Outcome, planned: Planned) -> bool:
    """Whether this plan has nothing to do, but what a rollout left could not be undone: then not all is well."""
    return recovered.code is ExitCode.ROLLBACK_FAILED and not planned.plan.steps


def _agreed(planned: Planned) -> bool:
    if not sys.stdin.isatty():
        raise ReconcileError(
            "cannot ask whether to apply this plan: standard input is not a terminal",
            hint="pass --yes to apply without asking",
        )
    count = len(planned.plan.changes)
    what = f"{count} change{'s' if count != 1 else ''}"
    return click.confirm(f"Apply {what} to {planned.plan.host.name}?", default=False, err=True)


def recovery(outcome: Outcome) -> str:
    """How a rollout that was left half-way was brought to an end."""
    start = f"Rollout {outcome.rollout} {outcome.resumed}:"
    if outcome.code is ExitCode.DONE:
        return f"{start} all its changes stood, so its verification was finished; it is stable."
    if outcome.code is ExitCode.ROLLBACK_FAILED:
        return f"{start} it cannot be undone completely. {outcome.message}"
    if outcome.code is ExitCode.PARTLY:
        return f"{start} {outcome.message}."
    return f"{start} what it had done is undone now."


def report(outcome: Outcome, output: str, planned: Planned | None) -> int:
    """Say how a rollout ended and answer the exit code."""
    if output == "json":
        _print_outcome(outcome, planned)
    elif outcome.rollout:
        _say(ending(outcome))
    return outcome.code


def _print_outcome(outcome: Outcome, planned: Planned | None) -> None:
    data: dict[str, Any] = {
        "outcome": outcome.code.name.lower().replace("_", "-"),
        "exitCode": int(outcome.code),
        "message": outcome.message,
        "rollout": outcome.rollout or None,
        "where": outcome.where,
        "hint": outcome.hint,
        "left": list(outcome.left),
    }
    if planned is not None:
        import json

        data["plan"] = json.loads(show_plan(planned, "json", sys.stdout))
    print_json(data)


def ending(outcome: Outcome) -> str:
    """How a rollout ended, for people."""
    number = f"Rollout {outcome.rollout}"
    match outcome.code:
        case ExitCode.DONE:
            return f"{number}: {outcome.message}.{f' {outcome.hint}.' if outcome.hint else ''}"
        case ExitCode.ROLLED_BACK:
            return f"{number} failed and was rolled back: {_failure(outcome)}\nThe host is as it was before."
        case ExitCode.STALE:
            return f"{number} was not applied: {_failure(outcome)}\nNothing was changed; plan again."
        case ExitCode.PARTLY:
            return f"{number} is partly applied: {outcome.message}"
        case _:
            left = "\n".join(f"  - {item}" for item in outcome.left)
            return (
                f"{number} failed, and could not be undone completely: {_failure(outcome)}\n"
                f"What is left as it should not be:\n{left}\n"
                f"Repair what stands in the way, then `reconcile resume`; "
                f"`reconcile show {outcome.rollout}` has the details."
            )


def _failure(outcome: Outcome) -> str:
    """Why it failed, where, and what to do about it."""
    lines = [outcome.message]
    if outcome.where:
        lines.append(f"  where: {outcome.where}")
    if outcome.hint:
        lines.append(f"  what to do: {outcome.hint}")
    return "\n".join(lines)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
