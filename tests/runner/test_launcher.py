"""The launcher, and the collecting that is started now and then."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconciler.runner.launcher import launcher
from tests.runner.place import MAIN, Place, until


def written(place: Place, python: str = sys.executable, package: str = "", cli: str = "/no/cli", **more: str) -> Path:
    path = place.folder / "the launcher"
    path.write_text(launcher(python, package or str(MAIN.parents[1]), cli, **more))
    path.chmod(0o755)
    return path


def run(*words: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)  # type: ignore[call-overload,no-any-return]


def test_it_starts_the_runner(place: Place) -> None:
    done = run(
        written(place), "exec", "demo", "--state", place.state, "--", "sh", "-c", 'echo "$1"; exit 3', "sh", "a  b"
    )
    assert (done.returncode, done.stdout) == (3, "a  b\n")
    assert place.end()["exit"] == 3


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_every_shell_reads_it(place: Place, shell: str) -> None:
    words = shell.split()
    if not any((Path(folder) / words[0]).exists() for folder in os.environ["PATH"].split(":")):
        pytest.skip(f"{words[0]} is not installed")
    done = run(*words, written(place), "exec", "demo", "--state", place.state, "--", "echo", "ran")
    assert done.stdout == "ran\n"


def copied(place: Place) -> Path:
    """A package with nothing but the runner, to be damaged."""
    package = place.folder / "package"
    shutil.copytree(MAIN.parent, package / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    return package


@pytest.mark.parametrize(
    "broken",
    [
        b"#!/bin/sh\nexit 127\n",  # as the dynamic loader ends where a library is gone
        b"#!/bin/sh\nkill -ILL $$\n",
        b"#!/no/such/interpreter\n",
        b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xf3\x00" + bytes(64),  # of another architecture
        b"",
    ],
)
def test_a_python_that_is_there_and_does_not_work_keeps_no_job_from_running(place: Place, broken: bytes) -> None:
    python = place.folder / "python"
    python.write_bytes(broken)
    python.chmod(0o755)
    path = written(place, python=str(python))
    done = run(path, "exec", "demo", "--state", place.state, "--", "sh", "-c", "echo ran; exit 3")
    assert (done.returncode, done.stdout) == (3, "ran\n")
    assert "it is gone or broken; the command runs without timeout, lock and record" in done.stderr


def test_a_python_whose_library_is_gone_keeps_no_job_from_running(place: Place) -> None:
    path = written(place, library="/no/such/lib/python3/encodings/__init__.py")
    done = run(path, "exec", "demo", "--state", place.state, "--", "sh", "-c", "echo ran; exit 3")
    assert (done.returncode, done.stdout) == (3, "ran\n")
    assert "the command runs without timeout, lock and record" in done.stderr


@pytest.mark.parametrize(
    ("file", "left"),
    [
        (path.name, left)
        for path in sorted(MAIN.parent.glob("*.py"))
        for left in ("gone", "empty", "cut")
        if (path, left) != (MAIN, "cut")  # it is read by Python only, and nobody stands behind it
    ],
)
def test_a_package_that_lacks_a_file_keeps_no_job_from_running_and_starts_none_twice(
    place: Place, file: str, left: str
) -> None:
    package, folder = copied(place), place.folder / "there"
    folder.mkdir()
    path = package / "runner" / file
    path.unlink()
    if left != "gone":
        path.write_text("" if left == "empty" else "def broken(:\n")
    job = place.job(
        {"timeout": 50, "success": {"output": {"matches": "ran"}}, "limits": {"memory": 1e9}, "stdin": "x"}
    )
    words = ["exec", f"demo@{job}", "--state", place.state, "--in", folder, "--", "sh", "-c", "echo ran; pwd >> ran"]
    done = run(written(place, package=str(package)), *words)
    assert done.stdout == "ran\n", done.stderr
    assert (folder / "ran").read_text() == f"{folder}\n"


@pytest.mark.parametrize("gone", ["python", "package"])
def test_where_the_runner_is_gone_the_command_runs_without_it(place: Place, gone: str) -> None:
    path = written(place, **{gone: "/no/such/place"})
    (place.folder / "sub dir").mkdir()
    words = [
        "exec",
        "demo@0123456789ab",
        "--state",
        "x",
        "--in",
        "~/sub dir",
        "--",
        "sh",
        "-c",
        'pwd; echo "$@"',
        "sh",
        "a  b",
        "--",
    ]
    done = run(path, *words, env={**os.environ, "HOME": str(place.folder)})
    assert done.stdout == f"{place.folder}/sub dir\na  b --\n"
    assert "the command runs without timeout, lock and record" in done.stderr
    assert run(path, "exec", "demo", "--in", "/no/such/folder", "--", "echo", "ran").returncode == 125
    assert run(path, "exec", "demo", "--").returncode == 2


def test_other_commands_go_to_the_command_line(place: Place) -> None:
    cli = place.folder / "it's the cli"
    cli.write_text('#!/bin/sh\necho "cli $*"\n')
    cli.chmod(0o755)
    assert run(written(place, cli=str(cli)), "runs", "--collect").stdout == "cli runs --collect\n"
    done = run(written(place), "plan")
    assert done.returncode == 127
    assert "cannot start /no/cli: it is gone" in done.stderr


@pytest.mark.parametrize(
    "name", ["a b", "it's", "$(touch hacked)", "`touch hacked`", '"', "\\", "new\nline", "-x", "ä"]
)
def test_paths_of_any_kind(place: Place, name: str) -> None:
    package = place.folder / name
    (package / "runner").mkdir(parents=True)
    for path in MAIN.parent.glob("*.py"):
        (package / "runner" / path.name).write_text(path.read_text())
    done = run(
        written(place, package=str(package)),
        "exec",
        "d",
        "--state",
        place.state,
        "--",
        "echo",
        "ran",
        cwd=place.folder,
    )
    assert (done.stdout, done.stderr) == ("ran\n", "")
    assert not (place.folder / "hacked").exists()


def spool(place: Place, count: int) -> Path:
    """A spool of so many files, and a command line that says how it was called."""
    folder = place.state / "runs/spool/other"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}.run").touch()
    cli = place.folder / "cli"
    cli.write_text(f'#!/bin/sh\necho "$@" "$RECONCILER_STATE_DIR" >> {place.folder}/called\nsleep 2\n')
    cli.chmod(0o755)
    return cli


def test_a_long_spool_is_collected_at_most_once_in_an_hour(place: Place) -> None:
    options = ["--cli", str(spool(place, 300))]
    began = time.monotonic()
    place.run("true", options=options)
    assert time.monotonic() - began < 2
    called = place.folder / "called"
    until(called.exists, "the call")
    place.run("true", options=options)
    time.sleep(0.3)
    assert called.read_text() == f"runs --collect {place.state}\n"
    stamp = place.state / "runs/looked"
    os.utime(stamp, (time.time() - 3700, time.time() - 3700))
    place.run("true", options=options)
    until(lambda: len(called.read_text().splitlines()) == 2, "the second call")


def test_a_short_spool_is_left_alone(place: Place) -> None:
    place.run("true", options=["--cli", str(spool(place, 20))])
    time.sleep(0.3)
    assert not (place.folder / "called").exists()


def test_a_collector_that_is_gone_is_nobodys_trouble(place: Place) -> None:
    spool(place, 300)
    done = place.run("true", options=["--cli", "/no/such/cli"])
    assert (done.returncode, done.stderr) == (0, "")
