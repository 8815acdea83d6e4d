"""`reconcile run`: the very command of the inventory, now; and the whole way with the real runner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

import reconciler
from reconciler.model.data import Json
from tests.cli.automations import apply, owned
from tests.cli.workplace import Workplace, own_name

RUNNER = Path(reconciler.__file__).parent / "runner"

# Stands in for the launcher: writes down how it was called, and does what the command says.
LAUNCHER = """\
#!/bin/sh
printf '%s\\n' "$@" > "$0.called"
echo "$GREETING" > "$0.greeting"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "reconcile"
    path.parent.mkdir()
    path.write_text(LAUNCHER)
    path.chmod(0o755)
    return path


def called(launcher: Path) -> list[str]:
    return launcher.with_name("reconcile.called").read_text().splitlines()


def test_the_command_of_the_inventory_runs_as_a_manual_one(workplace: Workplace, launcher: Path) -> None:
    entry = owned(
        workplace.state, "job", "0 6 * * *", launcher=str(launcher), settings={"timeout": 5},
        command=["sh", "-c", "exit 7"], environment={"GREETING": "hello"}, user=own_name(),
    )  # fmt: skip
    apply(workplace.state, entry)
    assert workplace.run("run", "job").code == 7
    words = called(launcher)
    assert words[0] == "exec"
    assert words[1].startswith("job@")
    assert words[words.index("--trigger") + 1] == "manual"
    assert words[words.index("--") + 1 :] == ["sh", "-c", "exit 7"]
    assert launcher.with_name("reconcile.greeting").read_text() == "hello\n"


def test_root_runs_that_of_another_user_as_that_user(workplace: Workplace) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    with tempfile.TemporaryDirectory() as folder:  # that user may not enter the folder of the tests
        place = Path(folder)
        place.chmod(0o755)
        launcher = place / "reconcile"
        launcher.write_text('#!/bin/sh\nexec >"${0%/*}/out/said"; id -un; echo "$HOME $LOGNAME"\n')
        launcher.chmod(0o755)
        (place / "out").mkdir()
        (place / "out").chmod(0o777)
        apply(workplace.state, owned(workplace.state, "job", "@daily", launcher=str(launcher), user="nobody"))
        assert workplace.run("run", "job").code == 0
        name, home = (place / "out/said").read_text().splitlines()
    assert (name, home.split()[1]) == ("nobody", "nobody")
    assert home.split()[0] != os.environ["HOME"]


def test_a_signal_is_an_exit_code(workplace: Workplace, launcher: Path) -> None:
    command = ["sh", "-c", "kill -TERM $$"]
    apply(workplace.state, owned(workplace.state, "job", "@daily", launcher=str(launcher), command=command))
    assert workplace.run("run", "job").code == 143


def test_quiet_shows_nothing(workplace: Workplace, launcher: Path) -> None:
    command = ["sh", "-c", "echo loud; echo louder >&2"]
    apply(workplace.state, owned(workplace.state, "job", "@daily", launcher=str(launcher), command=command))
    program = [sys.executable, "-m", "reconciler", "run", "job"]
    environment = {**os.environ, "PYTHONPATH": str(RUNNER.parents[1])}
    for more, wanted in (["--quiet"], (b"", b"")), ([], (b"loud\n", b"louder\n")):
        done = subprocess.run([*program, *more], env=environment, capture_output=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, *wanted)


def test_parameters_are_further_arguments(workplace: Workplace, launcher: Path) -> None:
    apply(workplace.state, owned(workplace.state, "job", "@daily", launcher=str(launcher), command=["echo"]))
    assert workplace.run("run", "job", "--param", "task=build all", "--param", "n=1=2").code == 0
    assert called(launcher)[-5:] == ["echo", "--task", "build all", "--n", "1=2"]


def test_a_line_of_text_takes_parameters_only_where_it_says(workplace: Workplace, launcher: Path) -> None:
    line = ["/bin/sh", "-c", 'printf "%s." "$@"']
    deaf = ["/bin/sh", "-c", "true"]
    apply(
        workplace.state,
        owned(workplace.state, "line", "@daily", launcher=str(launcher), command=line),
        owned(workplace.state, "deaf", "@daily", launcher=str(launcher), command=deaf),
    )
    assert workplace.run("run", "line", "--param", "k=v").code == 0
    assert called(launcher)[-6:] == [*line, "line", "--k", "v"]
    ran = workplace.run("run", "deaf", "--param", "k=v")
    assert ran.code == 1
    assert "cannot give parameters to deaf" in ran.err
    assert workplace.run("run", "deaf").code == 0


@pytest.mark.parametrize("text", ["k", "=v", "-k=v", "a b=c"])
def test_a_parameter_that_is_none_is_refused(workplace: Workplace, launcher: Path, text: str) -> None:
    apply(workplace.state, owned(workplace.state, "job", "@daily", launcher=str(launcher)))
    ran = workplace.run("run", "job", "--param", text)
    assert ran.code == 1
    assert "is not K=V" in ran.err


