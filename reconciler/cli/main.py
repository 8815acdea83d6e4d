"""Entry point: the table of commands, loaded on use, and the border where errors become exit codes."""

from __future__ import annotations

import gc
import io
import os
import sys
from importlib import import_module
from typing import cast

import click

from reconciler import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "validate": ("reconciler.cli.validate", "Check the manifests; report every problem with its place."),
    "plan": ("reconciler.cli.plan", "Show what apply would do. Changes nothing."),
    "apply": ("reconciler.cli.apply", "Carry out the plan, verify it, and undo it where it fails."),
    "watch": ("reconciler.cli.watch", "Keep the host as the manifests say, until stopped."),
    "exec": ("reconciler.cli.exec", "Run an automation's command, as schedulers do: bounded and recorded."),
    "status": ("reconciler.cli.status", "What is owned, stable, drifting, quarantined. Changes nothing."),
    "snapshot": ("reconciler.cli.snapshot", "Write what the host has, to plan against elsewhere."),
    "forecast": (
        "reconciler.cli.forecast",
        "What will start when: load, collisions, overlaps. Changes nothing.",
    ),
    "ports": ("reconciler.cli.ports", "Who may listen where, and who does. Changes nothing."),
    "history": ("reconciler.cli.history", "List past rollouts."),
    "show": ("reconciler.cli.show", "Show one rollout step by step, or one run."),
    "runs": ("reconciler.cli.runs", "List runs of automations, and the scheduled times without one."),
    "run": ("reconciler.cli.run", "Run an automation now, as its scheduler would."),
    "logs": ("reconciler.cli.logs", "Print the output of a run; follow it with -f."),
    "stats": ("reconciler.cli.stats", "How often automations succeed, and how long they take."),
    "report": ("reconciler.cli.report", "Review the runs of a week as Markdown, HTML or JSON."),
    "rollback": ("reconciler.cli.rollback", "Go back to how things stood after an earlier rollout."),
    "resume": ("reconciler.cli.resume", "Bring a rollout that was left half-way to an end."),
    "self": ("reconciler.cli.self_", "Start the embedded supervisor, or a watch, at boot or login."),
    "adopt": ("reconciler.cli.adopt", "Take over an entry that you wrote yourself."),
    "release": ("reconciler.cli.release", "Give up ownership of a resource, or free a quarantined revision."),
    "import": ("reconciler.cli.import_", "Write manifests for entries that exist already."),
    "new": ("reconciler.cli.new", "Write a first manifest to start from."),
    "fmt": ("reconciler.cli.fmt", "Format manifests; comments stay."),
    "schema": ("reconciler.cli.schema", "Print the JSON Schema of manifests, for editors."),
    "explain": ("reconciler.cli.explain", "Explain a kind or a field."),
    "doctor": ("reconciler.cli.doctor", "Check what this machine offers and what is in the way."),
    "completion": ("reconciler.cli.completion", "Print the completion script of a shell."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they run, and whose help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return cast("click.Command", import_module(COMMANDS[cmd_name][0]).command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else "; `reconcile --help` lists them"
            ctx.fail(f"there is no command `{name}`{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="reconcile")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """GitOps for one machine: crontabs, systemd units, containers, launchd agents and ports under one plan.

    Write manifests, read the plan, apply it. Without a command, shows the status and changes nothing.
    """
    if ctx.invoked_subcommand is None:
        from reconciler.cli.status import command

        ctx.invoke(command)


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(200_000)  # a short life with many values that stay: collecting early costs more than it frees
    if sys.stdout is None or sys.stderr is None:  # closed by the caller
        sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as the process lives
        sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name or a crontab may hold bytes that are no text
            stream.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:  # a full disk behind a redirection, a reader that has gone
        sys.stderr.write(f"error: cannot write the output: {error.strerror}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Exit code of one invocation. Every error that a user can cause ends here as a message."""
    from reconciler.model.errors import ReconcileError

    try:
        result = cli.main(arguments, prog_name="reconcile", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 1
    except click.Abort:
        click.echo("stopped", err=True)
        return 1
    except ReconcileError as error:
        from reconciler.cli.failure import show

        return show(error)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        from reconciler.cli.failure import show

        return show(ReconcileError(f"cannot go on: {error}", where=error.filename))
    except Exception as error:  # noqa: BLE001 - the border: a bug ends with a message and a report, not in silence
        from reconciler.cli.failure import show_bug

        return show_bug(error)
    return result if isinstance(result, int) else 0
