"""The scripts of script/: the stand-in for crontab answers like the real one, and every script says how to use it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ("setup", "run", "test", "bench", "start-engines")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "my table"


def crontab(table: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "script" / "scratch-crontab"), *arguments],
        env={"PATH": os.environ["PATH"], "SCRATCH_CRONTAB": str(table)},
        input=stdin,
        capture_output=True,
        text=True,
    )


def test_an_empty_scratch_crontab_says_what_the_real_one_says(table: Path) -> None:
    for action in ("-l", "-r"):
        done = crontab(table, action)
        assert done.returncode == 1
        assert done.stderr.startswith("no crontab for ")


def test_the_scratch_crontab_returns_what_was_installed_and_forgets_it(table: Path) -> None:
    text = "# a\t\n\n5 * * * * echo 100\\% \\\\\nMAILTO=''\n"
    assert crontab(table, "-", stdin=text).returncode == 0
    assert crontab(table, "-l").stdout == text
    assert crontab(table, "-r").returncode == 0
    assert crontab(table, "-l").returncode == 1


def test_the_scratch_crontab_refuses_a_table_without_a_final_newline(table: Path) -> None:
    crontab(table, "-", stdin="# kept\n")
    done = crontab(table, "-", stdin="* * * * * true")
    assert done.returncode == 1
    assert "missing newline" in done.stderr
    assert crontab(table, "-l").stdout == "# kept\n"
    assert list(table.parent.iterdir()) == [table]


def test_the_scratch_crontab_keeps_users_apart(table: Path) -> None:
    crontab(table, "-", stdin="# mine\n")
    crontab(table, "-u", "somebody", "-", stdin="# theirs\n")
    assert crontab(table, "-l").stdout == "# mine\n"
    assert crontab(table, "-u", "somebody", "-l").stdout == "# theirs\n"


def test_the_scratch_crontab_checks_without_installing(table: Path) -> None:
    assert crontab(table, "-n", "-", stdin="# a\n").returncode == 0
    assert not table.exists()


@pytest.mark.parametrize("arguments", [(), ("-x",), ("-u",)])
def test_the_scratch_crontab_refuses_what_it_does_not_know(table: Path, arguments: tuple[str, ...]) -> None:
    assert crontab(table, *arguments).returncode == 1


@pytest.mark.parametrize("name", [*SCRIPTS, "scratch-crontab"])
def test_every_script_is_executable_and_parses(name: str) -> None:
    path = ROOT / "script" / name
    assert os.access(path, os.X_OK)
    shell = "sh" if name == "scratch-crontab" else "bash"
    assert subprocess.run([shell, "-n", str(path)]).returncode == 0


@pytest.mark.parametrize("name", ["setup", "run"])
def test_a_script_refuses_an_argument_that_it_does_not_know(name: str) -> None:
    done = subprocess.run([str(ROOT / "script" / name), "--nonsense"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "usage: " in done.stderr


def test_setup_without_a_python_says_what_to_install(tmp_path: Path) -> None:
    """A copy of the repository, a PATH without any Python: nothing is made."""
    for name in ("pyproject.toml", "uv.lock", "script"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for program in ("bash", "cat", "cksum", "dirname", "readlink", "rm", "sed"):
        found = shutil.which(program)
        assert found is not None
        (tools / program).symlink_to(found)
    done = subprocess.run(
        [str(tools / "bash"), str(tmp_path / "script" / "setup")],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "cannot make the environment: no Python 3.11 or newer found" in done.stderr
    assert "hint: " in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_continuous_integration_runs_the_same_command_as_a_person() -> None:
    assert "script/test" in (ROOT / ".ci" / "run").read_text()
    assert ".ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
