"""Programs on the real machine: every run ends in time, within bounds, and takes its children along."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.host import process
from reconciler.host.limits import OUTPUT_LIMIT, PROBE_TAIL
from reconciler.host.local import LocalHost
from reconciler.model.errors import CommandTimeout, HostError


@pytest.fixture(params=["descriptor", "polling"])
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LocalHost:
    """A host whose kernel tells when a program ends, and one whose kernel (macOS) does not."""
    if request.param == "polling":
        monkeypatch.setattr(process, "_exit_descriptor", lambda _pid: None)
    return LocalHost()


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def within(seconds: float, work: Callable[[], object]) -> None:
    start = time.monotonic()
    work()
    assert time.monotonic() - start < seconds


def is_gone(pid: int) -> bool:
    """Whether it stops running in a moment; a zombie that nobody has collected has stopped."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_both_streams_and_the_code_come_back(host: LocalHost) -> None:
    done = host.query(["sh", "-c", "cat; echo oops >&2; exit 3"], timeout=10, stdin=b"in\0put")
    assert (done.code, done.stdout, done.stderr) == (3, b"in\0put", b"oops\n")


def test_a_killed_program_has_a_negative_code(host: LocalHost) -> None:
    assert host.execute(["sh", "-c", "kill -KILL $$"], timeout=10).code == -9


