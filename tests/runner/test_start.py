"""How a job is started, and what is said where it cannot be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.runner.place import MAIN, Place


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_the_exit_code_is_the_jobs(place: Place, script: str, code: int) -> None:
    done = place.run("sh", "-c", script)
    end = place.end()
    assert done.returncode == end["exit"] == code
    assert end["signal"] == (code - 128 if code > 128 else None)
    assert end["verdict"] == ("succeeded" if code == 0 else "failed")
    assert end["reason"] == {0: "", 3: "exit code 3", 137: "died of SIGKILL", 143: "died of SIGTERM"}[code]


def test_a_run_is_recorded_from_its_start(place: Place) -> None:
    (place.state).mkdir()
    (place.state / "revision").write_text("abc123\n")
    place.run("sh", "-c", f"cp {place.state}/runs/spool/demo/*.run seen; echo hello")
    first, attempt = map(json.loads, (place.folder / "seen").read_text().splitlines())
    assert (first["automation"], first["trigger"], first["revision"]) == ("demo", "schedule", "abc123")
    assert first["id"] == first["scheduled"].replace("-", "").replace(":", "")
    assert first["host"] == os.uname().nodename
    assert first["command"][:2] == ["sh", "-c"]
    assert {"pid", "created", "boot"} == first["runner"].keys()
    assert attempt["attempt"] == 1
    end = place.end()
    assert (end["tail"], end["outputBytes"], end["attempts"]) == ("hello\n", 6, 1)
    assert (place.state / "runs" / end["log"]).read_text() == "hello\n"
    assert end["peak"] > 0
    assert 0 < end["seconds"] < 30


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("no-such-program", 127, "there is no such program on PATH"),
        ("/no/such/program", 127, "there is no such program"),
        ("./plain", 126, "it is not executable"),
        ("./orphan", 127, "the interpreter in its first line does not exist"),
        ("/", 126, "cannot start /"),
    ],
)
def test_a_command_that_cannot_start_says_why(place: Place, command: str, code: int, words: str) -> None:
    (place.folder / "plain").write_text("echo")
    (place.folder / "orphan").write_text("#!/no/such/interpreter\n")
    (place.folder / "orphan").chmod(0o755)
    done = place.run(command, options=["--in", str(place.folder)])
    assert done.returncode == code
    assert words in done.stderr
    assert place.end()["verdict"] == "failed"
    assert words in place.end()["reason"]


def test_a_script_without_a_first_line_runs_as_in_a_shell(place: Place) -> None:
    (place.folder / "script").write_text("echo $1\n")
    (place.folder / "script").chmod(0o755)
    assert place.run("./script", "word").stdout == "word\n"


def test_a_working_directory_that_vanished_is_named(place: Place) -> None:
    done = place.run("touch", "ran", options=["--in", str(place.folder / "gone")])
    assert done.returncode == 125
    assert f"cannot enter the working directory {place.folder}/gone" in place.end()["reason"]
    assert not (place.folder / "ran").exists()


def test_the_working_directory_may_begin_with_home(place: Place) -> None:
    done = place.run("pwd", options=["--in", "~"], env={"HOME": str(place.folder)})
    assert done.stdout.strip() == str(place.folder)


def test_umask_niceness_and_input(place: Place) -> None:
    text = "line\n" * 50_000  # more than a pipe holds
    job = {"umask": "027", "limits": {"nice": 7}, "stdin": text}
    done = place.run("sh", "-c", "umask; nice; wc -c", job=job)
    assert done.stdout.split() == ["0027", "7", str(len(text))]


def test_input_from_a_file_and_none(place: Place) -> None:
    (place.folder / "input").write_text("from a file")
    assert place.run("cat", job={"stdin": {"file": str(place.folder / "input")}}).stdout == "from a file"
    assert place.run("cat", name="other").stdout == ""


def test_an_input_that_is_not_there_keeps_a_job_from_running_half(place: Place) -> None:
    done = place.run("touch", "ran", job={"stdin": {"file": "/no/such/input"}})
    assert done.returncode == 125
    assert "/no/such/input: no such file" in place.end()["reason"]
    assert not (place.folder / "ran").exists()


def test_signals_and_descriptors_are_as_any_parent_leaves_them(place: Place) -> None:
    script = "yes | head -1 >/dev/null; grep -E 'SigIgn|SigBlk' /proc/self/status; ls /proc/self/fd"
    plain = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert place.run("sh", "-c", script).stdout == plain.stdout


def test_a_hangup_that_the_caller_ignores_stays_ignored(place: Place) -> None:
    with place.start("sleep", "1", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 0
    assert place.end()["verdict"] == "succeeded"


def test_standard_streams_that_are_closed_harm_nothing(place: Place) -> None:
    words = " ".join(f"'{word}'" for word in place.argv(["sh", "-c", "echo out; echo err >&2"]))
    done = subprocess.run(["sh", "-c", f"exec {words} <&- >&- 2>&-"], cwd=place.folder)
    assert done.returncode == 0
    assert sorted(place.end()["tail"].split()) == ["err", "out"]
    assert len(place.lines()) == 3


@pytest.mark.parametrize("name", ["../../escape", "a/b", ".hidden", "-x", "", "a\nb", "x" * 300])
def test_a_name_that_is_none_runs_unrecorded(place: Place, name: str) -> None:
    done = place.run("echo", "ran", name=name)
    assert done.stdout == "ran\n"
    assert "not recorded" in done.stderr or name == "-x"
    assert not place.state.exists()


def test_words_that_it_does_not_know_do_not_keep_the_job_from_running(place: Place) -> None:
    done = place.run("echo", "ran", options=["--new-option", "--trigger", "odd", "--slot", "noon", "extra"])
    assert done.stdout == "ran\n"
    for words in ("no option --new-option", "no trigger 'odd'", "the slot 'noon'", "the word extra"):
        assert words in done.stderr


def test_nothing_to_run_is_a_usage_error() -> None:
    for words in ([], ["exec"], ["exec", "name"], ["exec", "name", "--"]):
        done = subprocess.run([sys.executable, "-IS", MAIN, *words], capture_output=True, text=True)
        assert done.returncode == 2
        assert "Usage: reconcile exec" in done.stderr


@pytest.mark.parametrize("how", [[str(MAIN)], [str(MAIN.parent)]], ids=["file", "folder"])
def test_it_runs_as_a_file_and_as_a_folder_without_site_packages(place: Place, how: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-IS", "-X", "importtime", *how, "exec", "d", "--state", place.state, "--", "echo", "ran"],
        capture_output=True, text=True, cwd="/",
    )  # fmt: skip
    assert done.stdout == "ran\n"
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "reconciler.runner.run" in loaded
    if how == [str(MAIN)]:
        slow = {"site", "re", "enum", "json", "typing", "dataclasses", "subprocess", "signal", "pathlib", "datetime"}
        assert loaded & {*slow, "reconciler", "hashlib", "contextlib"} == set()


def test_the_console_script_takes_the_short_way(place: Place) -> None:
    program = "from reconciler.cli.entry import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(MAIN.parents[2])}
    words = ["exec", "demo", "--state", str(place.state), "--", "echo", "ran"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program, *words], capture_output=True, text=True, env=environment
    )
    assert done.stdout == "ran\n"
    assert "click" not in done.stderr
    listed = subprocess.run(
        [sys.executable, "-c", program, "--help"], capture_output=True, text=True, env=environment
    )
    assert "  exec " in listed.stdout
    helped = subprocess.run(
        [sys.executable, "-c", program, "exec", "--help"], capture_output=True, text=True, env=environment
    )
    assert helped.stdout.startswith("Usage: reconcile exec NAME")


def test_words_that_are_no_text_reach_the_job_and_the_record(place: Place) -> None:
    raw = os.fsdecode(b"caf\xe9")
    done = subprocess.run(place.argv(["printf", "%s", raw]), capture_output=True, cwd=place.folder)
    assert done.stdout == b"caf\xe9"
    assert place.lines()[0]["command"][-1] == "caf\ufffd"
