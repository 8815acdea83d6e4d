"""The runner never keeps a job from running: whatever has happened to the state folder or the job file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.place import MAIN, Place

LOST = "it runs without its settings (timeout, retry, overlap, secrets, limits, rules of success)"


@pytest.fixture
def tiny(place: Place) -> Iterator[Place]:
    """A state folder on a file system of 64 KiB."""
    place.state.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place.state], capture_output=True, text=True
    )
    if mounted.returncode:
        if os.environ.get("CI"):
            pytest.fail(f"cannot mount a tmpfs: {mounted.stderr}")
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place.state], check=True)


def fill(folder: Path) -> None:
    try:
        with (folder / "ballast").open("wb", buffering=0) as file:
            while file.write(b"x" * 1024):
                pass
    except OSError:
        return


def test_a_full_disk(tiny: Place) -> None:
    fill(tiny.state)
    done = tiny.run("echo", "ran")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "cannot" in done.stderr


def test_a_disk_that_fills_while_the_job_writes(tiny: Place) -> None:
    done = tiny.run("sh", "-c", "head -c 300000 /dev/zero; echo the end", job={"output": {"tail": 100_000}})
    assert done.returncode == 0
    assert done.stdout.endswith("the end\n")
    assert "no space left on device; the job goes on" in done.stderr
    end = tiny.end()
    assert end["verdict"] == "succeeded"
    assert end["outputBytes"] == 300_008
    assert "the log is incomplete: no space left on device" in end["reason"]


def test_a_job_that_fills_the_disk_itself_is_recorded(tiny: Place) -> None:
    done = tiny.run("sh", "-c", f"echo x; cat /dev/zero > {tiny.state}/ballast; exit 5")
    assert done.returncode == 5
    end = tiny.end()
    assert (end["verdict"], end["exit"]) == ("failed", 5)


def test_a_disk_that_has_room_again_at_the_end_gets_the_whole_record(tiny: Place) -> None:
    (tiny.state / "runs/spool/demo").mkdir(parents=True)
    fill(tiny.state)
    tiny.run("rm", str(tiny.state / "ballast"))
    assert [next(iter(line)) for line in tiny.lines()] == ["v", "attempt", "ended"]


def test_a_state_folder_that_is_a_file(place: Place) -> None:
    place.state.write_text("in the way")
    done = place.run("echo", "ran")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert f"{place.state} is no folder" in done.stderr or "not a directory" in done.stderr


@pytest.mark.parametrize(
    "part", ["runs", "runs/spool", "runs/spool/demo", "runs/locks", "runs/logs", "runs/logs/demo"]
)
def test_parts_of_it_that_are_files(place: Place, part: str) -> None:
    path = place.state / part
    path.parent.mkdir(parents=True)
    path.write_text("in the way")
    done = place.run("echo", "ran")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "cannot" in done.stderr


def test_links_in_place_of_our_files_are_not_followed(place: Place) -> None:
    target = place.folder / "precious"
    target.write_text("precious")
    (place.state / "runs/locks").mkdir(parents=True)
    (place.state / "runs/locks/demo").symlink_to(target)
    assert place.run("echo", "ran").stdout == "ran\n"
    assert target.read_text() == "precious"


def test_a_read_only_state_folder(place: Place) -> None:
    place.state.mkdir()
    command = ["setpriv", "--reuid", "65534", "--clear-groups", *place.argv(["echo", "ran"])]
    if os.geteuid() == 0:
        for folder in (place.folder, *place.folder.parents[:-2]):
            folder.chmod(folder.stat().st_mode | 0o755)
        reader = subprocess.run(
            ["setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-IS", MAIN], capture_output=True
        )
        if b"Usage" not in reader.stderr:  # this Python lies in root's home
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place.state], capture_output=True)
            if mounted.returncode:
                pytest.skip("neither another user nor a read-only mount is to be had")
            command = place.argv(["echo", "ran"])
    else:
        place.state.chmod(0o500)
        command = place.argv(["echo", "ran"])
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=place.folder)
    finally:
        subprocess.run(["umount", "-l", place.state], capture_output=True)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "permission denied" in done.stderr or "read-only file system" in done.stderr


def test_a_job_file_that_is_gone(place: Place) -> None:
    done = place.run("echo", "ran", options=[], name="demo@0123456789ab")
    assert done.stdout == "ran\n"
    assert "cannot read the job file" in done.stderr
    assert LOST in done.stderr
    assert LOST in place.end()["reason"]
    assert place.end()["verdict"] == "rejected"
    assert place.end()["reason"].startswith("cannot judge the run: its rules of success are lost; ")
    assert done.returncode == 0


def test_a_job_file_cut_in_half_or_changed(place: Place) -> None:
    digest = place.job({"timeout": 600, "success": {"exitCodes": [9]}})
    path = place.state / f"jobs/demo-{digest}.json"
    for raw in (path.read_bytes()[:20], path.read_bytes() + b" ", b"", b"\xff" * 50, b"{}"):
        path.write_bytes(raw)
        done = place.run("echo", "ran", name=f"demo@{digest}")
        assert (done.returncode, done.stdout) == (0, "ran\n")
        assert "its content is not what its name says" in done.stderr


HOSTILE = [
    b"[]", b"null", b"{", b'{"a":NaN}', b"[" * 100_000, b'{"v":1} trailing', b'"text"', b"\xff\xfe{}",
    b"x" * 2_000_000,
    {"timeout": "soon"}, {"timeout": -1}, {"timeout": 0}, {"timeout": 1e300}, {"timeout": True}, {"timeout": [1]},
    {"runtime": 5}, {"runtime": {"killAfter": {}}}, {"retry": {"limit": -1, "delay": "x"}}, {"overlap": "perhaps"},
    {"success": []}, {"success": {"exitCodes": ["0"]}}, {"success": {"exitCodes": []}}, {"success": {"files": ["x"]}},
    {"secrets": []}, {"umask": "abc"}, {"umask": 22}, {"umask": "99"},
    {"limits": {"memory": -5, "cpu": "a", "nice": 99}},
    {"stdin": 5}, {"stop": {"signal": "SIGNONSENSE", "grace": -1}}, {"stop": {"signal": "_DFL"}}, {"stop": 1},
    {"output": {"maxSize": 0, "tail": -1}}, {"output": {"maxSize": "all"}},
]  # fmt: skip


@pytest.mark.parametrize("document", HOSTILE, ids=lambda document: str(document)[:40])
def test_values_that_make_no_sense(place: Place, document: object) -> None:
    done = place.run("echo", "ran", job=document)
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
    assert "the job file" in done.stderr
    assert "bug" not in done.stderr
    assert "the job file" in place.end()["reason"]


@pytest.mark.parametrize("document", [{}, {"v": 1, "later": {"unknown": [1]}}, {"timeout": None, "success": None}])
def test_what_is_absent_or_unknown_is_no_trouble(place: Place, document: object) -> None:
    done = place.run("echo", "ran", job=document)
    assert (done.stdout, done.stderr) == ("ran\n", "")


def test_a_bug_in_the_runner_does_not_keep_the_job_from_running(place: Place, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "reconciler"
    shutil.copytree(MAIN.parent, broken / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    record = broken / "runner" / "record.py"
    for fault in ("import nonsense\n", "\n\ndef made(*_):\n    raise KeyError(1)\n", "\n\nRecord.end = None\n"):
        whole = (MAIN.parent / "record.py").read_text()
        record.write_text(whole + fault)
        argv = place.argv(["sh", "-c", f"echo x >> {tmp_path}/ran; echo ran; exit 3"])
        argv[argv.index(str(MAIN))] = str(broken / "runner" / "__main__.py")
        done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (3, "ran\n"), done.stderr
        assert "a bug in the runner" in done.stderr
        assert (tmp_path / "ran").read_text() == "x\n"
        (tmp_path / "ran").unlink()
        shutil.rmtree(place.state, ignore_errors=True)


def test_every_line_of_a_run_file_is_readable_wherever_it_is_cut(place: Place) -> None:
    """A reader takes whole lines; what a crash leaves of the last one hides none before it."""
    place.run("sh", "-c", "echo text")
    raw = place.files()[0].read_bytes()
    for cut in range(0, len(raw), 37):
        whole = raw[:cut].split(b"\n")[:-1]
        assert all(isinstance(json.loads(line), dict) for line in whole)
    assert raw.isascii()
    assert raw.endswith(b"\n")
