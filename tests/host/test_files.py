"""Files on the real machine: whole or not at all, never a trace of a failed write."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.host.limits import TooLong
from reconciler.host.local import LocalHost
from reconciler.model.errors import HostError

HOST = LocalHost()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a"
    HOST.write(file, b"one")
    HOST.write(file, b"two\0\xff")
    assert HOST.read(file) == b"two\0\xff"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_the_mode_is_exact_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o777)
    try:
        HOST.write(tmp_path / "a", b"")
        HOST.write(tmp_path / "b", b"", mode=0o755)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o755


def test_an_absent_file_is_none_and_removing_it_is_fine(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / "no" / "folder", Path("/etc/passwd/x")):
        assert HOST.read(path) is None
        assert HOST.modified(path) is None
        HOST.remove(path)


def test_remove_removes(tmp_path: Path) -> None:
    HOST.write(tmp_path / "a", b"x")
    HOST.remove(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_file_over_the_limit_is_refused_and_one_at_it_is_read(tmp_path: Path) -> None:
    HOST.write(tmp_path / "a", b"12345")
    assert HOST.read(tmp_path / "a", limit=5) == b"12345"
    with pytest.raises(TooLong, match="longer than 4 bytes"):
        HOST.read(tmp_path / "a", limit=4)


def test_a_file_whose_size_lies_is_bounded_too() -> None:
    assert Path("/proc/self/mountinfo").stat().st_size == 0
    with pytest.raises(TooLong):
        HOST.read(Path("/proc/self/mountinfo"), limit=10)


def test_what_is_no_file_is_never_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(HostError, match="not a regular file"):
            HOST.read(path)


def test_a_failed_write_names_its_cause_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    HOST.write(tmp_path / "a", b"old")

    def full(_file: int, _content: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(HostError, match="no space left on device") as caught:
            HOST.write(tmp_path / "a", b"new")
    assert "free some space" in str(caught.value.hint)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a", b"old")]


def test_a_really_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A file size limit makes the kernel itself refuse in the middle of the content."""
    code = (
        "import resource,signal,sys;from pathlib import Path;from reconciler.host.local import LocalHost\n"
        "from reconciler.model.errors import HostError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE,(5000,5000))\n"
        "try: LocalHost().write(Path(sys.argv[1]), b'x'*100000)\n"
        "except HostError as error: print(error.message)"
    )
    HOST.write(tmp_path / "a", b"old")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], capture_output=True, text=True)
    assert "file too large" in done.stdout, done.stderr
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a", b"old")]


def test_what_a_killed_writer_left_goes_with_the_next_write_and_what_a_living_one_makes_stays(tmp_path: Path) -> None:
    code = "import os, sys; open(f'{sys.argv[1]}/.reconciler-{os.getpid()}-ab.tmp', 'x')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    living = tmp_path / f".reconciler-{os.getppid()}-ab.tmp"
    living.touch()
    theirs = tmp_path / ".reconciler-notes-ab.tmp"
    theirs.touch()
    assert len(list(tmp_path.iterdir())) == 3
    HOST.write(tmp_path / "a", b"x")
    assert {entry.name for entry in tmp_path.iterdir()} == {"a", living.name, theirs.name}


def test_a_failed_rename_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder" / "x").mkdir(parents=True)
    with pytest.raises(HostError, match=r"cannot write .*: (is a directory|directory not empty|file exists)"):
        HOST.write(tmp_path / "folder", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_crash_in_the_middle_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    HOST.write(tmp_path / "a", b"old")

    def interrupted(_file: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        HOST.write(tmp_path / "a", b"new")
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a", b"old")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_forbidden_folder_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HostError, match="permission denied"):
        HOST.write(tmp_path / "a", b"x")


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"its folder .* does not exist"):
        HOST.write(tmp_path / "no" / "a", b"x")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc here")
def test_a_folder_that_takes_no_files_is_not_said_to_be_missing() -> None:
    with pytest.raises(HostError, match="its folder /proc takes no such file"):
        HOST.write(Path("/proc/x"), b"x")


def test_a_path_with_a_nul_is_an_error() -> None:
    for act in (HOST.read, HOST.modified, HOST.remove, lambda path: HOST.write(path, b"")):
        with pytest.raises(HostError, match="null"):
            act(Path("/tmp/a\0b"))


def test_modified_is_aware_and_true(tmp_path: Path) -> None:
    HOST.write(tmp_path / "a", b"")
    os.utime(tmp_path / "a", (1000, 1000))
    assert HOST.modified(tmp_path / "a") == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=1000)


def test_a_symbolic_link_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to("target")
    HOST.write(tmp_path / "link", b"ours")
    assert (tmp_path / "target").read_bytes() == b"theirs"
    assert HOST.read(tmp_path / "link") == b"ours"
