"""A stand-in for `launchctl`, stateful and strict, for tests of providers: in memory, or as a program on PATH.

As a program (`python -m reconciler.testing.launchctl`) it keeps its state in the file that LAUNCHCTL_STATE names.
It reproduces what is known of the real one from reports; nothing here has been compared with a Mac.
"""

from __future__ import annotations

import os
import plistlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from xml.parsers.expat import ExpatError

from reconciler.host.protocol import Completed
from reconciler.testing.launchctl_text import disabled_text, domain_text, job_text

NO_PROCESS, EIO, BOOTING_OUT, IN_PROGRESS, USAGE = 3, 5, 36, 37, 64
NO_DOMAIN, NO_SERVICE, DISABLED, NO_SESSION, WRONG_SESSION = 112, 113, 119, 125, 134
_TEXTS = {
    NO_PROCESS: "No such process",
    EIO: "Input/output error",
    BOOTING_OUT: "Operation now in progress",
    IN_PROGRESS: "Operation already in progress",
    NO_DOMAIN: "Could not find specified domain",
    NO_SERVICE: "Could not find specified service",
    DISABLED: "Service is disabled",
    NO_SESSION: "Domain does not support specified action",
    WRONG_SESSION: "Service cannot load in requested session",
}


class Files(Protocol):
    """Where plists are read from."""

    def read(self, path: str) -> bytes | None: ...
    def owner(self, path: str) -> int: ...
    def mode(self, path: str) -> int: ...


class RealFiles:
    """The files of this machine."""

    def read(self, path: str) -> bytes | None:
        try:
            return Path(path).read_bytes()
        except OSError:
            return None

    def owner(self, path: str) -> int:
        return Path(path).stat().st_uid

    def mode(self, path: str) -> int:
        return Path(path).stat().st_mode & 0o777