def test_programs_speak_the_plain_locale_and_probes_the_users(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    say = ["sh", "-c", "echo $LC_ALL $EXTRA"]
    assert host.query(say, timeout=10).stdout == b"C\n"
    assert host.execute(say, timeout=10).stdout == b"C\n"
    done = host.probe_command(say, timeout=10, directory=None, environment={"EXTRA": "more"})
    assert done.stdout == b"de_DE.UTF-8 more\n"


def test_arguments_never_reach_a_shell(host: LocalHost, tmp_path: Path) -> None:
    ugly = f"$(touch {tmp_path}/made); `id` 'x' \"y\" *"
    assert host.query(["printf", "%s", ugly], timeout=10).stdout == ugly.encode()
    assert list(tmp_path.iterdir()) == []


def test_large_input_and_output_pass_at_the_same_time(host: LocalHost) -> None:
    content = os.urandom(3 * 2**20)
    assert host.query(["cat"], timeout=30, stdin=content).stdout == content


def test_a_program_that_does_not_read_its_input_is_no_error(host: LocalHost) -> None:
    assert host.query(["true"], timeout=10, stdin=b"x" * 2**20).code == 0


def test_no_input_means_an_empty_one_and_never_the_terminal(host: LocalHost) -> None:
    assert host.query(["cat"], timeout=10).stdout == b""


def test_a_slow_program_is_killed_in_time(host: LocalHost) -> None:
    with pytest.raises(CommandTimeout, match=r"ran longer than 0\.2 s"):
        within(1.5, lambda: host.execute(["sleep", "30"], timeout=0.2))


def test_a_program_that_ignores_sigterm_is_killed_with_its_children(host: LocalHost, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = f"trap '' TERM; sleep 60 & echo $! > {note}; while :; do sleep 60; done"
    with pytest.raises(CommandTimeout):
        within(3.5, lambda: host.execute(["sh", "-c", script], timeout=0.5))
    assert is_gone(int(note.read_text()))


def test_a_program_may_clean_up_when_it_is_told_to_end(host: LocalHost, tmp_path: Path) -> None:
    done = tmp_path / "clean"
    script = f"trap 'touch {done}; exit 0' TERM; sleep 30 & wait"
    with pytest.raises(CommandTimeout):
        host.execute(["sh", "-c", script], timeout=0.5)
    assert done.exists()


def test_a_grandchild_that_holds_the_pipes_does_not_keep_us(host: LocalHost) -> None:
    done = []
    within(2, lambda: done.append(host.query(["sh", "-c", "echo now; sleep 5 & exit 4"], timeout=20)))
    assert (done[0].code, done[0].stdout) == (4, b"now\n")


def test_a_grandchild_in_its_own_session_does_not_keep_us_after_a_timeout(host: LocalHost) -> None:
    code = "import os,time\nif os.fork()==0:\n os.setsid(); time.sleep(5)\ntime.sleep(5)"
    with pytest.raises(CommandTimeout):
        within(3, lambda: host.query(python(code), timeout=0.5))


def test_a_program_that_closes_its_pipes_and_lives_on_is_killed_in_time(host: LocalHost) -> None:
    with pytest.raises(CommandTimeout):
        within(3, lambda: host.query(["sh", "-c", "exec >&- 2>&-; sleep 30"], timeout=0.3))


def test_endless_output_is_refused_and_its_program_killed(host: LocalHost) -> None:
    with pytest.raises(HostError, match=f"more than {OUTPUT_LIMIT} bytes"):
        within(20, lambda: host.query(["cat", "/dev/zero"], timeout=60))


def test_a_probe_keeps_the_end_of_both_streams(host: LocalHost) -> None:
    script = "head -c 300000 /dev/zero; echo last words >&2; exit 1"
    done = host.probe_command(["sh", "-c", script], timeout=20, directory=None, environment={})
    assert (done.code, len(done.stdout), done.stderr) == (1, PROBE_TAIL, b"")
    assert done.stdout.endswith(b"\0last words\n")


def test_a_probe_runs_in_its_folder(host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").mkdir()
    done = host.probe_command(["pwd", "-P"], timeout=10, directory="~/x", environment={})
    assert done.stdout.decode().strip() == str((tmp_path / "x").resolve())


def test_a_probe_that_runs_too_long_is_killed(host: LocalHost) -> None:
    with pytest.raises(CommandTimeout):
        within(2, lambda: host.probe_command(["sleep", "9"], timeout=0.2, directory=None, environment={}))


@pytest.mark.parametrize(
    ("argv", "cause"),
    [
        (["no-such-program-here"], "there is no program no-such-program-here"),
        (["/etc/passwd"], "permission denied"),
        (["/"], "permission denied"),
        (["echo", "a\0b"], "null byte"),
        (["echo", "x" * 2**22], "argument list too long"),
    ],
)
def test_a_program_that_cannot_start_is_an_error_with_its_cause(host: LocalHost, argv: list[str], cause: str) -> None:
    with pytest.raises(HostError, match=cause) as caught:
        host.query(argv, timeout=10)
    assert len(caught.value.message) < 300


def test_a_missing_program_says_what_to_do(host: LocalHost) -> None:
    with pytest.raises(HostError) as caught:
        host.execute(["no-such-program-here", "-l"], timeout=10)
    assert "install no-such-program-here" in str(caught.value.hint)


def test_a_missing_folder_is_not_taken_for_a_missing_program(host: LocalHost) -> None:
    for folder in ("/no/such/folder", "~no-such-user-here/x"):
        with pytest.raises(HostError, match="folder"):
            host.probe_command(["true"], timeout=10, directory=folder, environment={})


def test_a_file_that_is_no_program_is_an_error(host: LocalHost, tmp_path: Path) -> None:
    program = tmp_path / "noise"
    program.write_bytes(b"\x7fELF garbage")
    program.chmod(0o755)
    with pytest.raises(HostError, match="cannot run"):
        host.query([str(program)], timeout=10)


def test_an_interrupt_leaves_no_program_behind(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "pid"

    def interrupt(*_: object) -> None:
        while not note.exists() or not note.read_text().strip():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr("reconciler.host.process._Exchange.until_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        host.execute(["sh", "-c", f"echo $$ > {note}; sleep 60"], timeout=60)
    assert is_gone(int(note.read_text()))


def test_nothing_stays_open(host: LocalHost) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    host.query(["true"], timeout=10)
    before = opened()
    for _ in range(5):
        host.query(["sh", "-c", "sleep 0.3 & true"], timeout=10)
        with pytest.raises(HostError):
            host.query(["no-such-program-here"], timeout=10)
    assert opened() == before