def test_a_manifest_that_is_not_applied_yet_gets_a_hint(workplace: Workplace) -> None:
    workplace.manifest("later")
    ran = workplace.run("run", "later")
    assert ran.code == 1
    assert "its manifest is not applied yet" in ran.err
    assert "reconcile apply desired" in ran.err


def test_without_the_runner_it_is_refused(workplace: Workplace, launcher: Path) -> None:
    entry = owned(workplace.state, "job", "@daily", launcher=str(launcher.with_name("other")))
    apply(workplace.state, entry)
    ran = workplace.run("run", "job")
    assert ran.code == 1
    assert "does not go through the runner" in ran.err


def test_a_launcher_that_is_gone_is_named(workplace: Workplace, tmp_path: Path) -> None:
    apply(workplace.state, owned(workplace.state, "job", "@daily", launcher=str(tmp_path / "gone/reconcile")))
    ran = workplace.run("run", "job")
    assert ran.code == 1
    assert "gone/reconcile" in ran.err


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    if not (RUNNER / "__main__.py").exists():
        pytest.skip("the runner is not there")
    path = tmp_path / "bin" / "reconcile"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {RUNNER} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("settings", "line", "code"),
    [
        ({"success": {"output": {"rejects": "oops"}}}, "echo oops", 1),
        ({"success": {"output": {"matches": "fine"}}}, "echo oops", 1),
        ({"success": {"exitCodes": [0, 3]}}, "exit 3", 0),
        ({"success": {"exitCodes": [3]}}, "exit 0", 1),
        ({"runtime": {"min": 5}}, "true", 1),
        ({"timeout": 0.2}, "sleep 9", 124),
        ({}, "exit 7", 7),
        ({}, "true", 0),
    ],
)
def test_the_exit_code_of_run_is_that_of_the_verdict_and_schedulers_get_that_of_the_command(
    workplace: Workplace, runner: Path, settings: dict[str, Json], line: str, code: int
) -> None:
    entry = owned(
        workplace.state, "job", "@yearly", launcher=str(runner), command=["sh", "-c", line], settings=settings
    )
    apply(workplace.state, entry)
    assert workplace.run("run", "job", "--quiet").code == code
    words = [str(word) for word in cast("Sequence[Json]", entry.state.attributes["command"])]
    plain = {"exit 3": 3, "sleep 9": 124, "exit 7": 7}.get(line, 0)
    assert subprocess.run(words, capture_output=True).returncode == plain


def test_the_whole_way_with_the_real_runner(workplace: Workplace, runner: Path) -> None:
    """Run, list, show, logs, collect: what the runner writes is what readers read."""
    (workplace.state).mkdir()
    (workplace.state / "revision").write_text("tree 12345678\n")
    settings = {"success": {"output": {"rejects": "refused"}}}
    apply(
        workplace.state,
        owned(
            workplace.state, "good", "@yearly", launcher=str(runner), command=["sh", "-c", "echo fine; sleep 0.05"]
        ),
        owned(
            workplace.state, "bad", "@yearly", launcher=str(runner), command=["echo", "refused"], settings=settings
        ),
    )
    assert [workplace.run("run", name, "--quiet").code for name in ("good", "bad")] == [0, 1]
    for collected in (False, True):
        found = json.loads(workplace.run("runs", "-o", "json").out)["runs"]
        assert [(run["automation"], run["verdict"], run["trigger"]) for run in found] == [
            ("bad", "rejected", "manual"),
            ("good", "succeeded", "manual"),
        ]
        good = json.loads(workplace.run("show", "good", "-o", "json").out)
        assert 0.05 <= good["duration"] < 10
        assert (good["tail"], good["revision"], good["attempts"]) == ("fine\n", "tree 12345678", 1)
        assert workplace.run("logs", "good").out == "fine\n"
        if not collected:
            assert workplace.run("runs", "--collect").out == "2 runs recorded.\n"
    assert not list((workplace.state / "runs/spool").rglob("*.run"))
    assert os.access(workplace.state / "runs/runs.db", os.R_OK)


def test_each_of_several_at_once_tells_of_its_own_run(workplace: Workplace, runner: Path) -> None:
    command = ["sh", "-c", "sleep 0.$TENTHS; exit $CODE"]
    apply(
        workplace.state,
        owned(
            workplace.state, "job", "@yearly", launcher=str(runner), command=command, settings={"overlap": "allow"}
        ),
    )
    program = [sys.executable, "-m", "reconciler", "run", "job", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(RUNNER.parents[1])}
    started = [
        subprocess.Popen(
            program, env={**environment, "CODE": str(code), "TENTHS": str(9 - code)}, stderr=subprocess.PIPE
        )
        for code in range(3, 7)
    ]
    said = [process.communicate()[1].decode() for process in started]
    for code, text in zip(range(3, 7), said, strict=True):
        assert " failed after " in text
        assert text.endswith(f": exit code {code}\n")
    assert len({text.split()[0] for text in said}) == 4
    for code, text in zip(range(3, 7), said, strict=True):
        assert json.loads(workplace.run("show", text.split()[0], "-o", "json").out)["exit"] == code
