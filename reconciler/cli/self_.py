"""`reconcile self`: the embedded supervisor, and a watch if wanted, started at boot or login; and how that stands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.progress import progress
from reconciler.cli.session import (
    Signals,
    accept_option,
    application,
    output_option,
    print_json,
    wants_colour,
    yes_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.app import App, Planned
    from reconciler.autostart import Setup
    from reconciler.journal.journal import Journal
    from reconciler.model.resource import Resource
    from reconciler.model.state import Owned

BACKENDS = ("auto", "systemd", "launchd", "crontab")


@click.group("self")
def command() -> None:
    """Start the embedded supervisor at boot or login, without a manifest of yours.

    \b
    Exit codes of install and uninstall: those of `reconcile apply`.
    """


@command.command()
@click.option(
    "--through", type=click.Choice(BACKENDS), default="auto", show_default=True, help="What is to start it."
)
@click.option("--scope", type=click.Choice(("user", "system")), help="Whose systemd manager; root: the machine's.")
@click.option(
    "--watch",
    type=click.Path(path_type=Path, exists=True),
    help="Also keep `reconcile watch PATH` running. Without it, one that was installed goes.",
)
@yes_option
@output_option("text", "json")
@accept_option
def install(
    through: str, scope: str | None, watch: Path | None, yes: bool, output: str, accept: tuple[str, ...]
) -> int:
    """Have the embedded supervisor started at boot or login, and start it now.

    Shows the plan and asks, unless --yes. It is verified, undone where it fails, kept by every later plan,
    and removed by `reconcile self uninstall` or `reconcile rollback 0`.
    """
    from reconciler.autostart import resources
    from reconciler.cli.resident import is_installed, kept, settle
    from reconciler.cli.rollout import roll_out
    from reconciler.model.errors import ExitCode

    with Signals() as signals:
        app = application(Path(), listener=progress(sys.stderr), signals=signals)

        def make(journal: Journal) -> Planned:
            setup = _setup(app, journal, through, scope or "", watch)
            return _plan(app, journal, resources(setup, app.registry.kinds), accept)

        code = roll_out(app, make, "self install", output=output, yes=yes)
    if code == ExitCode.ROLLED_BACK and not is_installed(app) and not kept(app.folders.state):
        sys.stderr.write(settle(app.folders.state))
    return code


@command.command()
@yes_option
@output_option("text", "json")
@accept_option
def uninstall(yes: bool, output: str, accept: tuple[str, ...]) -> int:
    """Take out what `reconcile self install` put in, and end the supervisor if it keeps nothing."""
    from reconciler.cli.resident import settle
    from reconciler.cli.rollout import roll_out

    with Signals() as signals:
        app = application(Path(), listener=progress(sys.stderr), signals=signals)
        code = roll_out(
            app, lambda journal: _plan(app, journal, (), accept), "self uninstall", output=output, yes=yes
        )
    if code == 0:
        sys.stderr.write(settle(app.folders.state))
    return code


@command.command()
@output_option("text", "json")
def status(output: str) -> int:
    """What is installed and how, whether it runs, and what happens at boot or login. Changes nothing."""
    from reconciler.cli.render.own import own_json, own_text
    from reconciler.cli.resident import standing

    app = application(Path())
    found = standing(app)
    if output == "json":
        print_json(own_json(found))
    else:
        sys.stdout.write(own_text(found, colour=wants_colour(sys.stdout, os.environ)))
    return 0


def _plan(app: App, journal: Journal, ours: tuple[Resource, ...], accept: tuple[str, ...]) -> Planned:
    """The plan that leaves exactly these of our own; everything else stays as it is."""
    from reconciler.model.intent import PrunePolicy
    from reconciler.model.resource import Desired
    from reconciler.own import ADDRESSES, installed
    from reconciler.past import NOTHING

    stable = journal.stable()
    targets = ADDRESSES | {entry.id for entry in installed(journal.inventory())}
    request = app.request(targets=targets, accept=frozenset(accept), whole_tree=True, prune=PrunePolicy())
    desired = Desired("what reconciler needs for itself", stable[1] if stable else NOTHING, ())
    return app.plan(request, desired=desired, journal=journal, ours=ours)


def _setup(app: App, journal: Journal, through: str, scope: str, watch: Path | None) -> Setup:
    from dataclasses import replace

    from reconciler.autostart import Setup, starter

    setup = Setup(
        through=through,
        python=sys.executable,
        state=str(app.folders.state.absolute()),
        watch="" if watch is None else str(watch.absolute()),
        environment={name: os.environ[name] for name in ("PYTHONPATH",) if os.environ.get(name)},
        folders=_folders(app),
        scope=scope,
    )
    inventory = journal.inventory()
    chosen = starter(
        through, inventory, app.host.facts().platform, lambda name: _why_not(app, setup, inventory, name)
    )
    if scope and chosen != "systemd":
        raise click.UsageError(f"--scope is about systemd, and it would be installed through {chosen}")
    return replace(setup, through=chosen)


def _why_not(app: App, setup: Setup, inventory: Sequence[Owned], name: str) -> str | None:
    """Why this backend cannot hold what would be installed; None where it can, and where it already does."""
    from dataclasses import replace

    from reconciler.autostart import resources
    from reconciler.engine.observe import Supports
    from reconciler.host.readonly import ReadOnlyHost
    from reconciler.model.errors import ReconcileError
    from reconciler.own import SUPERVISOR
    from reconciler.provider import Wanted

    host = ReadOnlyHost(app.host)
    why = Supports(host, app.registry.providers)(name)
    if why is not None or any((each.id.name, each.provider) == (SUPERVISOR, name) for each in inventory):
        return why
    provider = app.registry.providers[name]
    found = resources(replace(setup, through=name), app.registry.kinds)
    main = next(each for each in found if each.id.name == SUPERVISOR)
    try:
        provider.observe(host, [Wanted(main.id, provider.canonical(main), None)])
    except ReconcileError as error:
        return error.message
    return None


def _folders(app: App) -> dict[str, str]:
    """The folders of this reconciler, where a program without any settings would not find them."""
    from reconciler.settings import folders

    places = app.folders
    if folders({"HOME": str(Path.home())}, root=os.geteuid() == 0) == places:
        return {}
    return {
        "RECONCILER_STATE_DIR": str(places.state.absolute()),
        "RECONCILER_CACHE_DIR": str(places.cache.absolute()),
        "RECONCILER_BIN_DIR": str(places.bin.absolute()),
    }
