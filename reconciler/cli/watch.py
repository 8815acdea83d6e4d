"""`reconcile watch`: passes on every change of the tree and every drift interval, until stopped."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.progress import plain
from reconciler.cli.session import Signals, accept_option, application, path_argument, wants_colour

if TYPE_CHECKING:
    from reconciler.app import App
    from reconciler.model.errors import ExitCode, ReconcileError
    from reconciler.model.resource import Desired


@click.command
@path_argument
@click.option("--once", is_flag=True, help="Make one pass and exit with its code.")
@click.option("--interval", metavar="DURATION", help="How often to look for drift (default: 5m, or the settings').")
@accept_option
def command(path: Path, once: bool, interval: str | None, accept: tuple[str, ...]) -> int:
    """Keep this host as the manifests in PATH say: apply each saved change, put drift back.

    A tree with errors changes nothing; the last good revision stays in force. A revision that fails
    is rolled back, quarantined, and not tried again until it changes. Stops on SIGINT and SIGTERM.
    `reconcile self install --watch PATH` has it started at boot or login.
    """
    from reconciler.journal.lock import WriterLock
    from reconciler.watch.loop import Loop
    from reconciler.watch.wakes import Wake, wakes

    with Signals() as signals:
        app = application(path, listener=plain(sys.stdout), signals=signals)
        seconds = _interval(interval, app.settings.drift_interval)
        loop = Loop(
            load=app.load,
            run_pass=lambda desired: _pass(app, desired, frozenset(accept)),
            say=_say,
            explain=_explain,
        )
        with WriterLock.acquire(app.folders.state / "watch", purpose="watch", clock=app.host.clock):
            if once:
                return loop.once(Wake.START)
            _say(f"watching {path}; looking for drift every {seconds:g} s; stop with Ctrl-C")
            loop.run(wakes(path, drift_interval=seconds, stop=signals.event, monotonic=time.monotonic))
            _say("stopped")
    return 0


def _interval(text: str | None, default: float) -> float:
    from reconciler.model.duration import parse_duration

    if text is None:
        return default
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise click.UsageError(f"--interval: {error}") from error
    if seconds < 1:
        raise click.UsageError("--interval: at least 1s, so that the host is not busy with looking")
    return seconds


def _pass(app: App, desired: Desired, accept: frozenset[str]) -> tuple[ExitCode, str]:
    """Recover, plan, apply. An empty text means that there was nothing to say."""
    from reconciler.cli.rollout import ending, recovery, still_left
    from reconciler.records import upkeep

    with app.writing("watch") as journal:
        recovered = app.resume(journal)
        if recovered is not None:
            _say(recovery(recovered))
        planned = app.plan(app.request(accept=accept), desired=desired, journal=journal)
        if recovered is not None and still_left(recovered, planned):
            return recovered.code, ending(recovered)
        outcome = app.carry_out(planned, journal, "apply")
        upkeep(app.folders.state, app.host, journal.inventory(), app.listener)
        return outcome.code, ending(outcome) if outcome.rollout else ""


def _say(text: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    sys.stdout.write(f"{stamp} {text}\n")
    sys.stdout.flush()


def _explain(error: ReconcileError) -> str:
    from reconciler.cli.failure import text

    return text(error, wants_colour(sys.stdout, os.environ)).rstrip()
