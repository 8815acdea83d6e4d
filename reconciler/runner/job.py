"""The job file: everything about an automation that does not stand in its command line. Read once, believed never.

A value that makes no sense is left out with a note; the command runs all the same.
"""

from __future__ import annotations

import os

from reconciler.runner.text import loads, readable, why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LARGEST = 1024 * 1024  # bytes of a job file
SHARED = "/var/lib/reconciler"  # root's; what root wants run as somebody else is told there
LOST = "it runs without its settings (timeout, retry, overlap, secrets, limits, rules of success)"
_SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "TERM": 15}  # alike on Linux and macOS


class Job:
    """The settings of one automation, each at its default until the file says otherwise."""

    __slots__ = (
        "cpu", "delay", "exit_codes", "files", "grace", "kill_after", "least", "lost", "matches", "max_size",
        "memory", "nice", "notes", "overlap", "rejects", "retries", "schema", "secrets", "signal", "stdin",
        "stdin_file", "tail", "timeout", "umask",
    )  # fmt: skip

    def __init__(self) -> None:
        self.timeout: float | None = None
        self.kill_after: float | None = None
        self.least: float | None = None
        self.retries, self.delay = 0, 0.0
        self.overlap = "skip"
        self.exit_codes: list[int] = [0]
        self.matches = self.rejects = ""
        self.schema: Any = None
        self.files: list[Mapping[str, Any]] = []
        self.secrets: dict[str, Mapping[str, Any]] = {}
        self.umask: int | None = None
        self.memory: float | None = None
        self.cpu: float | None = None
        self.nice: int | None = None
        self.stdin: str | None = None
        self.stdin_file = ""
        self.signal, self.grace = 15, 10.0
        self.max_size, self.tail = 10 * 1024 * 1024, 65536
        self.notes: list[str] = []
        self.lost = ""  # why nobody can tell a success

    @property
    def longest(self) -> float:
        """Seconds after which an attempt is ended; 0 where it may run for ever."""
        return min(filter(None, (self.timeout, self.kill_after)), default=0.0)


def read(state: str, name: str, digest: str) -> Job:
    """The job of that digest; one of defaults with a note where the file is gone, damaged or another one."""
    path = f"{state}/jobs/{name}-{digest}.json"
    shared = f"{SHARED}/jobs/{name}-{digest}.json"
    try:
        if not os.path.exists(path) and os.path.exists(shared):
            path = shared
        return _Reader(_document(path, digest)).job
    except (OSError, ValueError) as error:
        job = Job()
        job.lost = "cannot judge the run: its rules of success are lost"
        job.notes.append(f"cannot read the job file {path}: {why(error)}; {LOST}")
        return job


def _document(path: str, digest: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError("it is larger than a job file can be")
    if _sha256(raw)[:12] != digest:
        raise ValueError("its content is not what its name says")
    document = loads(readable(raw))
    if not isinstance(document, dict):
        raise ValueError("it holds no JSON object")
    return document


def _sha256(raw: bytes) -> str:
    try:
        from _sha256 import sha256  # 3.11; hashlib would load OpenSSL
    except ImportError:
        try:
            from _sha2 import sha256
        except ImportError:
            from hashlib import sha256
    return str(sha256(raw).hexdigest())


class _Reader:
    """Takes one document apart."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.job = job = Job()
        self._document = document
        job.timeout = self._number("timeout")
        job.kill_after = self._number("runtime.killAfter")
        job.least = self._number("runtime.min")
        job.retries = int(self._number("retry.limit", most=1000) or 0)
        job.delay = self._number("retry.delay", least=0) or 0.0
        job.overlap = self._word("overlap", ("skip", "queue", "kill", "allow")) or job.overlap
        job.umask = self._umask()
        job.memory = self._number("limits.memory", most=1e18)
        job.cpu = self._number("limits.cpu", most=1e6)
        nice = self._number("limits.nice", least=-20, most=19)
        job.nice = None if nice is None else int(nice)
        grace = self._number("stop.grace", least=0)
        job.grace = job.grace if grace is None else grace
        job.signal = self._signal() or job.signal
        job.max_size = int(self._number("output.maxSize", most=1e15) or job.max_size)
        job.tail = int(self._number("output.tail", least=0, most=1024 * 1024) or job.tail)
        job.secrets = {
            variable: reference if isinstance(reference, dict) else {}
            for variable, reference in self._get("secrets", dict, {}).items()
        }
        self._stdin()
        self._success()

    def _success(self) -> None:
        job = self.job
        codes = self._get("success.exitCodes", list, job.exit_codes)
        if codes and all(isinstance(code, int) for code in codes):
            job.exit_codes = codes
        else:
            self._bad("success.exitCodes", codes)
        job.matches = self._get("success.output.matches", str, "")
        job.rejects = self._get("success.output.rejects", str, "")
        job.schema = self._get("success.output.schema", (dict, bool), None)
        files = self._get("success.files", list, [])
        job.files = [item for item in files if isinstance(item, dict) and isinstance(item.get("path"), str)]
        if len(job.files) != len(files):
            self._bad("success.files", files)

    def _stdin(self) -> None:
        value = self._get("stdin", (str, dict), None)
        if isinstance(value, str):
            self.job.stdin = value
        elif isinstance(value, dict):
            self.job.stdin_file = self._get("stdin.file", str, "")

    def _signal(self) -> int:
        word = self._get("stop.signal", str, "")
        number = _SIGNALS.get(word.removeprefix("SIG"), 0)
        if word and not number:
            import _signal  # numbers of the others differ between systems

            found = getattr(_signal, f"SIG{word.removeprefix('SIG')}", 0)
            number = found if isinstance(found, int) and word.isalnum() else 0
            if not number:
                self._bad("stop.signal", word)
        return number

    def _umask(self) -> int | None:
        word = self._get("umask", str, "")
        if word and (len(word) > 4 or not set("01234567").issuperset(word)):
            self._bad("umask", word)
            return None
        return int(word, 8) & 0o777 if word else None

    def _number(self, path: str, *, least: float = 1e-9, most: float = 1e9) -> float | None:
        value = self._get(path, (int, float), None)
        if value is None or isinstance(value, bool) or not least <= value <= most:
            if value is not None:
                self._bad(path, value)
            return None
        return float(value)

    def _word(self, path: str, words: tuple[str, ...]) -> str:
        value = self._get(path, str, "")
        if value and value not in words:
            self._bad(path, value)
            return ""
        return str(value)

    def _get(self, path: str, kind: type | tuple[type, ...], default: Any) -> Any:
        value: Any = self._document
        for key in path.split("."):
            if not isinstance(value, dict):
                self._bad(path.partition(".")[0], value)
                return default
            value = value.get(key)
            if value is None:
                return default
        if not isinstance(value, kind):
            self._bad(path, value)
            return default
        return value

    def _bad(self, path: str, value: object) -> None:
        note = f"the job file's {path} is left out: {str(value)[:60]!r} makes no sense there"
        if note not in self.job.notes:
            self.job.notes.append(note)


def state_folder(given: str, environ: Mapping[str, str]) -> str:
    """--state, else RECONCILER_STATE_DIR, else the platform's place: the same as for every other command."""
    chosen = given or environ.get("RECONCILER_STATE_DIR", "")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    if os.geteuid() == 0:
        return SHARED
    parent = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.abspath(f"{parent}/reconciler")
