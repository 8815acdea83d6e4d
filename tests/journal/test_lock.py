"""One writer: the kernel keeps the lock, the file only says who holds it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.host.fake import FakeClock
from reconciler.journal.lock import Holder, WriterLock, holder
from reconciler.model.errors import ExitCode, LockBusy
from tests.journal.story import NOON

HOST = os.uname().nodename
_HOLD = """
import sys
from pathlib import Path
from reconciler.host.fake import FakeClock
from reconciler.journal.lock import WriterLock
from tests.journal.story import NOON
with WriterLock.acquire(Path(sys.argv[1]), purpose="watch", clock=FakeClock(NOON)):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_by_another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def take(folder: Path, clock: FakeClock) -> WriterLock:
    return WriterLock.acquire(folder, purpose="apply", clock=clock)


def test_the_second_writer_is_told_who_the_first_one_is(folder: Path, clock: FakeClock) -> None:
    with held_by_another_process(folder) as process:
        with pytest.raises(LockBusy) as raised:
            take(folder, clock)
        since = "2026-01-15T12:00:00Z"
        assert (
            raised.value.message
            == f"cannot apply: pid {process.pid} (watch) on {HOST} has held the lock since {since}"
        )
        assert raised.value.where == str(folder / "lock")
        assert raised.value.exit_code is ExitCode.BUSY
        assert holder(folder) == Holder(process.pid, HOST, "watch", NOON)
    assert clock.slept == []


def test_sigkill_of_the_holder_frees_the_lock(folder: Path, clock: FakeClock) -> None:
    with held_by_another_process(folder) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert json.loads((folder / "lock").read_text())["pid"] == process.pid
        assert holder(folder) is None
        with take(folder, clock):
            assert holder(folder) == Holder(os.getpid(), HOST, "apply", NOON)


def test_the_end_of_a_holder_frees_the_lock(folder: Path, clock: FakeClock) -> None:
    with held_by_another_process(folder) as process:
        process.communicate("\n")
        assert process.returncode == 0
        take(folder, clock).release()


def test_the_lock_keeps_out_its_own_process_too(folder: Path, clock: FakeClock) -> None:
    with take(folder, clock), pytest.raises(LockBusy, match=rf"pid {os.getpid()} \(apply\)"):
        take(folder, clock)
    take(folder, clock).release()


def test_releasing_twice_is_fine_and_frees_nobody_elses(folder: Path, clock: FakeClock) -> None:
    first = take(folder, clock)
    first.release()
    with take(folder, clock):
        first.release()
        with pytest.raises(LockBusy):
            take(folder, clock)


def test_the_file_is_never_removed_and_nobody_is_named_after_release(folder: Path, clock: FakeClock) -> None:
    take(folder, clock).release()
    inode = (folder / "lock").stat().st_ino
    assert (folder / "lock").read_bytes() == b""
    assert holder(folder) is None
    with take(folder, clock):
        assert (folder / "lock").stat().st_ino == inode
    assert (folder / "lock").stat().st_ino == inode
    assert (folder / "lock").stat().st_mode & 0o777 == 0o600


STALE = (
    b"",
    b"\x00\xff not json",
    b"{}\n",
    b"[1]\n",
    b'{"pid": 1, "host": "elsewhere", "purpose": "watch", "started": "2020-01-01T00:00:00+00:00"}\n',
    b'{"pid": "one", "host": 2, "purpose": null, "started": "never"}\n',
    b"x" * 100_000,
)


@pytest.mark.parametrize("content", STALE)
def test_a_stale_file_is_no_obstacle(folder: Path, clock: FakeClock, content: bytes) -> None:
    folder.mkdir()
    (folder / "lock").write_bytes(content)
    assert holder(folder) is None
    assert (folder / "lock").read_bytes() == content
    with take(folder, clock):
        assert holder(folder) == Holder(os.getpid(), HOST, "apply", NOON)
        assert (folder / "lock").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    "content", [b"", b'{"pid": 12', b'{"pid": 999999999, "host": "%s", "purpose": "x"' % HOST.encode()]
)
def test_half_a_line_is_never_taken_for_a_holder(folder: Path, clock: FakeClock, content: bytes) -> None:
    with take(folder, clock):
        (folder / "lock").write_bytes(content)
        with pytest.raises(LockBusy, match=re.escape("cannot apply: another process holds the lock")):
            take(folder, clock)
        assert holder(folder) is None
    assert clock.slept  # it was given a moment to write its name


def test_a_dead_holder_is_never_blamed(folder: Path, clock: FakeClock) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    line = {"pid": gone.pid, "host": HOST, "purpose": "watch", "started": NOON.isoformat()}
    with take(folder, clock):
        (folder / "lock").write_text(json.dumps(line) + "\n")
        with pytest.raises(LockBusy, match="another process holds the lock"):
            take(folder, clock)


def test_the_holder_of_another_host_is_believed(folder: Path, clock: FakeClock) -> None:
    line = {"pid": 999_999_999, "host": "elsewhere", "purpose": "watch", "started": NOON.isoformat()}
    with take(folder, clock):
        (folder / "lock").write_text(json.dumps(line) + "\n")
        with pytest.raises(LockBusy, match=r"pid 999999999 \(watch\) on elsewhere"):
            take(folder, clock)


def test_asking_who_holds_it_creates_nothing(folder: Path, clock: FakeClock) -> None:
    assert holder(folder) is None
    assert not folder.exists()
    folder.mkdir()
    assert holder(folder) is None
    assert list(folder.iterdir()) == []


def test_the_start_is_told_by_the_clock(folder: Path, clock: FakeClock) -> None:
    clock.advance(60)
    with take(folder, clock):
        found = holder(folder)
        assert found is not None
        assert found.started == NOON + timedelta(seconds=60)


def test_many_at_once_never_hold_it_together(folder: Path) -> None:
    """Each winner adds one to a file by reading and writing it; a shared hold would lose an addition."""
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from reconciler.host.local import SystemClock\n"
        "from reconciler.journal.lock import WriterLock, holder\n"
        "from reconciler.model.errors import LockBusy\n"
        "folder, won = Path(sys.argv[1]), 0\n"
        "while won < 20:\n"
        "    try:\n"
        "        with WriterLock.acquire(folder, purpose='apply', clock=SystemClock()):\n"
        "            count = folder / 'count'\n"
        "            value = int(count.read_text()) if count.exists() else 0\n"
        "            time.sleep(0.001)\n"
        "            count.write_text(str(value + 1)); won += 1\n"
        "    except LockBusy:\n"
        "        holder(folder)\n"
        "        time.sleep(0.001)\n"
    )
    root = Path(__file__).parents[2]
    racers = [subprocess.Popen([sys.executable, "-c", program, str(folder)], cwd=root) for _ in range(4)]
    assert [racer.wait(timeout=60) for racer in racers] == [0] * 4
    assert (folder / "count").read_text() == "80"
