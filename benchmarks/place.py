"""Where a benchmark may do harm: a throw-away account with its own crontab, or a crontab kept in a file.

The only door to users, crontabs and processes. The crontab of the person who runs this is never read or written.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
COMMENT = "throw-away account of the reconciler benchmarks"
PATIENCE = 900.0  # seconds that one command may take
PREFIX = "reconciler-benchmarks-"
SPOOLS = (Path("/var/spool/cron/crontabs"), Path("/var/spool/cron"))


class Failed(Exception):
    """A measured command did not do what it was measured for."""


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process."""

    seconds: float
    peak: int  # bytes, the largest process of the family
    code: int
    out: bytes
    err: bytes


@dataclass(slots=True)
class Place:
    """A folder, a crontab and a user to run as."""

    root: Path
    note: str  # for the reader of the results: whose crontab this is
    user: str = ""  # empty: as ourselves, with the stand-in
    prefix: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    def run(self, argv: Sequence[str | Path], *, codes: tuple[int, ...] = (0,), as_self: bool = False) -> Run:
        """Run and measure as the throw-away user. Raises Failed on an exit code that is not expected."""
        out, err = self.root / "out" / "stdout", self.root / "out" / "stderr"
        for path in (out, err):
            path.unlink(missing_ok=True)
        meter = (sys.executable, "-I", "-S", HERE / "meter.py", out, err)
        command = [str(word) for word in (*(() if as_self else self.prefix), *meter, *argv)]
        env = {key: value for key, value in self.env.items() if not (as_self and key == "PYTHONPYCACHEPREFIX")}
        said, trouble, broken = _finish(command, env, self.root)
        if broken:
            raise Failed(f"{Path(argv[0]).name}: {trouble.strip()[-300:]}")
        seconds, peak, code = map(float, said.split())
        run = Run(seconds, int(peak), int(code), out.read_bytes(), err.read_bytes())
        if run.code not in codes:
            said = (run.err or run.out).decode(errors="replace").strip()[-600:]
            raise Failed(f"{Path(argv[0]).name} ended with {run.code}: {said}")
        return run

    def reconcile(self, *words: str | Path, codes: tuple[int, ...] = (0,)) -> Run:
        return self.run([Path(sys.executable).with_name("reconcile"), *words], codes=codes)

    def start(self, argv: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
        """A process in the background; the caller ends it."""
        with log.open("wb") as file:
            command = [str(word) for word in (*self.prefix, *argv)]
            return subprocess.Popen(
                command, env=self.env, cwd=self.root, stdout=file, stderr=file, stdin=subprocess.DEVNULL
            )

    def table(self) -> bytes:
        """The installed crontab; empty where there is none."""
        if not self.user:
            return self.spool().read_bytes() if self.spool().exists() else b""
        return subprocess.run(["crontab", "-u", self.user, "-l"], capture_output=True, check=False).stdout

    def empty_table(self) -> None:
        if self.user:
            subprocess.run(["crontab", "-u", self.user, "-r"], capture_output=True, check=False)
        else:
            self.spool().unlink(missing_ok=True)

    def spool(self) -> Path:
        """The file that holds the installed table; its inode changes with every install."""
        if not self.user:
            return self.root / "crontab"
        return next((spool / self.user for spool in SPOOLS if (spool / self.user).exists()), SPOOLS[0] / self.user)

    def fresh(self, name: str) -> Path:
        """A folder of the measured user, emptied."""
        folder = self.root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.give(folder)
        return folder

    def give(self, path: Path) -> None:
        """Hand a path, with everything in it, to the measured user."""
        if self.user:
            entry = pwd.getpwnam(self.user)
            for each in (path, *path.rglob("*")):
                os.chown(each, entry.pw_uid, entry.pw_gid)


def _finish(command: Sequence[str], env: Mapping[str, str], folder: Path) -> tuple[str, str, int]:
    """Output, errors and exit code. Whatever interrupts the wait also ends the command with all that it started."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=env, cwd=folder, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise Failed(f"no end within {PATIENCE:g} s") from error
            raise
        return out, err, process.returncode


def environment(root: Path, user: str) -> dict[str, str]:
    """Nothing of the caller's settings; compiled modules are kept in the place, so the first run compiles them."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(root / "home"),
        "USER": user,
        "LOGNAME": user,
        "LANG": "C.UTF-8",
        "PYTHONPYCACHEPREFIX": str(root / "compiled"),
        "RECONCILER_STATE_DIR": str(root / "state"),
        "RECONCILER_BIN_DIR": str(root / "home" / "bin"),
        "RECONCILER_CACHE_DIR": str(root / "cache"),
    }


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A place, taken away again whatever happens."""
    root = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    root.chmod(0o755)
    try:
        with _account(root) as (user, prefix, why):
            if user:
                note = "the crontab of a throw-away account, with the system's crontab program"
                here = Place(root, note, user, prefix, environment(root, user))
            else:
                here = _stand_in(root, why)
            for name in ("home", "state", "cache", "compiled", "out"):
                here.fresh(name)
            (root / "home" / "queues").mkdir()
            yield here
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def _account(root: Path) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """A new account and how to run as it, or an empty name and why not."""
    missing = [name for name in ("crontab", "useradd", "userdel", "setpriv") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        yield "", (), f"{' and '.join(missing)} missing" if missing else "not root"
        return
    _remove_leftovers()
    user = f"rbench{os.getpid()}"
    made = subprocess.run(
        ["useradd", "--system", "-M", "-d", root / "home", "-s", "/bin/sh", "-c", COMMENT, user],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        yield "", (), f"useradd: {made.stderr.strip()}"
        return
    try:
        prefix = _way_in(user)
        usable = bool(prefix) and _may_install(prefix, environment(root, user))
        yield (user, prefix, "") if usable else ("", (), "the account can run neither this Python nor crontab")
    finally:
        _remove(user)


def _way_in(user: str) -> tuple[str, ...]:
    """setpriv to the user; where it may not reach this Python (in root's home, say), with the right to read."""
    plain = ("setpriv", "--reuid", user, "--regid", user, "--init-groups")
    reading = (*plain, "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
    # setpriv itself may still reach what the program that it becomes may not: let that program start another.
    again = "import os, sys; import reconciler; os.execv(sys.executable, [sys.executable, '-c', 'pass'])"
    for prefix in (plain, reading):
        trial = [*prefix, sys.executable, "-c", again]
        if subprocess.run(trial, capture_output=True, check=False, cwd="/").returncode == 0:
            return prefix
    return ()


def _may_install(prefix: tuple[str, ...], env: Mapping[str, str]) -> bool:
    trial = subprocess.run([*prefix, "crontab", "-"], input=b"", env=env, capture_output=True, check=False, cwd="/")
    return trial.returncode == 0


def _remove(user: str) -> None:
    subprocess.run(["crontab", "-u", user, "-r"], capture_output=True, check=False)
    subprocess.run(["userdel", user], capture_output=True, check=False)


def _remove_leftovers() -> None:
    """Accounts of runs that were killed: ours by their comment, dead by the process number in their name."""
    for entry in pwd.getpwall():
        number = entry.pw_name.removeprefix("rbench")
        if entry.pw_gecos == COMMENT and number.isdigit() and not Path("/proc", number).exists():
            _remove(entry.pw_name)
            folder = Path(entry.pw_dir).parent
            if folder.name.startswith(PREFIX):
                shutil.rmtree(folder, ignore_errors=True)


def _stand_in(root: Path, why: str) -> Place:
    """The crontab program of script/run, which keeps its table in a file and has no daemon."""
    (root / "bin").mkdir()
    (root / "bin" / "crontab").symlink_to(HERE.parent / "script" / "scratch-crontab")
    env = environment(root, os.environ.get("USER", "bench"))
    env |= {"PATH": f"{root / 'bin'}:{env['PATH']}", "SCRATCH_CRONTAB": str(root / "crontab")}
    return Place(root, f"a STAND-IN crontab program (a shell script with a file), not the system's: {why}", env=env)
