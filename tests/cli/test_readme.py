"""What the README shows is so: its manifests are valid, its error reads as printed, its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from reconciler.cli.main import COMMANDS, cli
from reconciler.settings import folders
from tests.cli.workplace import Workplace

README = (Path(__file__).parents[2] / "README.md").read_text()
MANIFESTS = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "apiVersion" in block]
ERROR = re.search(r"\$ reconcile plan\n(desired/backup.yaml:9.*?)```", README, re.DOTALL)


def test_its_manifests_are_valid_together(workplace: Workplace) -> None:
    assert len(MANIFESTS) == 2
    for number, block in enumerate(MANIFESTS):
        workplace.write(f"desired/{number}.yaml", block)
    assert workplace.run("validate").out == "3 manifests in 2 files are valid\n"


def test_its_error_reads_as_printed(workplace: Workplace) -> None:
    assert ERROR is not None
    head = "apiVersion: reconciler/v1\nkind: Automation\nmetadata:\n  name: backup\n\n\n\nspec:\n"
    workplace.write(
        "desired/backup.yaml", f'{head}  schedule: "0 0 31 2 *"\n  command: [true]\n'.replace("[true]", "[a]")
    )
    assert workplace.run("plan").err == ERROR[1]


@pytest.mark.parametrize(
    "line", sorted(set(re.findall(r"(?:`|^|\$ )reconcile ([a-z][^`\n#]*)", README, re.MULTILINE)))
)
def test_its_commands_and_their_options_exist(line: str) -> None:
    name, *words = line.split()
    assert name in COMMANDS
    command = cli.get_command(click.Context(cli), name)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.get_command(click.Context(command), words.pop(0))
    assert command is not None
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if re.fullmatch(r"--?[a-z-]+", word)} <= known | {"--help"}


def test_its_folders_are_those_that_are_used() -> None:
    for root in (False, True):
        found = folders({"HOME": "/h"}, root=root)
        for place in (found.state, found.cache, found.bin):
            assert f"`{str(place).replace('/h', '~', 1) if not root else place}`" in README
    moved = folders({"RECONCILER_STATE_DIR": "/x/STATE"}, root=True)
    assert f"`{moved.bin.name}`" in README
