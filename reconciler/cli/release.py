"""`reconcile release`: give a resource back to the user, or let a quarantined revision try again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.progress import progress
from reconciler.cli.session import Signals, addresses, application, output_option, yes_option

if TYPE_CHECKING:
    from reconciler.app import App


@click.command
@click.argument("address", metavar="[KIND/NAME]", required=False)
@click.option("--quarantine", metavar="REVISION", help="Free this quarantined revision (or `all`) instead.")
@yes_option
@output_option("text", "json")
def command(address: str | None, quarantine: str | None, yes: bool, output: str) -> int:
    """Give up ownership of KIND/NAME: it stays on the host without our mark, does the same, and is yours again.

    What was adopted, and not changed by that or since, comes back byte for byte where it was; of anything else the
    plan says whether it goes on running through `reconcile exec`. A container is made again, because no engine can
    take a mark off. Take its manifest out of the tree as well, or the next plan wants it back. Shows the plan and
    asks, unless --yes.

    \b
    Examples:
      reconcile release Automation/backup
      reconcile release --quarantine all

    \b
    Exit code: as of `reconcile apply`.
    """
    if (address is None) == (quarantine is None):
        raise click.UsageError("name either a resource (KIND/NAME) or --quarantine REVISION")
    with Signals() as signals:
        app = application(Path(), listener=progress(sys.stderr), signals=signals)
        if quarantine is not None:
            return _free(app, quarantine)
        return _release(app, str(address), yes=yes, output=output)


def _free(app: App, revision: str) -> int:
    from reconciler.model.errors import ReconcileError

    with app.writing("release") as journal:
        freed = journal.quarantine_release(None if revision == "all" else revision)
    if not freed:
        raise ReconcileError(
            f"cannot release the revision {revision}: it is not quarantined", hint="`reconcile status` lists those"
        )
    for item in freed:
        sys.stdout.write(
            f"{item.revision.label} may be applied again (quarantined since rollout {item.rollout}: {item.reason}).\n"
        )
    return 0


def _release(app: App, address: str, *, yes: bool, output: str) -> int:
    from reconciler.cli.rollout import roll_out
    from reconciler.model.resource import Desired, Revision

    ids = addresses([address])
    with app.journal() as journal:
        stable = journal.stable()
    revision = stable[1] if stable else Revision("none")
    desired = Desired(".", revision, ())
    request = app.request(targets=ids, release=ids)
    return roll_out(
        app,
        lambda journal: app.plan(request, desired=desired, journal=journal),
        "release",
        output=output,
        yes=yes,
    )