@dataclass
class Launchctl:
    """`domains` maps a domain to its jobs by label; a job is plain data. Edit anything at any time.

    `newer` is the generation: True answers like the releases since 2025, False like those before.
    `drain` is how long a label takes to vanish after bootout, which returns at once. `exits` maps a label to the
    status that its program ends with, `silent` holds labels that are registered and never start.
    """

    files: Files
    clock: Callable[[], float]
    uid: int = 501
    newer: bool = True
    drain: float = 0.0
    domains: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    disabled: dict[str, list[str]] = field(default_factory=dict)
    exits: dict[str, int] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    garbled: bool = False  # prints in words that nobody has seen yet

    def __post_init__(self) -> None:
        for name in ("system", f"gui/{self.uid}", f"user/{self.uid}"):
            self.domains.setdefault(name, {})

    def answer(self, verb: str, code: int, text: str = "", *, times: int = 1) -> None:
        """Answer the next calls of a verb with this status and do nothing else in them."""
        self.answers.append({"verb": verb, "code": code, "text": text, "times": times})

    def log_out(self) -> None:
        """The domain of the screen goes, with everything in it."""
        self.domains.pop(f"gui/{self.uid}", None)

    def log_in(self, folder: str, names: Sequence[str]) -> None:
        """The domain of the screen comes, and loads every agent that may be loaded there."""
        self.domains[f"gui/{self.uid}"] = {}
        for name in names:
            self(["launchctl", "bootstrap", f"gui/{self.uid}", f"{folder}/{name}"])

    def __call__(self, argv: Sequence[str], stdin: bytes = b"") -> Completed:  # noqa: ARG002
        self.calls.append(list(argv[1:]))
        self._settle()
        verb, *rest = [*argv[1:], ""] if len(argv) < 3 else argv[1:]
        for item in self.answers:
            if item["verb"] == verb and item["times"] > 0:
                item["times"] -= 1
                return Completed(item["code"], b"", item["text"].encode() + b"\n")
        acts: Mapping[str, Callable[[Sequence[str]], Completed]] = {
            "print": self._print,
            "print-disabled": self._print_disabled,
            "bootstrap": self._bootstrap,
            "bootout": self._bootout,
            "enable": lambda rest: self._override(rest, off=False),
            "disable": lambda rest: self._override(rest, off=True),
            "kickstart": self._kickstart,
        }
        if verb not in acts or any(word.startswith("--") for word in rest):
            return Completed(USAGE, b"", b"Unrecognized subcommand or option: " + " ".join(argv[1:]).encode() + b"\n")
        return acts[verb](rest)

    def _settle(self) -> None:
        for jobs in self.domains.values():
            for label in [label for label, job in jobs.items() if 0 < job["gone_at"] <= self.clock()]:
                del jobs[label]

    def _target(self, target: str) -> tuple[str, str]:
        """`gui/501/label` as domain and label."""
        parts = target.split("/")
        size = 1 if parts[0] == "system" else 2
        return "/".join(parts[:size]), "/".join(parts[size:])

    def _print(self, rest: Sequence[str]) -> Completed:
        domain, label = self._target(rest[0])
        jobs = self.domains.get(domain)
        if jobs is None:
            return _failed(NO_DOMAIN, "Bad request.\n")
        if self.garbled and (not label or label in jobs):
            return Completed(0, b"<<this release speaks otherwise>>\n", b"")
        if not label:
            off = self.disabled.get(_store(domain), [])
            return Completed(0, domain_text(domain, jobs, off, newer=self.newer).encode(), b"")
        if label not in jobs:
            return _failed(NO_SERVICE, f'Bad request.\nCould not find service "{label}" in domain for {domain}\n')
        return Completed(0, job_text(domain, label, jobs[label], newer=self.newer).encode(), b"")

    def _print_disabled(self, rest: Sequence[str]) -> Completed:
        if rest[0] not in self.domains:
            return _failed(NO_DOMAIN, "")
        off = self.disabled.get(_store(rest[0]), [])
        return Completed(0, disabled_text(off, newer=self.newer).encode(), b"")

    def _override(self, rest: Sequence[str], *, off: bool) -> Completed:
        domain, label = self._target(rest[0])
        if domain == "system" and self.uid != 0:
            return _failed(EIO, "Could not set service state: ")
        found = self.disabled.setdefault(_store(domain), [])
        if off and label not in found:
            found.append(label)
        elif not off and label in found:
            found.remove(label)
        return Completed(0, b"", b"")

    def _bootstrap(self, rest: Sequence[str]) -> Completed:
        if len(rest) != 2:
            return _failed(USAGE, "Usage: launchctl bootstrap <domain-target> <path> ")
        domain, path = rest
        jobs = self.domains.get(domain)
        if jobs is None:
            return _failed(NO_SESSION if domain.startswith("gui/") else NO_DOMAIN, "Bootstrap failed: ")
        if domain == "system" and self.uid != 0:
            return _failed(EIO, "Bootstrap failed: ")
        plist, problem = self._plist(path)
        if plist is None:
            return problem
        label = plist["Label"]
        if label in self.disabled.get(_store(domain), []):
            return _failed(DISABLED, "Bootstrap failed: ")
        kinds = plist.get("LimitLoadToSessionType", "Aqua")
        needed = {"gui": "Aqua", "user": "Background"}.get(domain.split("/")[0])
        if needed is not None and needed not in (kinds if isinstance(kinds, list) else [kinds]):
            return _failed(WRONG_SESSION, "Bootstrap failed: ")
        if label in jobs:  # the definition that launchd has stays, whatever the file says now
            return _failed(EIO if self.newer else IN_PROGRESS, "Bootstrap failed: ")
        jobs[label] = self._loaded(label, path, plist)
        return Completed(0, b"", b"")

    def _plist(self, path: str) -> tuple[dict[str, Any] | None, Completed]:
        content = self.files.read(path)
        if content is None:
            return None, _failed(EIO, "Bootstrap failed: ")
        if self.files.owner(path) not in (0, self.uid) or self.files.mode(path) & 0o022:
            return None, Completed(EIO, b"", f"{path}: Path had bad ownership/permissions\n".encode())
        try:
            plist = plistlib.loads(content)
        except (plistlib.InvalidFileException, ExpatError, ValueError):
            plist = None
        if not isinstance(plist, dict) or not isinstance(plist.get("Label"), str):
            return None, _failed(EIO, "Bootstrap failed: ")
        if not (plist.get("ProgramArguments") or plist.get("Program")):
            return None, _failed(EIO, "Bootstrap failed: ")
        return plist, Completed(0, b"", b"")  # keys that launchd does not know are ignored, silently

    def _loaded(self, label: str, path: str, plist: Mapping[str, Any]) -> dict[str, Any]:
        job: dict[str, Any] = {
            "path": path,
            "plist": plistlib.dumps(dict(plist)).decode(),
            "pid": 0,
            "runs": 0,
            "exit": None,
            "gone_at": 0.0,
        }
        if plist.get("RunAtLoad") is True or plist.get("KeepAlive"):
            self._start(label, job)
        return job

    def _start(self, label: str, job: dict[str, Any]) -> None:
        """Start the program of a job with the definition that was loaded, whatever its file says."""
        if label in self.silent:
            self.silent.remove(label)
            return
        keep = bool(plistlib.loads(job["plist"].encode()).get("KeepAlive"))
        job["runs"] += 1
        code = self.exits.get(label, None if keep else 0)
        job["pid"], job["exit"] = (0, code) if code is not None else (4000 + job["runs"], job["exit"])

    def _bootout(self, rest: Sequence[str]) -> Completed:
        domain, label = self._target(rest[0])
        jobs = self.domains.get(domain)
        if jobs is None:
            return _failed(NO_DOMAIN, "Boot-out failed: ")
        if domain == "system" and self.uid != 0:
            return _failed(EIO, "Boot-out failed: ")
        if label not in jobs:
            return _failed(EIO if self.newer else NO_PROCESS, "Boot-out failed: ")
        if jobs[label]["gone_at"]:
            return _failed(BOOTING_OUT, "Boot-out failed: ")
        if self.drain:
            jobs[label]["gone_at"] = self.clock() + self.drain
            return Completed(0, b"", b"")
        del jobs[label]
        return Completed(0, b"", b"")

    def _kickstart(self, rest: Sequence[str]) -> Completed:
        kill = "-k" in rest
        domain, label = self._target(rest[-1])
        job = self.domains.get(domain, {}).get(label)
        if job is None:
            return _failed(NO_SERVICE, f'Could not find service "{label}" in domain for {domain}\n')
        if job["pid"] and not kill:
            return _failed(IN_PROGRESS, "Could not kickstart service: ")
        self._start(label, job)
        return Completed(0, b"", b"")


def _store(domain: str) -> str:
    """One list of overrides for a user, whichever domain is asked."""
    return "system" if domain == "system" else domain.split("/")[1]


def _failed(code: int, text: str) -> Completed:
    said = f"{code}: {_TEXTS[code]}\n" if code in _TEXTS else "\n"
    return Completed(code, b"", f"{text}{said}".encode())


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """One call as a program: state in, act, state out. Calls side by side take turns, as launchd takes them."""
    import fcntl
    import json
    import time

    state = Path(environ["LAUNCHCTL_STATE"])
    turn = state.with_suffix(".turn").open("w")
    fcntl.flock(turn, fcntl.LOCK_EX)  # until this process ends
    kept = json.loads(state.read_text()) if state.exists() else {}
    program = Launchctl(RealFiles(), time.time, **{"uid": os.getuid(), **kept})
    done = program(["launchctl", *argv])
    names = ("newer", "drain", "domains", "disabled", "exits", "silent", "answers", "calls", "garbled")
    partial = state.with_suffix(".partial")
    partial.write_text(json.dumps({name: getattr(program, name) for name in names}))
    partial.replace(state)
    sys.stdout.write(done.stdout.decode())
    sys.stderr.write(done.stderr.decode())
    return done.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
