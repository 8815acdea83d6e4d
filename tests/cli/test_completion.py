"""`reconcile completion`: scripts that a shell accepts, and completions of the lazily loaded commands."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from reconciler.cli.main import COMMANDS
from tests.cli.workplace import Workplace


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_says_how_to_install_it_and_registers_the_program(workplace: Workplace, shell: str) -> None:
    ran = workplace.run("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    first, *_ = ran.out.splitlines()
    assert first.startswith("# Install")
    assert f"reconcile completion {shell}" in ran.out
    assert f"_RECONCILE_COMPLETE={shell}_complete" in ran.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_itself_accepts_the_script(workplace: Workplace, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here")
    script = workplace.run("completion", shell).out
    checked = subprocess.run([program, "-n"], input=script, text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_an_unknown_shell_is_refused(workplace: Workplace) -> None:
    ran = workplace.run("completion", "tcsh")
    assert ran.code == 1
    assert "tcsh" in ran.err


def completed(words: str, monkeypatch: pytest.MonkeyPatch, workplace: Workplace) -> list[str]:
    """What the program answers to the shell."""
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_RECONCILE_COMPLETE", "bash_complete")
    code = "from reconciler.cli.main import main; main()"
    ran = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert ran.stderr == ""
    return [line.split(",", 1)[1] for line in ran.stdout.splitlines()]


def test_commands_options_and_files_are_completed(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed("reconcile ", monkeypatch, workplace) == list(COMMANDS)
    assert completed("reconcile va", monkeypatch, workplace) == ["validate"]
    assert "--detailed-exitcode" in completed("reconcile plan --", monkeypatch, workplace)
    assert completed("reconcile new a", monkeypatch, workplace) == ["automation"]
    assert completed("reconcile completion z", monkeypatch, workplace) == ["zsh"]
